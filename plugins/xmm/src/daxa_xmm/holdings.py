"""What the archives hold of an observation: queries of ESA's servlet, names of files at HEASARC, and what files are."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode

from daxa.api import Location, Net, ProductLabel, RemoteFile, Want

EPIC: Final = ("M1", "M2", "PN")
"""The cameras; only they have event lists and images."""

EVENT_LISTS: Final = {"M1": "MIEVLI", "M2": "MIEVLI", "PN": "PIEVLI"}
"""Names of the pipeline's imaging event lists, by camera (XMM-Newton Data Files Handbook)."""

MAPS: Final = {"images": "IMAGE_", "expmaps": "EXPMAP"}
"""Names of the pipeline's products in energy bands, by kind."""

KINDS: Final = ("events", *MAPS)
"""Kinds of products that can be chosen."""

BANDS: Final = {
    (0.2, 12.0): "8", (0.2, 0.5): "1", (0.5, 1.0): "2", (1.0, 2.0): "3", (2.0, 4.5): "4", (4.5, 12.0): "5",
}  # fmt: skip
"""Energy bands of images and exposure maps in keV, with the digit that names them."""

TITLES: Final = {"events": "event list", "images": "image", "expmaps": "exposure map"}

PRODUCTS: Final = "PPS"
"""Directory of the pipeline's products below an observation's own; the files of its ODF lie in that itself."""

TEMPLATES: Final = {
    "events": dict.fromkeys(EPIC, PRODUCTS + "/P{oi}{i}????[MP]IEVLI*.FIT"),
    "image": dict.fromkeys(EPIC, PRODUCTS + "/P{oi}{i}????IMAGE_{eb}000.FIT"),
    "expmap": dict.fromkeys(EPIC, PRODUCTS + "/P{oi}{i}????EXPMAP{eb}000.FIT"),
}
"""Where products lie that were chosen, by kind and camera."""

_LABELS: Final = {"MIEVLI": "events", "PIEVLI": "events", "IMAGE_": "image", "EXPMAP": "expmap"}
_NAME: Final = re.compile(
    r"P(?P<obs>\d{10})(?P<inst>M1|M2|PN)(?P<subexp>[SUX]\d{3})(?P<what>[MP]IEVLI|IMAGE_|EXPMAP)(?P<slice>\w)\w{3}"
    r"\.(FIT|FTZ|fits)\Z"
)


class Query(NamedTuple):
    """Something of an observation: what ESA's servlet sends for it, and the names of its files at HEASARC.

    Parameters
    ----------
    title : str
        What it is, for messages.
    level : {"ODF", "PPS"}
        Which directory at HEASARC has its files.
    packed : RemoteFile
        What the servlet sends.
    wanted : re.Pattern
        Names of its files at HEASARC.
    """

    title: str
    level: str
    packed: RemoteFile
    wanted: re.Pattern[str]


def address(net: Net, **query: str) -> str:
    """Address of a query of ESA's download servlet."""
    return f"{net.url('XSA').rstrip('/')}/data-action-aio?{urlencode(query)}"


def queries(net: Net, obs_id: str, want: Want) -> Iterator[Query]:
    """What to ask for of an observation."""
    if want.raw:
        yield _odf(net, obs_id, want.instruments)
    if want.products:
        for kind in want.kinds or ("events",):
            for inst in want.instruments:
                if inst in EPIC:
                    yield _pipeline(net, obs_id, inst, kind)


def _odf(net: Net, obs_id: str, instruments: Sequence[str]) -> Query:
    """The data as they came down, of the chosen instruments and of the spacecraft.

    The servlet packs all of them. What is kept of it is written behind the address, where no server sees it: with
    other instruments it is another file.
    """
    kinds = (*instruments, "SC")
    members = ("*MANIFEST*", *(f"*_{obs_id}_{kind}*" for kind in kinds))
    url = f"{address(net, obsno=obs_id, level='ODF')}#{'+'.join(sorted(instruments))}"
    packed = _packed(obs_id, url, "", members, "raw")
    return Query("ODF", "ODF", packed, re.compile(rf"MANIFEST|_{obs_id}_({'|'.join(kinds)})"))


def _pipeline(net: Net, obs_id: str, inst: str, kind: str) -> Query:
    """Products of the pipeline of a camera: of each sub-exposure one, or one a band."""
    name = MAPS.get(kind, EVENT_LISTS[inst])
    piece = f"[{''.join(sorted(BANDS.values()))}]000" if kind in MAPS else "????"
    url = address(net, obsno=obs_id, level="PPS", instname=inst, name=name, extension="FTZ")
    packed = _packed(obs_id, url, PRODUCTS, (f"P{obs_id}{inst}*{name}{piece}.*",), "products")
    wanted = re.compile(rf"^P{obs_id}{inst}[SUX]\d{{3}}{name}{piece.replace('?', chr(92) + 'w')}\.FTZ$")
    return Query(f"{TITLES[kind]} of {inst}", "PPS", packed, wanted)


def _packed(obs_id: str, url: str, path: str, members: Sequence[str], part_of: Any) -> RemoteFile:
    """What the servlet sends for a query, whatever its form."""
    return RemoteFile(
        obs_id=obs_id,
        path=path,
        locations=(Location(url=url),),
        unpack="auto",
        members=tuple(members),
        part_of=part_of,
        listed=False,
    )


def labels(obs: Mapping[str, Any], paths: Sequence[str]) -> list[ProductLabel]:
    """Say what downloaded files are: event lists, images and exposure maps, each of a sub-exposure."""
    energies = {token: band for band, token in BANDS.items()}
    found = []
    for path in sorted(paths):
        name = _NAME.match(PurePosixPath(path).name)
        if name is None or name["obs"] != obs["ObsID"]:
            continue
        kind, (lo, hi) = _LABELS[name["what"]], energies.get(name["slice"], (None, None))
        if kind == "events":
            if EVENT_LISTS[name["inst"]] == name["what"]:
                found.append(ProductLabel(kind=kind, path=path, inst=name["inst"], subexp=name["subexp"]))
        elif lo is not None:
            label = ProductLabel(kind=kind, path=path, inst=name["inst"], subexp=name["subexp"], lo=lo, hi=hi)
            found.append(label)
    return found
