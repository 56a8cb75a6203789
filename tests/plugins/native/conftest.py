"""Real lists, unpacked once, and small generated ones that have what the real ones at hand lack."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

DATA = Path(__file__).parents[2] / "data" / "native"


@pytest.fixture(scope="session")
def real(tmp_path_factory):
    """Path of a real file by its name without ``.gz``."""
    directory = tmp_path_factory.mktemp("real")

    def unpack(name: str) -> Path:
        target = directory / name
        if not target.exists():
            target.write_bytes(gzip.decompress((DATA / f"{name}.gz").read_bytes()))
        return target

    return unpack


@pytest.fixture
def edited(real, tmp_path):
    """A copy of a real file after a change to its HDUs."""

    def edit(name: str, change) -> Path:
        target = tmp_path / name
        with fits.open(real(name), memmap=False) as file:
            changed = change(file) or file
            fits.HDUList(list(changed)).writeto(target, output_verify="silentfix+ignore", overwrite=True)
        return target

    return edit


def gti(name: str, intervals, **keywords) -> fits.BinTableHDU:
    """A table of good times."""
    start, stop = np.array(intervals, dtype=float).T
    hdu = fits.BinTableHDU.from_columns(
        [fits.Column("START", "D", unit="s", array=start), fits.Column("Stop", "D", unit="s", array=stop)], name=name
    )
    hdu.header.update(keywords)
    return hdu


def sky_keywords(header, x: int, y: int, reference: float, step: float, kind: str = "TAN") -> None:
    """World coordinates of two columns, around (150, 2)."""
    for index, name, value, sign in ((x, "RA-", 150.0, -1), (y, "DEC", 2.0, 1)):
        header[f"TCTYP{index}"] = f"{name}--{kind}"
        header[f"TCRPX{index}"], header[f"TCRVL{index}"] = reference, value
        header[f"TCDLT{index}"] = sign * step


@pytest.fixture
def write(tmp_path):
    """Write HDUs to a file."""

    def write_file(*hdus, name: str = "list.fits") -> Path:
        path = tmp_path / name
        fits.HDUList([fits.PrimaryHDU(), *hdus]).writeto(path, overwrite=True)
        return path

    return write_file


@pytest.fixture
def nustar(write):
    """A generated list of NuSTAR's mode 01, with one event outside the metrology and one beyond the band."""
    columns = [
        fits.Column("TIME", "D", array=[10.0, 20.0, 30.0, 40.0, 250.0, 60.0]),
        fits.Column("PI", "J", null=-4095, array=[35, 1910, 500, -4095, 500, 1911]),
        fits.Column("GRADE", "I", array=[0, 26, 3, 1, 0, 0]),
        fits.Column("X", "I", null=-1, array=[1, 1000, -1, 500, 500, 500]),
        fits.Column("Y", "I", null=-1, array=[1, 1000, -1, 500, 500, 500]),
    ]
    hdu = fits.BinTableHDU.from_columns(columns, name="EVENTS")
    sky_keywords(hdu.header, 4, 5, 500.5, 6.828e-4)
    for index in (4, 5):
        hdu.header[f"TLMIN{index}"], hdu.header[f"TLMAX{index}"] = 1, 1000
    hdu.header.update(
        TELESCOP="NuSTAR", INSTRUME="FPMA", OBS_ID="00000000001", OBJECT="GENERATED", MJDREFI=55197,
        MJDREFF=7.6601852e-4, TIMESYS="TT", ONTIME=100.0, LIVETIME=70.0, EXPOSURE=70.0, RADECSYS="FK5", EQUINOX=2000.0,
    )  # fmt: skip
    return write(hdu, gti("GTI", [(0.0, 100.0)]))


