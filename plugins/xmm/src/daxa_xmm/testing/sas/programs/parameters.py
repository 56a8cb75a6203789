"""Parameters of the tasks in their order, with their defaults, as the recorded logs of SAS 20 and 22 print them.

A parameter without a default (``name!``) must be given. ``yes`` and ``no`` make a boolean, a number a number. What has
no recorded log (`epchain`, `emchain`, `emanom`, `merge`) is after the descriptions of the tasks' manuals.
"""

from __future__ import annotations

_EVSELECT = """
table! filteredset=filtered.fits withfilteredset=no keepfilteroutput=no flagcolumn=EVFLAG flagbit=-1 destruct=yes
dssblock='' expression=true filtertype=expression cleandss=no updateexposure=yes filterexposure=yes writedss=yes
blockstocopy='' attributestocopy='' energycolumn=PHA zcolumn=WEIGHT zerrorcolumn=EWEIGHT withzerrorcolumn=no
withzcolumn=no ignorelegallimits=no imageset=image.fits xcolumn=RAWX ycolumn=RAWY ximagebinsize=1 yimagebinsize=1
squarepixels=no ximagesize=600 yimagesize=600 imagebinning=imageSize ximagemin=1 ximagemax=640 withxranges=no
yimagemin=1 yimagemax=640 withyranges=no imagedatatype=Real64 withimagedatatype=no raimagecenter=0 decimagecenter=0
withcelestialcenter=no withimageset=no spectrumset=spectrum.fits spectralbinsize=5 specchannelmin=0
specchannelmax=11999 withspecranges=no nonStandardSpec=no withspectrumset=no rateset=rate.fits timecolumn=TIME
timebinsize=1 timemin=0 timemax=1000 withtimeranges=no maketimecolumn=no makeratecolumn=no withrateset=no
histogramset=histo.fits histogramcolumn=TIME histogrambinsize=1 histogrammin=0 histogrammax=1000 withhistoranges=no
withhistogramset=no
"""
_RGSPROC = """
entrystage=1:events finalstage=6:lightcurve withinstexpids=no instexpids='' orders='1 2' expunge=events
spectrumbinning=lambda withprefix=no prefix='' timestep=1 driftlimit=5 onlylastatt=no withepicset=no epicset=''
withsrc=no srclabel=USER srcrate=0 srcstyle=radec srcra=-999 srcdec=-999 srcdisp=0 srcxdsp=0 attstyle=expmedian
attra=-999 attdec=-999 attapos=-999 includeinputfifofull=yes calcoffsets=no withoffsethistogram=no withdiagoffset=yes
withgain=yes withcti=yes withadvisory=yes embadpixalgo=no withfoundhot=yes badpixalgo=badpixalgo keepcool=yes
pixnoiselimit=0 colnoiselimit=250 pixsharpness=5 colsharpness=8 detcoord=cam withdetcoord=no reconstruct=yes
betabinning=binSize betabinref=0.03578524 betabinwidth=1.208e-05 nbetabins=3400 betamin=0.03 betamax=0.08
xdispbinning=binSize xdispbinref=-0.0009126 xdispbinwidth=1.08e-05 nxdispbins=170 xdispmin=-0.001 xdispmax=0.001
withpointingcolumn=no withmlambdacolumn=yes withheliocentriccorr=yes withsunanglecorr=yes
rejflags='BAD_SHAPE ON_NODE_INTERFACE ON_BADPIX NEXT_TO_BADPIX ON_WINDOW_BORDER BELOW_ACCEPTANCE' driftbinsize=1
withcombmap=yes auxgtitables='' spatialres=5 orderres=3 xpsfincl=95 xpsfexcl=98 pdistincl=95 withpicutoff=no picutoff=0
xdspregions='' xdspbackground='' procsrcsexpr=INDEX==#PRIMESRC exclsrcsexpr=INDEX==#PRIMESRC bkgcorrect=no
withbkgset=yes withbackgroundmodel=no edgechannels=2 rebin=1 withfracexp=no exposed=0.1 badquality=1 witharffile=no
rmfbins=4000 fftdim=3 withmirrorpsf=yes angdistset=angdist.txt withangdist=no mergeorders=no flxformat=dal
flxmode=wavelength flxmin=4 flxmax=40 flxbins=3600 flxquality=0 withflxnan=no flxnan=0 withdyneffarea=yes
withrectification=yes witheffectiveareacorrection=yes lambdabinref=4.005 lambdabinwidth=0.01 nlambdabins=3600
withheliocorr=no timebinsize=1000 withbkgsubtraction=yes
"""
_EPCHAIN = """
odf='' odfaccess=oal schedule=S datamode=IMAGING exposure=1 ccds=1-12 keepintermediate=none withdefaultcal=yes
usecanonicalnames=yes outset=events.fits ingtiset='' optloadingimage=no optloadingimageset=optloading.img withradmon=no
runatthkgen=yes timestep=1 runepframes=yes runbadpixfind=yes runbadpix=yes runepevents=yes runattcalc=yes runepreject=no
runevlistcomb=yes runbackground=yes withoutoftime=no runepfast=no runhkgtigen=no propagatecolumns=default
"""
_EMCHAIN = """
ingtiset='' filteratt=no filterhk=no badpixfindalgo=EM randomize=PET applyflaregti=no odf='' exposures='' instruments=''
ccds='' runccdloop=yes startfromodf=yes stopafterbadpixfind=no runevlistcomb=yes makeflaregti=yes rejectbadevents=yes
rejectionflag=762aa000 writeccdbackground=no processlowgain=no fulloutput=no applyccdgti=yes addtaglenoise=yes
addvigweight=no keepintermediate=no clobber=yes stoponerror=no runatthkgen=yes
"""
_ESPFILT = """
eventfile! withoot=no ootfile=dataset method=histogram withsmoothing=yes smooth=51 withbinning=yes binsize=60 ratio=1.2
withlongnames=no elow=2500 ehigh=8500 rangescale=6 allowsigma=3 limits='0.1 6.5' keepinterfiles=no
"""
_ESPFILT_OLD = """
eventset! method=ratio withsmoothing=yes smooth=51 withbinning=yes binsize=60 ratio=1.2
"""
TASKS = {
    "sasversion": "",
    "cifbuild": "calindexset=ccf.cif ccfpath=. withccfpath=no usecanonicalname=no recurse=no fileglob=*.ccf|*.CCF"
    " fullpath=no observationdate=now withobservationdate=no analysisdate=now category=XMMCCF ignorecategory=no"
    " masterindex=no masterindexset=ccf.mif withmasterindexset=no append=no",
    "odfingest": "odfdir=. withodfdir=no outdir=. summaryfile=0000_0000000000_SCX000SUM.SAS usecanonicalname=yes"
    " writepath=yes findinstrumentmodes=yes usehousekeeping=yes oalcheck=no",
    "atthkgen": "atthkset=atthk.dat timestep=1 timebegin=0 timeend=0 withtimeranges=no withpreqgti=no"
    " preqgtifile=pointings.fit",
    "tabgtigen": "table! gtiset=gtiset.ds expression! timecolumn=TIME prefraction=0.5 postfraction=0.5 mingtisize=0",
    "eexpmap": "imageset! attitudeset! eventset! expimageset! withdetcoords=no withvignetting=yes"
    " usefastpixelization=no usedlimap=no attrebin=4 pimin! pimax!",
    "emanom": "eventfile! writekeys=yes writelog=yes keepcorner=yes cornerfile=temp_corner.fits",
    "merge": "set1! set2! outset=merged.ds columns='' imagesize=0 withradec=no ra=0 dec=0 mergedifferentobs=no",
    "evselect": _EVSELECT,
    "rgsproc": _RGSPROC,
    "epchain": _EPCHAIN,
    "emchain": _EMCHAIN,
    "espfilt": _ESPFILT,
}
IMPLIED = {
    "cifbuild": {"observationdate": "withobservationdate", "ccfpath": "withccfpath"},
    "odfingest": {"odfdir": "withodfdir"},
    "rgsproc": {"instexpids": "withinstexpids"},
    "evselect": {
        "filteredset": "withfilteredset", "withfilteredset": "keepfilteroutput",
        "imageset": "withimageset", "xcolumn": "withimageset", "ycolumn": "withimageset",
        "ximagemin": "withxranges", "ximagemax": "withxranges",
        "yimagemin": "withyranges", "yimagemax": "withyranges",
        "spectrumset": "withspectrumset", "specchannelmin": "withspecranges", "specchannelmax": "withspecranges",
        "rateset": "withrateset", "timebinsize": "withrateset", "timemin": "withtimeranges",
        "timemax": "withtimeranges", "histogramset": "withhistogramset", "histogramcolumn": "withhistogramset",
    },
    "espfilt": {"ootfile": "withoot"},
}  # fmt: skip
"""A parameter that is given sets another one to yes, unless that is given too: the child and its parent."""

