"""Generated observations of four missions, and the files that a download of all of them leaves on disk.

XMM-Newton's are ESA's, in one reply of its servlet each kind; the others lie one by one at HEASARC.
"""

from __future__ import annotations

import gzip
import hashlib
import random
from dataclasses import dataclass, field

import ncompress

import daxa_chandra.testing
import daxa_nustar.testing
import daxa_rosat.testing
import daxa_xmm.testing
from daxa_testing.sky import Sky


def fits_of(chance: random.Random) -> bytes:
    """A FITS file of two to ten blocks, different every time."""
    size = chance.randint(1, 9) * 2880
    cards = (
        "SIMPLE  =                    T",
        "BITPIX  =                    8",
        "NAXIS   =                    1",
        f"NAXIS1  = {size:20d}",
        "END",
    )
    noise = chance.randbytes(256)
    return "".join(card.ljust(80) for card in cards).encode().ljust(2880) + (noise * (size // 256 + 1))[:size]


def _same(content: bytes) -> bytes:
    return content


def _gzip(content: bytes) -> bytes:
    return gzip.compress(content, 1, mtime=0)


_PACK = {"": _same, ".gz": _gzip, ".Z": ncompress.compress, ".FTZ": _gzip}


@dataclass
class FourMissions:
    """A sky with observations of four missions.

    ``expected`` holds, by path below the output directory, the hash of every file that is to be there.
    """

    observations: int
    seed: int = 0
    sky: Sky = field(default_factory=Sky)
    expected: dict[str, str] = field(default_factory=dict)
    served: int = 0

    def __post_init__(self) -> None:
        self._chance = random.Random(self.seed)
        for number in range(self.observations):
            (self._xmm, self._chandra, self._nustar, self._rosat)[number % 4](number)

    def _position(self) -> tuple[float, float]:
        return self._chance.uniform(0.0, 360.0), self._chance.uniform(-80.0, 80.0)

    def _file(self, ending: str, kept: str | None) -> bytes:
        """Make a file as it is served; `kept` is where it is on disk, and the hash there is that of what is inside."""
        content = fits_of(self._chance)
        packed = _PACK[ending](content)
        if kept is not None:
            self.expected[kept] = hashlib.sha256(
                content if kept.endswith((".fits", ".FIT", ".evt")) else packed
            ).hexdigest()
        self.served += 1
        return packed

    def _xmm(self, number: int) -> None:
        obs_id = f"01{number:08d}"
        root = f"xmm_pointed_raw/{obs_id}"
        odf, pps = {}, {}
        for inst in ("M1", "M2", "PN"):
            for part in ("AUX", "IME", "CCX"):
                name = f"1000_{obs_id}_{inst}S001000{part[0]}{part[1:]}.FIT"
                odf[name] = self._file("", f"{root}/{name}")
            kind = "PIEVLI" if inst == "PN" else "MIEVLI"
            name = f"P{obs_id}{inst}S001{kind}0000"
            pps[f"{name}.FTZ"] = self._file(".FTZ", f"{root}/PPS/{name}.FIT")
        for part in ("ATS", "TCS"):
            name = f"1000_{obs_id}_SCX00000{part}.FIT"
            odf[name] = self._file("", f"{root}/{name}")
        name = f"1000_{obs_id}_OMX00000PAX.FIT"  # of an instrument that is not wanted
        odf[name] = self._file("", None)
        daxa_xmm.testing.add_observation(
            self.sky, obs_id, *self._position(), "2005-01-01 00:00:00", 20_000.0, pps=pps, odf=odf
        )
        self.expected[f"{root}/MANIFEST.000001"] = hashlib.sha256(b"").hexdigest()

    def _chandra(self, number: int) -> None:
        obs_id = f"{10_000 + number}"
        root = f"chandra_raw/{obs_id}"
        files = {"oif.fits": self._file("", f"{root}/oif.fits")}
        for place, infix, kinds in (
            ("primary", "", ("evt2", "bpix1", "fov1", "cntr_img2", "full_img2")),
            ("secondary", "_000", ("evt1", "mtl1", "bias0", "flt1", "msk1", "stat1")),
        ):
            for kind in kinds:
                name = f"{place}/acisf{obs_id}{infix}N001_{kind}.fits"
                files[f"{name}.gz"] = self._file(".gz", f"{root}/{name}")
        daxa_chandra.testing.add_observation(self.sky, obs_id, *self._position(), "2005-01-01T00:00:00", 2e4, files)

    def _nustar(self, number: int) -> None:
        obs_id = f"60{number:06d}002"
        root = f"nustar_pointed_raw/{obs_id}"
        files = {f"nu{obs_id}.cat.gz": self._file(".gz", f"{root}/{obs_id}_cat.fits")}
        for name in (
            "auxil/nu{}_att.fits.gz", "auxil/nu{}_orb.fits.gz", "auxil/nu{}_mast.fits.gz", "hk/nu{}A_fpm.hk.gz",
            "hk/nu{}B_fpm.hk.gz", "event_uf/nu{}A_uf.evt.gz", "event_uf/nu{}B_uf.evt.gz", "event_cl/nu{}A01_cl.evt.gz",
            "event_cl/nu{}B01_cl.evt.gz", "event_cl/nu{}A06_cl.evt.gz", "event_cl/nu{}B06_cl.evt.gz",
        ):  # fmt: skip
            kept = name.removesuffix(".gz") if name.endswith(".evt.gz") else name
            files[name.format(obs_id)] = self._file(".gz", f"{root}/{kept.format(obs_id)}")
        daxa_nustar.testing.add_observation(
            self.sky, obs_id, *self._position(), "2015-01-01T00:00:00", "2015-01-02T00:00:00", files
        )

    def _rosat(self, number: int) -> None:
        obs_id = f"RP8{number:05d}N00"
        root = f"rosat_pointed_raw/{obs_id}"
        files = {}
        for kind in ("anc", "bas", "im1", "im2", "im3", "bk1", "bk2", "bk3", "mex"):
            name = f"{obs_id.lower()}_{kind}.fits"
            files[f"{name}.Z"] = self._file(".Z", f"{root}/{name}")
        daxa_rosat.testing.add_observation(
            self.sky, obs_id, *self._position(), "1992-01-01T00:00:00", "1992-01-02T00:00:00", files
        )
