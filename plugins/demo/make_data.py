"""Make the demonstration's data: ``python make_data.py REAL REFERENCE [TARGET]``.

REAL is a directory with the original event lists and tables, REFERENCE one with the tables DAXA 0.3 displayed, both
laid out as the paths below say. Files are compressed as the archives serve them; the bytes depend on the input alone.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import re
import sys
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from daxa_chandra import testing as chandra
from daxa_nustar import testing as nustar
from daxa_rosat import testing as rosat
from daxa_xmm import testing as xmm

EVENT_LISTS = {
    "xmm/P0404910601M1S001MIEVLI0000.FTZ": "xmm/xga_testdata/0404910601/events/mos1_exp1_clean_evts.fits",
    "xmm/P0404910601M2S002MIEVLI0000.FTZ": "xmm/xga_testdata/0404910601/events/mos2_exp1_clean_evts.fits",
    "xmm/P0201903501M1S001MIEVLI0000.FTZ": "xmm/xga_testdata/0201903501/events/mos1_exp1_clean_evts.fits",
    "xmm/P0201903501M2S002MIEVLI0000.FTZ": "xmm/xga_testdata/0201903501/events/mos2_exp1_clean_evts.fits",
    "chandra/acisf10027N003_evt2.fits.gz": "chandra/events/chandra_test.fits",
    "rosat/rp800282n00_bas.fits.Z": "rosat/events/rosat.evt",
    "nustar/nu90410111001A06_cl.evt.gz": "nustar/events/nu90410111001A06_cl_sunpos.evt",
    "nustar/nu90410111001A_fpm.hk.gz": "nustar/hk/nu90410111001A_fpm.hk",
    "nustar/nu90410111001_chu123.fits.gz": "nustar/hk/nu90410111001_chu123.fits",
}

UNSAID = ""
"""What a displayed table does not tell of a row."""
CLASSES = {
    "GS": "CV",
    "CAL": "Calibration Observations",
    "SNR": "SNR",
    "NGS": "NON-ACTIVE GALAXY",
    "GCL": "CLUSTER OF GALAXIES",
    "AGN": "AGN UNCLASSIFIED",
    "EGE": "EXTENDED GALACTIC OR EXTRAGALACTIC",
}
SUBJECTS = {
    "AGN": "Active galaxies and Quasars",
    "CAL": "Calibration Observations",
    "GS": "Galactic Compact Sources",
    "TOO": "Non-Proposal ToOs",
    "MISC": UNSAID,
}
SUBJ_CATS = {"AGN": 7, "MISC": 10, "SNR": 5, "NGS": 6}


def seconds(text: str) -> float:
    """Seconds of a displayed duration such as ``2 days 05:26:00``."""
    match = re.fullmatch(r"(\d+) days (\d\d):(\d\d):(\d\d(?:\.\d+)?)", text)
    assert match is not None, text
    return int(match[1]) * 86400 + int(match[2]) * 3600 + int(match[3]) * 60 + float(match[4])


def displayed(path: Path) -> list[dict[str, str]]:
    """Rows of a displayed table."""
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def whole(number: float) -> float | int:
    """Whole numbers without a decimal point."""
    return int(number) if number == int(number) else number


def xmm_rows(reference: Path) -> Iterable[dict[str, Any]]:
    """ESA's table: what was displayed, and the three observations of Abell 907."""
    seen = set()
    for name in (
        "missions/all_obs_info/xmm_pointed",
        "phl1811/filtered_obs_info",
        "missions/save_reload_filtered_obs_info",
    ):
        for one in displayed(reference / f"{name}.csv"):
            if one["ObsID"] not in seen:
                seen.add(one["ObsID"])
                public = one["proprietary_end_date"]
                yield xmm.row(
                    one["ObsID"],
                    float(one["ra"]),
                    float(one["dec"]),
                    one["start"],
                    whole(seconds(one["duration"])),
                    revolution=int(one["revolution"]),
                    with_science=one["science_usable"].lower(),
                    proprietary_end_date=xmm.NO_DATE if public == "NaT" else public,
                    daxa_origin="recorded",
                )
    yield xmm.row(
        "0404910601",
        149.592084,
        -11.0597222,
        "2006-05-27 09:57:27",
        20710,
        revolution=1184,
        proprietary_end_date="2007-07-06 00:00:00",
        daxa_origin="header",
    )
    yield xmm.row(
        "0201901401",
        149.6005,
        -11.0868055555556,
        "2003-11-29 12:00:00",
        12000,
        revolution=727,
        proprietary_end_date="2005-01-01 00:00:00",
        daxa_origin="generated",
    )