VERSIONS = {
    "sas": "1.7", "sasversion": "1.3", "cifbuild": "4.10.1", "odfingest": "3.33.2", "atthkgen": "1.22.2",
    "evselect": "3.71.3", "espfilt": "4.3", "rgsproc": "1.39", "epchain": "8.82.2", "emchain": "12.0.1",
    "emanom": "2.2", "merge": "8.6", "tabgtigen": "2.11", "eexpmap": "4.12", "gtibuild": "1.5", "evlistcomb": "4.19.2",
}  # fmt: skip
BOOLEANS = {"yes": True, "true": True, "y": True, "t": True, "no": False, "false": False, "n": False, "f": False}


def declared(name, version):
    """Parameters of a task: name, default or None if it must be given.

    Parameters
    ----------
    name : str
        The task.
    version : tuple of int
        Version of the SAS.
    """
    text = TASKS[name]
    if name == "espfilt" and version < (20,):
        text = _ESPFILT_OLD
    made = {}
    for word in _words(text):
        key, equals, value = word.partition("=")
        if not equals:
            made[key.rstrip("!")] = None
        else:
            made[key] = value.strip("'")
    if name == "espfilt" and version >= (21,):
        del made["withlongnames"]
    if name == "epchain" and version >= (21,):
        made["runradmonfix"] = "yes"
    return made


def _words(text):
    """Split at blanks, but not between quotes."""
    pieces = text.split("'")
    words, word = [], ""
    for number, piece in enumerate(pieces):
        if number % 2:
            word += f"'{piece}'"
            continue
        for place, part in enumerate(piece.replace("\n", " ").split(" ")):
            if place and word:
                words.append(word)
                word = ""
            word += part
    return [*words, word] if word else words
