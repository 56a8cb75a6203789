"""What a SAS task works on: links to the raw files, with a summary and a calibration index of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from daxa.api import Call, Command, Job, TaskError

ODF: Final = "odf"
"""Name of the directory of raw files in the task's scratch directory."""

CCF: Final = "calibration/ccf.cif"
"""Name of the calibration index in the task's scratch directory."""


def summary_name(job: Job) -> str:
    """Name that SAS gives the summary of an observation: revolution, ObsID, and an ending."""
    return f"{int(job.observation.get('revolution') or 0):04d}_{job.data_id.obs_id}_SCX00000SUM.SAS"


def sas_command(job: Job, *steps: list[str], odf: bool = False, collect: dict[str, str] | None = None) -> Command:
    """Make the command of SAS tasks that need the calibration index, and the raw files where `odf` says so.

    The summary names the directory of the raw files in full; every task gets a copy that names its own, and a copy of
    the calibration index that names no directory, so that archives, downloads and the calibration may be moved, and
    nothing is ever written beside the downloads.
    """
    env, files = calibration(job)
    if not odf:
        return Command(*steps, env=env, collect=collect, scratch_files=files)
    directory = job.scratch / ODF
    name = summary_name(job)
    text = Call("daxa_xmm.odf:with_path", summary=str(job.input("sum_path")), directory=str(directory))
    return Command(
        *steps,
        env={**env, "SAS_ODF": str(directory / name)},
        collect=collect,
        scratch_files={**files, ODF: job.raw, f"{ODF}/{name}": text},
    )


def calibration(job: Job) -> tuple[dict[str, str], dict[str, Call]]:
    """Give a task a calibration index of its own: the variable that names it, and what makes it."""
    index = Call("daxa_xmm.bare:bare_index", index=str(job.input("ccf")))
    return {"SAS_CCF": str(job.scratch / CCF)}, {CCF: index}


def with_path(summary: str, directory: str) -> str:
    """Return the text of a summary that says its raw files lie in another directory.

    Parameters
    ----------
    summary : str
        Path of the summary.
    directory : str
        Absolute directory it shall name.

    Raises
    ------
    TaskError
        If it names no directory.
    """
    lines = Path(summary).read_text(encoding="utf-8", errors="surrogateescape").split("\n")
    found = [number for number, line in enumerate(lines) if line.startswith("PATH ")]
    if not found:
        raise TaskError(
            f"{summary} does not say where its raw files lie.",
            expected="a line that begins with PATH",
            remedy="run odf_ingest again: rerun='odf_ingest'",
            path=summary,
        )
    lines[found[0]] = f"PATH {directory.rstrip('/')}/"
    return "\n".join(lines)
