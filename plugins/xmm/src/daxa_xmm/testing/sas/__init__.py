r"""Stand-ins for the programs of XMM-Newton's SAS, and small ODFs for them to work on.

They are executables with the real names, arguments, file names and message formats, and need nothing but Python's
standard library. They check their arguments, open and read their inputs, refuse parameters that the task does not
have, and fail with a message where SAS_CCF, SAS_ODF, PFILES or the working directory is wrong. Raw files are never
written, except where ``odfingest`` is told to write there. What they make is generated and says so (``HISTORY``).

``evselect``, ``merge`` and ``tabgtigen`` do without SAS_CCF. All need a working directory that is there and can be
written. An error ends a program with status 1 and a line ``** task: error (name), message`` on standard error. Real
are the text for files that cannot be read, the names of ``epchain``'s errors, the failure of ``espfilt``, and the
warnings; other names are from the SAS's lists of errors, with texts of our own. The lines that ``cifbuild``,
``odfingest``, ``evselect``, ``espfilt``, ``rgsproc``, ``tabgtigen``, ``atthkgen``, ``eexpmap`` and ``sasversion`` begin
and end their logs with, and most of what ``espfilt`` prints, are checked against recorded logs. Unverified are the logs
of ``epchain``, ``emchain``, ``emanom``, ``merge``, ``sas`` and ``lcurve``, names of intermediate files but those of
``rgsproc`` and ``espfilt``, and the exit status.

``install(directory)`` writes them: ``DAXA_TOOL_SAS=script:<directory>/setsas.sh`` (or the directory) leads to them,
``script:<directory>/headas/headas-init.sh`` to ``lcurve``. ``odf(obs_id)`` makes raw files. ``write_scenario`` says
what is to go wrong, with the rules of :mod:`daxa_xmm.testing.sas.rules`.

``{o}`` is an ObsID, ``{r}`` a revolution of four digits, ``{e}`` an exposure such as ``S003``, ``{p}`` is ``pn``,
``mos1`` or ``mos2`` and an exposure, ``ODF`` the directory of raw files. All outputs without a directory go to the
working directory.

================  =============================================  =================================================
command           reads                                          writes
================  =============================================  =================================================
sas --version     SAS_DIR, SAS_CCFPATH                           standard output ``sas (sas-1.7) [22.1.0-...]``
sasversion        the same                                       standard output
cifbuild          SAS_CCFPATH/\*.CCF (or ``ccfpath=`` with       ``calindexset=``, by default ``ccf.cif``
                  ``withccfpath=yes``); SAS_ODF only with
                  ``withobservationdate=no``
odfingest         SAS_CCF; ``odfdir=`` with ``withodfdir=yes``,  ``outdir=`` ``{r}_{o}_SCX00000SUM.SAS``, with an
                  else SAS_ODF: \*.FIT, \*SUM.ASC                absolute ``PATH``
epchain           SAS_CCF; ODF by ``odf=`` (a directory, or a    ``P{o}PN{e}PIEVLI0000.FIT``, or with
                  SUM.SAS whose PATH leads to it) or SAS_ODF;    ``withoutoftime=Y`` ``P{o}PN{e}OOEVLI0000.FIT``;
                  a SUM.SAS there or in SAS_ODF; with            ``P{o}OBX000ATTTSR0000.FIT`` (``runatthkgen``);
                  ``runepframes=N`` the intermediates of an      with ``keepintermediate=raw`` intermediates
                  earlier call in the same directory             ``P{o}PN{e}frames0000.FIT``
emchain           SAS_CCF; ODF as above; PFILES and ``lcurve``   ``P{o}M1{e}MIEVLI0000.FIT`` (``TIEVLI`` too for a
                  unless ``makeflaregti=no``                     timing CCD), ``P{o}OBX000ATTTSR0000.FIT``,
                                                                 ``P{o}M1{e}FBKTSR0000.FIT`` (``makeflaregti``)
rgsproc 1:events  SAS_CCF; SAS_ODF (directory with a SUM.SAS,    ``P{o}R1{e}``: ``merged0000.FIT``,
                  or the SUM.SAS)                                ``SRCLI_0000.FIT``, ``attgti0000.FIT``,
                                                                 ``hkgti_0000.FIT``; ``P{o}OBX000ATTTSR0000.FIT``
rgsproc 2:angles  SAS_CCF; SAS_ODF; of 1: ``merged0000.FIT``,    ``merged0000.FIT`` in place
                  ``SRCLI_0000.FIT``, ``P{o}OBX000ATTTSR...``
rgsproc 3:filter  SAS_CCF; SAS_ODF; ``merged0000.FIT``,          ``P{o}R1{e}EVENLI0000.FIT``,
                  ``SRCLI_0000.FIT``, ``attgti``, ``hkgti_``     ``P{o}R1{e}EXPMAP0000.FIT``
emanom            SAS_CCF; ``eventfile=``                        ``mos1{e}-anom.log``; header of ``eventfile=`` in
                                                                 place, unless ``writekeys=no``
espfilt           SAS_CCF; ``eventfile=`` (before 20.0:          SAS 21 and later: ``{p}-gti.fits``,
                  ``eventset=``), ``ootfile=`` with              ``{p}-allevc.fits``, ``{p}-hist.qdp``, with
                  ``withoot=yes``                                ``withoot=yes`` ``{p}-allevcoot.fits``; SAS 20:
                                                                 ``{p}-gti-2500-8500.fits`` ... but
                                                                 ``{p}-allevcoot.fits``; with
                                                                 ``keepinterfiles=yes`` ``{p}-fovim.fits``, ...
evselect          ``table=`` (``FILE`` or ``FILE:EVENTS``),      ``filteredset=``, ``imageset=``, ``rateset=``,
                  ``GTI(FILE,TIME)`` in ``expression=``          ``spectrumset=``
merge             ``set1=``, ``set2=``                           ``outset=``
tabgtigen         ``table=``                                     ``gtiset=``
atthkgen          SAS_CCF; SAS_ODF                               ``atthkset=``
eexpmap           SAS_CCF; ``imageset=``, ``attitudeset=``,      ``expimageset=``
                  ``eventset=``
lcurve --version                                                 standard output ``lcurve Version 1.0``
lcurve            PFILES: ``lcurve.par`` of its system part      ``lcurve.par`` in its own part
================  =============================================  =================================================
"""

from daxa_xmm.testing.sas.installing import (
    CONSTITUENTS,
    PROGRAMS,
    add_constituent,
    environment,
    install,
    write_scenario,
)
from daxa_xmm.testing.sas.raw import USUAL, Exposure, odf

__all__ = [
    "CONSTITUENTS",
    "PROGRAMS",
    "USUAL",
    "Exposure",
    "add_constituent",
    "environment",
    "install",
    "odf",
    "write_scenario",
]
