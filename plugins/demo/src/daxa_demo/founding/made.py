"""Files that stand in for those of real observations: small, generated, with the names that the archives give them."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from daxa_demo.sky import DATA

if TYPE_CHECKING:
    from daxa_testing.sky import Sky

_RDF: Final = {"HRI": ("anc", "bas", "bk1", "im1")}
_PSPC: Final = ("anc", "bas", "bk1", "bk2", "bk3", "im1", "im2", "im3", "mex")
_CHANDRA_RAW: Final = ("evt1", "mtl1", "flt1", "bpix1", "msk1", "stat1")


def add_files_of(sky: Sky, mission: str, obs: Mapping[str, Any]) -> None:
    """Give a sky files of an observation.

    Parameters
    ----------
    sky : Sky
        The sky.
    mission : str
        Internal name of the mission.
    obs : Mapping
        ``ObsID``; for XMM-Newton ``revolution``, ``start`` (ISO), ``seconds``, ``ra`` and ``dec`` (degrees), for
        others their ``instrument``.
    """
    _MAKERS[mission](sky, obs)


@cache
def _fits(kind: str) -> bytes:
    """A FITS file with a little of what its kind holds; written by hand, so that a sky is quickly made."""
    told = [f"CONTENT = '{kind:<8}'", "HISTORY generated, not observed"]
    if kind in ("image", "expmap", "backmap"):
        axes = ["NAXIS   =                    2", "NAXIS1  =                   48", "NAXIS2  =                   60"]
        return _block(["SIMPLE  =                    T", "BITPIX  =                    8", *axes, *told]) + bytes(2880)
    primary = _block(
        ["SIMPLE  =                    T", "BITPIX  =                    8", "NAXIS   =                    0", *told]
    )
    table = [
        "XTENSION= 'BINTABLE'", "BITPIX  =                    8", "NAXIS   =                    2",
        "NAXIS1  =                    8", "NAXIS2  =                  360", "PCOUNT  =                    0",
        "GCOUNT  =                    1", "TFIELDS =                    1", "TTYPE1  = 'TIME    '",
        "TFORM1  = 'D       '", "TUNIT1  = 's       '", f"EXTNAME = '{'EVENTS' if kind == 'events' else 'DATA':<8}'",
    ]  # fmt: skip
    return primary + _block(table) + bytes(2880)


def _block(cards: list[str]) -> bytes:
    return "".join(f"{card:<80}" for card in [*cards, "END"]).ljust(2880).encode()


@cache
def _packed(kind: str) -> bytes:
    return gzip.compress(_fits(kind), mtime=0)


@cache
def _squeezed(kind: str) -> bytes:
    import ncompress

    packed: bytes = ncompress.compress(_fits(kind))
    return packed


def _xmm(sky: Sky, obs: Mapping[str, Any]) -> None:
    from daxa_demo.founding.phl1811 import POINTINGS, exposures
    from daxa_xmm.testing import add_files, sas

    obs_id = str(obs["ObsID"])
    ra, dec = POINTINGS.get(obs_id, (float(obs["ra"]), float(obs["dec"])))
    raw = sas.odf(
        obs_id,
        exposures(obs_id),
        revolution=int(obs["revolution"]),
        start=str(obs["start"]),
        duration=float(obs["seconds"]),
        ra=ra,
        dec=dec,
        frame="ICRS",  # as whatever read the tutorial's images took them to be: its regions are recorded so
    )
    add_files(sky, obs_id, odf=raw)


def _chandra(sky: Sky, obs: Mapping[str, Any]) -> None:
    from daxa_chandra.testing import add_files

    obs_id = str(obs["ObsID"])
    head = f"{'hrc' if obs['instrument'] == 'HRC' else 'acis'}f{int(obs_id):05d}"
    files = {
        "oif.fits": _fits("index"),
        f"primary/{head}N003_evt2.fits.gz": _packed("events"),
        f"primary/{head}N003_full_img2.fits.gz": _packed("image"),
        **{f"secondary/{head}_000N003_{kind}.fits.gz": _packed(kind) for kind in _CHANDRA_RAW},
    }
    add_files(sky, obs_id, files)


def _nustar(sky: Sky, obs: Mapping[str, Any]) -> None:
    from daxa_nustar.testing import add_files

    obs_id = str(obs["ObsID"])
    files = {
        f"nu{obs_id}.cat.gz": _packed("catalogue"),
        f"auxil/nu{obs_id}_att.fits.gz": _packed("attitude"),
        f"hk/nu{obs_id}_chu123.fits.gz": _packed("housekeeping"),
    }
    for module in "AB":
        files |= {
            f"event_uf/nu{obs_id}{module}_uf.evt.gz": _packed("events"),
            f"event_cl/nu{obs_id}{module}01_cl.evt.gz": _packed("events"),
            f"event_cl/nu{obs_id}{module}01_sk.img.gz": _packed("image"),
        }
    add_files(sky, obs_id, files)


def _rosat(sky: Sky, obs: Mapping[str, Any]) -> None:
    from daxa_rosat.testing import add_files

    obs_id = str(obs["ObsID"])
    kinds = {"bas": "events", "mex": "expmap"}
    files = {}
    for part in _RDF.get(str(obs["instrument"]), _PSPC):
        kind = kinds.get(part, {"im": "image", "bk": "backmap"}.get(part[:2], "ancillary"))
        files[f"{obs_id.lower()}_{part}.fits.Z"] = _squeezed(kind)
    add_files(sky, obs_id, files)


def _erass(sky: Sky, obs: Mapping[str, Any]) -> None:
    from daxa_erosita.testing import add_tile

    obs_id = str(obs["ObsID"])
    head = f"em01_{obs_id}_02"
    files = {f"EXP_010/{head}0_EventList_c010.fits.gz": _packed("events")}
    for band in range(1, 8):
        files[f"EXP_010/{head}{band}_Image_c010.fits.gz"] = _packed("image")
        files[f"DET_010/{head}{band}_ExposureMap_c010.fits.gz"] = _packed("expmap")
    for band in range(1, 5):
        files[f"DET_010/{head}{band}_BackgrImage_c010.fits.gz"] = _packed("backmap")
    add_tile(sky, obs_id, files)


_MAKERS: Final[Mapping[str, Callable[[Sky, Mapping[str, Any]], None]]] = {
    "xmm_pointed": _xmm,
    "chandra": _chandra,
    "nustar_pointed": _nustar,
    "rosat_pointed": _rosat,
    "rosat_all_sky": _rosat,
    "erosita_all_sky_de_dr1": _erass,
}


def contribute(sky: Sky) -> None:
    """Add to a sky files of the tutorial's observations.

    Parameters
    ----------
    sky : Sky
        The sky.
    """
    import csv

    with (DATA / "catalogues" / "founding.csv").open(newline="", encoding="utf-8") as stream:
        for one in csv.DictReader(stream):
            add_files_of(sky, one["mission"], one)
    add_files_of(sky, "erosita_all_sky_de_dr1", {"ObsID": "304147"})
