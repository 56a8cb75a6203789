"""How RGS exposures become clean event lists: the stages of SAS's ``rgsproc``, one a process.

Each stage goes on from files of the stages before; it works on copies of them, because it changes them.
"""

from __future__ import annotations

from collections.abc import Mapping

from daxa.api import Command, Job, Product, process
from daxa_xmm.exposures import is_wanted
from daxa_xmm.messages import parse_stderr
from daxa_xmm.odf import sas_command

_STAGE_FILES = {"sources": "SRCLI_", "attitude_gti": "attgti", "housekeeping_gti": "hkgti_"}
"""What the first stage of ``rgsproc`` leaves for the later ones beside the events, by product and part of its name."""


def _rgsproc(job: Job, stage: str, merged: str | None, collect: Mapping[str, str]) -> Command:
    """Make the command of a stage of ``rgsproc``. Later stages find copies of what they go on from, and change them."""
    ident = f"{job.data_id.inst}{job.data_id.subexp}"
    command = sas_command(
        job,
        ["rgsproc", f"entrystage={stage}", f"finalstage={stage}", "withinstexpids=true", f"instexpids={ident}"],
        odf=True,
        collect=dict(collect),
    )
    copies: list[list[str]] = []
    if merged is not None:
        head = f"P{job.data_id.obs_id}"
        names = {key: f"{head}{ident}{part}0000.FIT" for key, part in _STAGE_FILES.items()}
        names |= {merged: f"{head}{ident}merged0000.FIT", "rgs_attitude": f"{head}OBX000ATTTSR0000.FIT"}
        copies = [["cp", str(job.input(key)), name] for key, name in names.items()]
        copies.append(["chmod", "u+w", *names.values()])
    return Command(
        *copies, *command.steps, env=command.env, collect=command.collect, scratch_files=command.scratch_files
    )


@process(
    level="exp",
    instruments="R1 R2",
    needs=["odf_ingest", "cif_build"],
    tools=["sas"],
    produces={
        "evt_list": Product(path="events/{name}-events.fits", kind="events"),
        "rgs_attitude": Product(path="misc/{name}-attitude.fits", kind="attitude"),
        **{key: Product(path=f"misc/{{name}}-{key}.fits", kind=key) for key in _STAGE_FILES},
    },
    message="Assembling RGS event lists",
)
def rgs_events(job: Job, process_unscheduled: bool = True) -> Command:
    """Make the event list of an RGS exposure (see SAS's ``rgsproc``, stage ``events``).

    ``process_unscheduled`` says whether exposures that were not scheduled are processed.
    """
    head = f"P*{job.data_id.inst}{job.data_id.subexp}"
    collect = {key: f"{head}{part}0000.FIT" for key, part in _STAGE_FILES.items()}
    collect |= {"evt_list": f"{head}merged0000.FIT", "rgs_attitude": "P*OBX000ATTTSR0000.FIT"}
    return _rgsproc(job, "1:events", None, collect)


@process(
    level="exp",
    instruments="R1 R2",
    needs=[rgs_events, "odf_ingest", "cif_build"],
    tools=["sas"],
    produces={"corrected": Product(path="misc/{name}-corrected.fits", kind="corrected_events")},
    message="Correcting RGS for aspect drift",
)
def rgs_angles(job: Job) -> Command:
    """Correct an RGS event list for the drift of the aspect (see SAS's ``rgsproc``, stage ``angles``)."""
    collect = {"corrected": f"P*{job.data_id.inst}{job.data_id.subexp}merged0000.FIT"}
    return _rgsproc(job, "2:angles", "evt_list", collect)


@process(
    level="exp",
    instruments="R1 R2",
    needs=[rgs_angles, rgs_events, "odf_ingest", "cif_build"],
    tools=["sas"],
    produces={"evt_clean_path": Product(path="events/{name}-finalevents.fits", kind="clean_events")},
    message="Cleaning RGS event lists",
    final=True,
)
def cleaned_rgs_event_lists(job: Job) -> Command:
    """Keep the good events of an RGS exposure (see SAS's ``rgsproc``, stage ``filter``)."""
    collect = {"evt_clean_path": f"P*{job.data_id.inst}{job.data_id.subexp}EVENLI0000.FIT"}
    return _rgsproc(job, "3:filter", "corrected", collect)


rgs_events.applies(is_wanted)
for _one in (rgs_events, rgs_angles, cleaned_rgs_event_lists):
    _one.assess(lambda stdout, stderr: parse_stderr(stderr)[:2])