def chandra_rows(reference: Path) -> Iterable[dict[str, Any]]:
    """HEASARC's ``chanmaster``: what was displayed, and M82."""
    for name in ("missions/all_obs_info/chandra", "case_studies/xxl_chandra_filtered_obs_info"):
        for one in displayed(reference / f"{name}.csv"):
            yield chandra.row(
                one["ObsID"],
                float(one["ra"]),
                float(one["dec"]),
                one["start"],
                whole(seconds(one["duration"])),
                detector=one["instrument"],
                grating=one["grating"],
                data_mode=one["data_mode"],
                public_date=int(chandra.mjd(one["proprietary_end_date"])),
                daxa_origin="recorded",
                type="TOO" if one["target_category"] == "TOO" else "GO",
                **{"class": CLASSES.get(one["target_category"], UNSAID), "name": UNSAID},
            )
    # From its header: DATE-OBS is terrestrial time, 65.184 s ahead of UTC then.
    yield chandra.row(
        "10027",
        148.959167,
        69.679722,
        "2008-10-04 00:43:01.816",
        18279.338652893,
        name="M82",
        detector="ACIS-S",
        data_mode="FAINT",
        public_date=55114,
        daxa_origin="header",
        **{"class": "NON-ACTIVE GALAXY"},
    )


def nustar_rows(reference: Path) -> Iterable[dict[str, Any]]:
    """HEASARC's ``numaster``: what was displayed, and the solar pointing."""
    for one in displayed(reference / "missions/all_obs_info/nustar_pointed.csv"):
        public = one["proprietary_end_date"]
        yield nustar.row(
            one["ObsID"],
            float(one["ra"]),
            float(one["dec"]),
            one["start"],
            one["end"],
            name=one["target_name"],
            subject_category=SUBJECTS[one["target_category"]],
            obs_type=UNSAID,
            daxa_origin="recorded",
            nupsdout=int(one["nupsdout"]),
            issue_flag=int(one["issue_flag"]),
            public_date=0 if public == "NaT" else int(nustar.mjd(public)),
            **{key: whole(seconds(one[key])) for key in ("exposure_a", "exposure_b", "ontime_a", "ontime_b")},
        )
    yield nustar.row(
        "90410111001",
        185.1188,
        -2.226,
        "2018-09-28 18:47:48",
        "2018-09-28 18:50:15",
        name="Sol_18271_Pos111",
        subject_category="Solar System Objects",
        exposure_a=70.0321908915824,
        ontime_a=101.0,
        exposure_b=0.0,
        ontime_b=0.0,
        public_date=58400,
    )


