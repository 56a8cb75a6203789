"""What the demonstration does, written as a user would write it."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from attrs import define, field

from daxa.archive import Archive
from daxa.mission import Chandra, NuSTARPointed, ROSATPointed, XMMPointed

ARCHIVE: Final = "demo"

EXPECTED_OBSERVATIONS: Final[Mapping[str, list[str]]] = {
    "xmm_pointed": ["0201901401", "0201903501", "0404910601"],
    "chandra": ["10027"],
    "rosat_pointed": ["RP800282N00"],
    "nustar_pointed": ["90410111001"],
}
"""What the names and ObsIDs of the demonstration select."""

EXPECTED_PICTURES: Final = {
    ("xmm_pointed", "0201903501", "M1"),
    ("xmm_pointed", "0201903501", "M2"),
    ("xmm_pointed", "0404910601", "M1"),
    ("xmm_pointed", "0404910601", "M2"),
    ("chandra", "10027", "ACIS"),
    ("rosat_pointed", "RP800282N00", "PSPCB"),
}
"""What there must be a picture of. There is none of NuSTAR's solar pointing: its columns are centred on the Sun."""

EXPECTED_FAILURES: Final = {
    ("xmm_pointed", "0201901401", "download"): "no ",
    ("nustar_pointed", "90410111001", "image"): "celestial",
}
"""What must fail, with a word of the reason."""

KINDS: Final = ("events", "image", "lightcurve", "gti", "quicklook")


@define
class Told:
    """What the demonstration did.

    Parameters
    ----------
    report : Mapping
        What ``--json`` prints.
    differences : list of str
        In what it differs from what it should be.
    interrupted : bool
        Whether it was stopped by Ctrl-C.
    """

    report: Mapping[str, Any]
    differences: list[str] = field(factory=list)
    interrupted: bool = False


async def tell(out: Path, *, quiet: bool = False) -> Told:
    """Take real observations from a name to a picture.

    Parameters
    ----------
    out : Path
        Output root, for the last lines.
    quiet : bool
        Whether standard output is kept for a JSON line; the story then goes to standard error.
    """
    with contextlib.redirect_stdout(sys.stderr if quiet else sys.stdout):
        return await _tell(out)


async def _tell(out: Path) -> Told:
    print("Selecting observations: Abell 907 with XMM-Newton, M82 with Chandra, NGC 1961 with ROSAT, a NuSTAR ObsID.")
    xm, ch, ro, nu = XMMPointed(), Chandra(), ROSATPointed(), NuSTARPointed()
    await asyncio.gather(
        xm.filter_on_name("Abell 907"),
        ch.filter_on_name("M82"),
        ro.filter_on_name("NGC 1961"),
        nu.filter_on_obs_ids("90410111001"),
    )

    print("Fetching their event lists, and declaring an archive of them.")
    async with Archive(
        ARCHIVE, [xm, ch, ro, nu], download_products=True, download_raw=False, on_error="collect"
    ) as archive:
        archive.info()
        print("(Made under the offline sky, not from the real archives.)")
        print("Reducing: cleaned event lists, images, pictures.")
        summary = await archive.process()
        report = _report(archive)
        _show(archive, report, out)
        differences = [] if summary.interrupted else _differences(report)
        return Told(report, differences, summary.interrupted)


def _report(archive: Archive) -> dict[str, Any]:
    tasks, products = archive.tasks(), archive.products()
    states = tasks["state"].value_counts()
    bad = tasks[
        tasks["state"].isin(["failed", "timed_out"])
        | ((tasks["process"] == "download") & (tasks["state"] == "no_data"))
    ]
    downloads = [mission.download_summary() for mission in archive.missions]
    return {
        "archive_path": archive.archive_path,
        "missions": archive.mission_names,
        "observations": {mission.name: sorted(map(str, mission.filtered_obs_ids)) for mission in archive.missions},
        "files": sum(files for files, _size in downloads),
        "bytes": sum(size for _files, size in downloads),
        "tasks": {state: int(states.get(state, 0)) for state in _STATES},
        "failures": [
            {"mission": row.mission, "obs_id": row.obs_id, "process": row.process, "cause": row.cause}
            for row in bad.itertuples()
        ],
        "products": [
            {
                "mission": row.mission,
                "obs_id": row.obs_id,
                "inst": _text(row.inst),
                "subexp": _text(row.subexp),
                "kind": row.kind,
                "path": row.path,
            }
            for row in products[products["kind"].isin(KINDS)].itertuples()
        ],
    }


def _text(value: Any) -> str | None:
    """Text, or None where a table has a gap."""
    return value if isinstance(value, str) else None


_STATES: Final = ("succeeded", "reused", "no_data", "failed", "timed_out", "blocked", "cancelled", "interrupted")


def _show(archive: Archive, report: Mapping[str, Any], out: Path) -> None:
    """Print the outcome, with reasons, and where things are."""
    tasks = archive.tasks()
    print("What became of it:")
    for (mission, process), group in tasks.groupby(["mission", "process"], sort=False):
        counts = ", ".join(
            f"{number} {state.replace('_', ' ')}" for state, number in group["state"].value_counts().items()
        )
        print(f"   {mission:<16} {process:<22} {counts}")
    if report["failures"]:
        print("\nWhat did not work, and why:")
        for row in report["failures"]:
            print(f"   {row['mission']} {row['obs_id']}, {row['process']}: {row['cause']}")
    caveats = tasks[tasks["caveats"] != ""]
    if len(caveats):
        print("\nWhat to know about some products:")
        for text in dict.fromkeys(f"{row.mission} {row.obs_id}: {row.caveats}" for row in caveats.itertuples()):
            print(f"   {text}")
    pictures = [row["path"] for row in report["products"] if row["kind"] == "quicklook"]
    print(f"\n{report['files']} files, {report['bytes'] / 1e6:.1f} MB fetched; they are under {out}")
    print(f"The archive is {report['archive_path']}")
    print("Pictures:")
    for path in pictures:
        print(f"   {path}")
    print(f"\nLook again with: DAXA_OUTPUT={out} daxa status {ARCHIVE}")


def _differences(report: Mapping[str, Any]) -> list[str]:
    """Say in what the outcome differs from what it should be."""
    found = []
    for mission, obs_ids in EXPECTED_OBSERVATIONS.items():
        if report["observations"].get(mission) != obs_ids:
            found.append(f"{mission} has the observations {report['observations'].get(mission)}, expected {obs_ids}")
    drawn = {(row["mission"], row["obs_id"], row["inst"]) for row in report["products"] if row["kind"] == "quicklook"}
    if drawn != EXPECTED_PICTURES:
        found.append(f"pictures of {sorted(drawn)}, expected {sorted(EXPECTED_PICTURES)}")
    failures = {(row["mission"], row["obs_id"], row["process"]): row["cause"] for row in report["failures"]}
    for key, word in EXPECTED_FAILURES.items():
        if word not in str(failures.pop(key, "")):
            found.append(f"{' '.join(key)} should have failed for its reason")
    found += [f"{' '.join(key)} failed: {cause}" for key, cause in failures.items()]
    found += [f"{row['path']} is not there" for row in report["products"] if not Path(row["path"]).is_file()]
    return found
