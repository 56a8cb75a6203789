"""Frozen records that plugins hand to the core.

They hold plain data only: targets are strings (``"package.module:Name"``) and are imported on first use, so that
listing what is installed imports nothing.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal

from attrs import field, frozen

from daxa.exceptions import PluginError
from daxa.ids import check_component

API_VERSION: Final = 1
"""Number of the plugin contract. It grows when a plugin written for it would not work on an older core."""

_TARGET = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*\Z")


def load_target(target: str) -> Any:
    """Import ``"package.module:Name"`` and return what it names.

    Raises
    ------
    PluginError
        If the string has another form, or there is no such name.
    """
    if not _TARGET.match(target):
        raise PluginError(
            f"{target!r} is not a target.", expected='"package.module:name"', remedy="correct the plugin", value=target
        )
    module_name, _, attribute = target.partition(":")
    found: Any = importlib.import_module(module_name)
    for part in attribute.split("."):
        try:
            found = getattr(found, part)
        except AttributeError:
            raise PluginError(
                f"{module_name} has no {part!r}.", expected=f"what {target!r} promises", remedy="correct the plugin"
            ) from None
    return found


def _tuple(value: Any) -> tuple[Any, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


def _all(value: Iterable[Any]) -> tuple[Any, ...]:
    return tuple(value)


def words(value: Any) -> tuple[str, ...]:
    """``"M1 M2"`` or a sequence of names as a tuple of names."""
    return tuple(value.split()) if isinstance(value, str) else tuple(value)


def _name(_instance: object, _attribute: object, value: str) -> None:
    check_component(value, "a registered name")


@frozen(kw_only=True)
class PluginInfo:
    """Who a plugin is.

    Parameters
    ----------
    api : int
        Number of the contract it was written for.
    homepage, contact : str
        Where its users find help.
    """

    api: int = API_VERSION
    homepage: str = ""
    contact: str = ""


@frozen(kw_only=True)
class MissionEntry:
    """A mission that a plugin provides.

    Parameters
    ----------
    name : str
        Internal name, e.g. ``xmm_pointed``.
    title : str
        Display name.
    target : str
        ``"package.module:Class"`` of the :class:`daxa.api.Mission` subclass.
    processes : str, optional
        Module whose processes belong to the mission.
    """

    name: str = field(validator=_name)
    title: str
    target: str
    processes: str | None = None

    @property
    def class_name(self) -> str:
        """Name of the class, as it appears in :mod:`daxa.mission`."""
        return self.target.rpartition(":")[2]


@frozen(kw_only=True)
class ServiceSpec:
    """A remote service, with how it wants to be treated.

    Parameters
    ----------
    name : str
        Upper-case name; ``DAXA_URL_<NAME>`` overrides the address.
    url : str
        Base address.
    connections : int
        Most requests under way at once, for all of the process.
    interval : float
        Seconds between the starts of two requests.
    listing_interval : float
        Seconds between the starts of two requests for directory pages.
    most : int
        Connections that no setting may exceed.
    title : str
        What the service is.
    login : (str, str), optional
        Names of the two parameters of a query that take user name and password, for a service that gives more to those
        who have an account. They come from the settings ``<name>_user`` and ``<name>_password``, or ``~/.netrc``.
    """

    name: str
    url: str
    connections: int = 4
    interval: float = 0.0
    listing_interval: float = 0.0
    most: int = 64
    title: str = ""
    login: tuple[str, str] | None = None


@frozen(kw_only=True)
class ToolSpec:
    """External software: how to find it, ask its version, and what to say when it is missing.

    Parameters
    ----------
    name : str
        Short name, e.g. ``sas``.
    title : str
        Full name.
    executables : tuple of str
        Programs that must be found on the tool's path.
    home_variable : str, optional
        Environment variable that names the installation.
    activation : str, optional
        Path below the installation, of the shell script that sets the tool's environment.
    variables : tuple of str
        Environment variables it needs where it is active already; ``*`` stands for any characters, e.g. ``SAS_*``.
        Search paths, ``PFILES``, and those that name the installation and the calibration are taken anyway.
    version_command : tuple of str
        Program and arguments that print the version.
    version_pattern : str
        Regular expression that finds the version in what is printed; its first group, if it has one.
    calibration_variable : str, optional
        Environment variable that names the directory of the calibration.
    calibration_files : tuple of str
        Patterns of file names below that directory that tell one calibration from another; by default all files in
        it.
    remedy : str
        What to do when it is missing.
    minimum_version : str
        The oldest version that is of use, e.g. ``14.0.0``; empty for any. One that does not tell its version is used.
    """

    name: str = field(validator=_name)
    title: str
    executables: tuple[str, ...] = field(default=(), converter=_tuple)
    home_variable: str | None = None
    activation: str | None = None
    variables: tuple[str, ...] = field(default=(), converter=_tuple)
    version_command: tuple[str, ...] = field(default=(), converter=_tuple)
    version_pattern: str = r"\d+(?:\.\d+)+"
    calibration_variable: str | None = None
    calibration_files: tuple[str, ...] = field(default=(), converter=_tuple)
    remedy: str = ""
    minimum_version: str = ""


@frozen(kw_only=True)
class ExecutorSpec:
    """A way to run jobs.

    Parameters
    ----------
    name : str
        What users type as ``executor=``.
    target : str
        ``"package.module:Class"`` of the executor.
    title : str
        One line about it.
    """

    name: str = field(validator=_name)
    target: str
    title: str = ""


@frozen(kw_only=True)
class Recipe:
    """A named chain of processes: what ``arch.process()`` runs for a mission.

    Parameters
    ----------
    name : str
        Name of the chain, e.g. ``full_process_xmm``.
    processes : tuple of str
        Names of the processes whose products are wanted; what they need is added.
    missions : tuple of str
        Missions it serves; empty for any mission that has no recipe of its own.
    default : bool
        Whether ``arch.process()`` uses it.
    """

    name: str = field(validator=_name)
    processes: tuple[str, ...] = field(converter=_tuple)
    missions: tuple[str, ...] = field(default=(), converter=_tuple)
    default: bool = True


@frozen(kw_only=True)
class Want:
    """What is wanted of an observation.

    Parameters
    ----------
    raw : bool
        The files a reduction from scratch needs.
    products : bool
        The archive's own products.
    instruments : tuple of str
        Instruments chosen.
    kinds : tuple of str
        Kinds of products chosen, in the mission's words; empty for those it takes where nobody chooses.
    version : str, optional
        Version of the archive's processing that was chosen, for missions that offer several; None is the newest.
    """

    raw: bool = True
    products: bool = True
    instruments: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    version: str | None = None


def is_location(word: Any) -> bool:
    """Whether something names places to fetch from: ``https``, ``s3``, ``file``, or a mounted ``file:///...``."""
    return isinstance(word, str) and (
        word in ("https", "s3", "file") or re.match(r"file:///[^\s/]\S*\Z", word) is not None
    )