def rosat_rows(real: Path, reference: Path) -> Iterable[dict[str, Any]]:
    """HEASARC's ``rosmaster``: rows as it sent them, others as they were displayed, and NGC 1961 from its header."""
    from astropy.coordinates import SkyCoord
    from astropy.table import Table

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "mjd" is not a unit of the FITS standard
        table = Table.read(real / "rosat/tables/rosmaster_1000rows_allfields.fits")
    apart = SkyCoord(table["RA"], table["DEC"], unit="deg").separation(SkyCoord(85.88, 69.26986, unit="deg")).deg
    seen = set()
    for one in table[apart > 3][:300]:
        text = {
            key: str(one[key.upper()]).strip()
            for key in ("seq_id", "instrument", "name", "filter", "fits_type", "site")
        }
        seen.add(text["seq_id"])
        numbers = {key: int(one[key.upper()]) for key in ("exposure", "proc_rev", "subj_cat")}
        floats = {key: float(str(one[key.upper()])) for key in ("ra", "dec", "start_time", "end_time")}
        yield {**text, **numbers, **floats, "daxa_origin": "recorded"}
    for name in ("missions/all_obs_info/rosat_pointed", "case_studies/m51_rosat_pointed_filtered_obs_info"):
        for one in displayed(reference / f"{name}.csv"):
            if one["ObsID"] not in seen:
                seen.add(one["ObsID"])
                yield rosat.row(
                    one["ObsID"],
                    float(one["ra"]),
                    float(one["dec"]),
                    one["start"],
                    one["end"],
                    exposure=int(seconds(one["duration"])),
                    instrument=one["instrument"],
                    name=one["target_name"],
                    filter=one["with_filter"],
                    proc_rev=int(one["proc_rev"]),
                    fits_type=one["fits_type"],
                    site=UNSAID,
                    subj_cat=SUBJ_CATS[one["target_category"]],
                    daxa_origin="recorded",
                )
    yield rosat.row(
        "RP800282N00",
        85.88,
        69.26986,
        "1993-03-08 10:30:32",
        "1993-03-11 05:02:18",
        exposure=14766,
        instrument="PSPCB",
        name="NGC 1961",
        fits_type="PROS",
        subj_cat=6,
        proc_rev=0,
        site=UNSAID,
        daxa_origin="header",
    )


def survey_rows(reference: Path) -> Iterable[dict[str, Any]]:
    """HEASARC's ``rassmaster``: what was displayed."""
    for one in displayed(reference / "missions/all_obs_info/rosat_all_sky.csv"):
        yield rosat.survey_row(
            one["ObsID"],
            float(one["ra"]),
            float(one["dec"]),
            one["start"],
            one["end"],
            exposure=int(seconds(one["duration"])),
            daxa_origin="recorded",
        )


def write_table(path: Path, columns: Iterable[Any], rows: Iterable[Mapping[str, Any]]) -> None:
    """Write a table's rows as text."""
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, [column.name for column in columns], lineterminator="\n")
        writer.writeheader()
        for one in rows:
            writer.writerow({key: "" if value is None else value for key, value in one.items()})


def compressed(name: str, content: bytes) -> bytes:
    """Compress as a name's ending says."""
    if name.endswith(".Z"):
        import ncompress

        return bytes(ncompress.compress(content))
    return gzip.compress(content, 9, mtime=0)


def main(real: Path, reference: Path, target: Path) -> None:
    """Write everything, and print the checksums for the README."""
    tables = target / "catalogues"
    tables.mkdir(parents=True, exist_ok=True)
    write_table(tables / "v_all_observations.csv", xmm.XSA_COLUMNS, xmm_rows(reference))
    write_table(tables / "chanmaster.csv", chandra.COLUMNS, chandra_rows(reference))
    write_table(tables / "numaster.csv", nustar.COLUMNS, nustar_rows(reference))
    write_table(tables / "rosmaster.csv", rosat.POINTED_COLUMNS, rosat_rows(real, reference))
    write_table(tables / "rassmaster.csv", rosat.SURVEY_COLUMNS, survey_rows(reference))
    for name, origin in EVENT_LISTS.items():
        path = target / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(compressed(name, (real / origin).read_bytes()))
    for path in sorted(target.rglob("*")):
        if path.is_file() and path.suffix not in (".md", ".txt", ".py"):
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            print(f"| {path.relative_to(target)} | {path.stat().st_size} | `{digest}` |")


if __name__ == "__main__":
    given = [Path(one) for one in sys.argv[1:]]
    main(given[0], given[1], given[2] if len(given) > 2 else Path(__file__).parent / "src" / "daxa_demo" / "data")