@pytest.fixture
def erosita(write):
    """A generated list with eROSITA's oddities: scaled RA and Dec, float PI, signed FLAG, good times per module."""
    corrupt = np.array([0xC0000000], dtype=np.uint32).view(np.int32)[0]
    time = [10.0, 20.0, 150.0, 150.0, 30.0, 40.0, 50.0, 60.0, 70.0]
    columns = [
        fits.Column("TIME", "D", array=time),
        fits.Column("RA", "D", unit="deg", bscale=1e-6, array=[150.0] * 8 + [0.0]),
        fits.Column("DEC", "D", unit="deg", bscale=1e-6, array=[2.0] * 8 + [0.0]),
        fits.Column("X", "D", array=[-1.0, 0.0, 79.0, 80.0, 0.0, 0.0, 0.0, 0.0, 0.0]),
        fits.Column("Y", "D", array=[-1.0, 0.0, 79.0, 80.0, 0.0, 0.0, 0.0, 0.0, 0.0]),
        fits.Column("PI", "E", unit="deg", array=[500.0, 2000.0, 700.0, 700.0, -5.0, 700.0, 700.0, 700.0, 700.0]),
        fits.Column("PAT_TYP", "I", array=[1, 4, 2, 2, 1, 5, 1, 1, 1]),
        fits.Column("TM_NR", "B", array=[1, 2, 1, 2, 1, 1, 1, 3, 1]),
        fits.Column("FLAG", "J", unit="deg", array=np.array([2, 2, 2, 2, 2, 2, corrupt, 2, 2], dtype=np.int32)),
    ]
    hdu = fits.BinTableHDU.from_columns(columns, name="EVENTS")
    sky_keywords(hdu.header, 4, 5, 0.0, 0.05 / 3600, "SIN")
    hdu.header.update(
        TELESCOP="eROSITA", INSTRUME="MERGED", OBS_ID="000001", MJDREF=51543.875, TIMESYS="TT", RADECSYS="ICRS",
        OBS_MODE="POINTING",
    )  # fmt: skip
    tables = [gti("GTI1", [(0.0, 100.0)]), gti("GTI2", [(0.0, 200.0)])]
    dead = [
        fits.BinTableHDU.from_columns(
            [fits.Column("TIME", "D", array=[50.0, 500.0]), fits.Column("DEADC", "E", array=[0.9, 0.1])],
            name=f"DEADCOR{module}",
        )
        for module in (1, 2)
    ]
    return write(hdu, *tables, *dead)


@pytest.fixture
def acis(write):
    """A generated list of two ACIS chips whose good times, told apart by HDUNAME, stand in the wrong order."""
    status = np.zeros((6, 32), dtype=bool)
    status[5, 3] = True
    columns = [
        fits.Column("time", "D", array=[10.0, 150.0, 10.0, 150.0, 20.0, 20.0]),
        fits.Column("ccd_id", "I", array=[7, 7, 3, 3, 7, 7]),
        fits.Column("x", "E", array=[4096.5, 4100.0, 4000.0, 4200.0, 4096.0, 4096.0]),
        fits.Column("y", "E", array=[4096.5, 4100.0, 4000.0, 4200.0, 4096.0, 4096.0]),
        fits.Column("energy", "E", array=[500.0, 1000.0, 2000.0, 1500.0, 1000.0, 1000.0]),
        fits.Column("pi", "J", null=0, array=[35, 69, 137, 103, 69, 69]),
        fits.Column("grade", "I", array=[0, 2, 3, 6, 5, 0]),
        fits.Column("status", "32X", array=status),
    ]
    hdu = fits.BinTableHDU.from_columns(columns, name="EVENTS")
    sky_keywords(hdu.header, 3, 4, 4096.5, 0.492 / 3600)
    for index in (3, 4):
        hdu.header[f"TLMIN{index}"], hdu.header[f"TLMAX{index}"] = 0.5, 8192.5
    hdu.header.update(
        TELESCOP="CHANDRA", INSTRUME="ACIS", OBS_ID="1", MJDREF=50814.0, TIMESYS="TT", RADESYS="ICRS", CONTENT="EVT2",
        ONTIME=200.0, LIVETIME=180.0, EXPOSURE=180.0, ONTIME7=200.0, ONTIME3=100.0,
    )  # fmt: skip
    subspace = (
        ("DSTYP1", "time"), ("DSVAL1", "TABLE"), ("DSREF1", ":GTI7"), ("DSTYP2", "ccd_id"), ("DSVAL2", "7:7"),
        ("2DSREF1", ":GTI3"), ("2DSVAL2", "3:3"),
    )  # fmt: skip
    for keyword, value in subspace:
        hdu.header[keyword] = value
    tables = [
        gti("GTI", [(0.0, 100.0)], EXTVER=3, HDUNAME="GTI3", CCD_ID=3),
        gti("GTI", [(0.0, 200.0)], EXTVER=7, HDUNAME="GTI7", CCD_ID=7),
    ]
    return write(hdu, *tables)