Unpack = Literal["none", "gzip", "compress", "tar", "auto"]


@frozen(kw_only=True)
class Location:
    """One of the places a file can be had from.

    Parameters
    ----------
    url : str
        Full address, ``https://...`` or ``file:///...``.
    kind : {"https", "s3", "file"}
        For the preference of ``locations=``.
    size : int, optional
        Exact bytes as served, where a listing tells.
    etag : str, optional
        Entity tag, where a listing tells.
    """

    url: str
    kind: Literal["https", "s3", "file"] = "https"
    size: int | None = None
    etag: str | None = None


@frozen(kw_only=True)
class RemoteFile:
    """A file of an observation, as a mission declares it. The mission says what; the core moves the bytes.

    Parameters
    ----------
    obs_id : str
        Observation it belongs to.
    path : str
        Where it is kept, relative to ``<mission>_raw/<ObsID>/``, with ``/``. For ``unpack`` of ``gzip`` and
        ``compress`` the name *after* unpacking; for ``tar`` and ``auto`` the directory that takes the members (``""``
        for the observation's own).
    locations : tuple of Location
        Alternatives, best first.
    unpack : {"none", "gzip", "compress", "tar", "auto"}
        ``auto`` looks at the reply: tar, compressed tar (a tar within it is opened too), or one bare file, whose name
        is that of the Content-Disposition header. Members' directories are dropped.
    members : tuple of str
        Shell patterns of the members to keep, by name without directory, or by the whole path within the tar where
        the pattern has a ``/``; empty keeps all. For ``tar`` and ``auto``.
    decompress_members : bool
        Whether members that are gzip files are kept uncompressed; ``.gz`` is dropped and ``.FTZ`` becomes ``.FIT``.
    part_of : {"raw", "products", "both"}
        Which wish it fulfils.
    required : bool
        Whether the observation is of no use without it.
    listed : bool
        Whether the name was read from a listing: then a 404 may be a passing fault, and is tried again.
    shared : bool
        Whether it is a tar from which several observations take their members: it is fetched once for all of them.
    about : int, optional
        Bytes as served, where a listing tells them rounded; for plans alone.
    """

    obs_id: str
    path: str
    locations: tuple[Location, ...] = field(converter=_all)
    unpack: Unpack = "none"
    members: tuple[str, ...] = field(default=(), converter=_tuple)
    decompress_members: bool = True
    part_of: Literal["raw", "products", "both"] = "both"
    required: bool = True
    listed: bool = True
    shared: bool = False
    about: int | None = None

    @property
    def url(self) -> str:
        """Address of the first location."""
        return self.locations[0].url


@frozen(kw_only=True)
class ProductLabel:
    """What a downloaded file is, in the archive's words.

    Parameters
    ----------
    kind : {"events", "image", "expmap", "backmap", "lightcurve", "gti"}
        Kind of product.
    path : str
        Path relative to the observation's raw directory.
    inst : str
        Instrument, or several joined by ``_`` where a file holds them together.
    subexp : str, optional
        Sub-exposure, for missions whose products are kept by sub-exposure.
    lo, hi : float, optional
        Energy band in keV.
    made_by : str, optional
        ``"package.module:function"`` that makes the product of the file, where it is not the file as it is:
        ``function(source, target, inst)`` with absolute paths as text. It runs in a thread.
    """

    kind: str
    path: str
    inst: str
    subexp: str | None = None
    lo: float | None = None
    hi: float | None = None
    made_by: str | None = None


@frozen(kw_only=True)
class Child:
    """A data id that a summary, or a download, brings to light.

    Parameters
    ----------
    name : str
        Instrument or sub-exposure.
    usable : bool
        Whether processes should use it.
    reason : str
        Why not.
    info : Mapping
        What the summary says of it; plain data.
    children : tuple of Child
        The level below.
    """

    name: str
    usable: bool = True
    reason: str = ""
    info: Mapping[str, Any] = field(factory=dict)
    children: tuple[Child, ...] = field(default=(), converter=_all)
