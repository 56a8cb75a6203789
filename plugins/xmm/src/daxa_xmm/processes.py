"""How XMM-Newton's raw data become clean event lists and images, with SAS.

The calibration that fits the observation is indexed, and the raw files are summarised: only then it is known which
cameras exposed, how often, and how. Each exposure becomes an event list; times of soft-proton flares are taken out of
it, and the exposures of a camera are merged. Images and exposure maps of what is left stand in :mod:`daxa_xmm.images`;
the spectrometers have a chain of their own, see :mod:`daxa_xmm.rgs`. The tasks are described at https://xmm-tools.cosmos.esa.int/external/sas/current/doc/<task>/.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from daxa.api import Child, Command, Job, Need, Product, TaskError, process
from daxa_xmm import parameters as checks
from daxa_xmm.exposures import children_of, imaging_ccds, is_wanted, is_wanted_image
from daxa_xmm.holdings import EPIC
from daxa_xmm.images import attitude, generate_images_expmaps
from daxa_xmm.messages import parse_stderr
from daxa_xmm.odf import ODF, calibration, sas_command, summary_name
from daxa_xmm.rgs import cleaned_rgs_event_lists, rgs_angles, rgs_events

__all__ = [
    "attitude", "cif_build", "cleaned_evt_lists", "cleaned_rgs_event_lists", "emanom", "emchain", "epchain", "espfilt",
    "generate_images_expmaps", "merge_subexposures", "odf_ingest", "rgs_angles", "rgs_events",
]  # fmt: skip

MOS = {"M1": "mos1", "M2": "mos2"}


def _release(job: Job) -> tuple[int, ...]:
    """Version of SAS, as numbers; the newest where it did not tell."""
    numbers = job.versions.get("sas", "").split("-")[0].split(".")
    return tuple(int(one) for one in numbers if one.isdigit()) or (99,)


def _camera(job: Job) -> str:
    """Camera and exposure as SAS writes them at the head of file names, e.g. ``mos1S001``."""
    return f"{MOS.get(str(job.data_id.inst), 'pn')}{job.data_id.subexp}"


def _yes(value: bool) -> str:
    return "yes" if value else "no"


# --- the observation ------------------------------------------------------------------------------------------------


@process(level="obs", tools=["sas"], produces={"ccf": "ccf.cif"}, message="Generating calibration files")
def cif_build(job: Job, analysis_date: Any = "now") -> Command:
    """Index the calibration that fits the observation (see SAS's ``cifbuild``).

    ``analysis_date`` is ``now``, or the day of which the calibration is wanted, UTC.
    """
    day = f"{job.observation['start']:%Y-%m-%d}"
    analysed = f"{datetime.now(UTC):%Y-%m-%d}" if analysis_date == "now" else analysis_date
    return Command(
        [
            "cifbuild", "calindexset=ccf.cif", "withobservationdate=yes", f"observationdate={day}",
            f"analysisdate={analysis_date}", "fullpath=yes",
        ],
        collect={"ccf": "ccf.cif"},
        extra={"obs_date": day, "analysis_date": analysed},
    )  # fmt: skip


@cif_build.check
def _(params: Mapping[str, Any]) -> dict[str, Any]:
    return {"analysis_date": checks.analysis_date(params["analysis_date"])}


@process(
    level="obs",
    needs=[cif_build],
    tools=["sas"],
    produces={"sum_path": Product(path="{revolution}_{obs_id}_SCX00000SUM.SAS", kind="summary")},
    message="Generating ODF summary files",
)
def odf_ingest(job: Job) -> Command:
    """Summarise the raw files (see SAS's ``odfingest``): instruments, exposures, modes and filters."""
    env, files = calibration(job)
    return Command(
        ["odfingest", f"odfdir={job.scratch / ODF}", f"outdir={job.scratch}", "withodfdir=yes"],
        env=env,
        collect={"sum_path": "*SUM.SAS"},
        scratch_files={**files, ODF: job.raw},
    )


@odf_ingest.naming
def _(job: Job, params: Mapping[str, Any]) -> dict[str, str]:
    return {"revolution": summary_name(job).partition("_")[0]}


@odf_ingest.reveal
def _(job: Job) -> list[Child]:
    """Instruments and their exposures, and which of them are of use."""
    return children_of(job.output("sum_path"), str(job.data_id.obs_id))


# --- event lists ----------------------------------------------------------------------------------------------------


@process(
    level="exp",
    instruments="PN",
    needs=[odf_ingest, cif_build],
    tools=["sas"],
    produces={
        "evt_list": Product(path="events/{name}-events.fits", kind="events"),
        "oot_evt_list": Product(path="events/{name}-ootevents.fits", kind="oot_events"),
    },
    message="Assembling PN and PN-OOT event lists",
)
def epchain(job: Job, process_unscheduled: bool = True) -> Command:
    """Make the event list of an EPIC-pn exposure, and one of simulated out-of-time events (see SAS's ``epchain``).

    The out-of-time list comes first and keeps what it shares with the other. CCDs that were not in imaging mode are
    left out; ``process_unscheduled`` says whether exposures that were not scheduled are processed.
    """
    exposure = str(job.data_id.subexp)
    common = [
        "epchain", f"odf={job.scratch / ODF}", "odfaccess=odf", f"exposure={exposure[1:]}", f"schedule={exposure[0]}",
        f"ccds={','.join(map(str, imaging_ccds(job.info)))}",
    ]  # fmt: skip
    extra = ["runradmonfix=N"] if _release(job)[:3] == (21, 0, 0) else []
    return sas_command(
        job,
        [*common, "runbackground=N", "keepintermediate=raw", "withoutoftime=Y", *extra],
        [*common, "runatthkgen=N", "runepframes=N", "runbadpixfind=N", "runbadpix=N", *extra],
        odf=True,
        collect={"evt_list": f"P*PN{exposure}PIEVLI0000.FIT", "oot_evt_list": f"P*PN{exposure}OOEVLI0000.FIT"},
    )


@process(
    level="exp",
    instruments="M1 M2",
    needs=[odf_ingest, cif_build],
    tools=["sas", "heasoft"],
    produces={"evt_list": Product(path="events/{name}-events.fits", kind="events")},
    message="Assembling MOS event lists",
)
def emchain(job: Job, process_unscheduled: bool = True) -> Command:
    """Make the event list of an EPIC-MOS exposure (see SAS's ``emchain``).

    ``process_unscheduled`` says whether exposures that were not scheduled are processed.
    """
    inst, exposure = str(job.data_id.inst), str(job.data_id.subexp)
    return sas_command(
        job,
        [
            "emchain", f"odf={job.scratch / ODF}", f"instruments={inst}", f"exposures={exposure}", "addtaglenoise=no",
            "makeflaregti=no",
        ],
        odf=True,
        collect={"evt_list": f"P*{inst}{exposure}MIEVLI0000.FIT"},
    )  # fmt: skip


@process(
    level="exp",
    instruments="M1 M2",
    needs=[emchain, cif_build],
    tools=["sas"],
    produces={"log_path": Product(path="{camera}-anom.log", kind="log")},
    message="Checking for MOS CCD anomalous states",
)
def emanom(job: Job) -> Command:
    """Find CCDs of EPIC-MOS with much noise at low energies (see SAS's ``emanom``, from version 19 on)."""
    if _release(job) < (19,):
        raise TaskError(
            f"emanom is no part of SAS {job.versions.get('sas')}.", expected="SAS 19 or later", remedy="update SAS"
        )
    copy = f"{_camera(job)}-events.fits"  # the task writes into the list
    command = sas_command(
        job, ["emanom", f"eventfile={copy}", "keepcorner=no"], collect={"log_path": f"*{job.data_id.subexp}-anom.log"}
    )
    return Command(
        ["cp", job.input("evt_list"), copy],
        ["chmod", "u+w", copy],
        *command.steps,
        env=command.env,
        collect=command.collect,
        scratch_files=command.scratch_files,
    )


@emanom.naming
def _(job: Job, params: Mapping[str, Any]) -> dict[str, str]:
    return {"camera": _camera(job)}


# --- flares, and clean lists ----------------------------------------------------------------------------------------


@process(
    level="exp",
    instruments=EPIC,
    needs=[cif_build, Need(process="epchain", instruments="PN"), Need(process="emchain", instruments="M1 M2")],
    tools=["sas"],
    produces={
        "all_good_evts": Product(path="background/{name}-allgoodevents.fits", kind="background_events"),
        "all_good_oot_evts": Product(
            path="background/{name}-allgoodOoTevents.fits", kind="background_oot_events", instruments="PN"
        ),
        "gti_path": Product(path="cleaning/{name}-en{elow}_{ehigh}keV-gti.fits", kind="gti"),
        "hist_path": Product(path="cleaning/{name}-hist.qdp", kind="histogram"),
    },
    message="Finding PN/MOS soft-proton flares",
)
def espfilt(
    job: Job,
    method: Literal["histogram", "ratio"] = "histogram",
    with_smoothing: Any = True,
    with_binning: Any = True,
    ratio: float | int = 1.2,
    filter_lo_en: Any = "2500 eV",
    filter_hi_en: Any = "8500 eV",
    range_scale: Any = None,
    allowed_sigma: float | int = 3.0,
    gauss_fit_lims: Any = (0.1, 6.5),
) -> Command:
    """Find times without soft-proton flares, and the events in them (see SAS's ``espfilt``).

    ``method`` is ``histogram`` or ``ratio``; ``with_smoothing`` and ``with_binning`` are switches or times in seconds
    (51 s and 60 s); flares are looked for from ``filter_lo_en`` to ``filter_hi_en``, in eV; ``ratio`` is that of the
    counts in the field to those in the corners; ``range_scale`` the range in count/s of the histogram's fit by camera
    (15 for ``pn``, 6 for ``mos``); ``allowed_sigma`` how many standard deviations are let through, ``gauss_fit_lims``
    the limits of the fit in count/s.

    Before SAS 20 the task takes neither energies nor anything of the fit, and makes no list of out-of-time events:
    there EPIC-MOS can be filtered with the defaults, and EPIC-pn not at all.
    """
    pn = job.data_id.inst == "PN"
    smooth, smoothing = checks.seconds(with_smoothing, "with_smoothing", 51, 1, 60)
    binned, binning = checks.seconds(with_binning, "with_binning", 60, 1)
    low, high = _filter_band({"filter_lo_en": filter_lo_en, "filter_hi_en": filter_hi_en})
    release = _release(job)
    events = job.input("evt_list")
    usual = [
        f"method={method}", f"withsmoothing={_yes(smooth)}", f"smooth={smoothing}", f"withbinning={_yes(binned)}",
        f"binsize={binning}", f"ratio={ratio}",
    ]  # fmt: skip
    head = _camera(job)
    if release < (20,):  # it knows neither bands nor limits of the fit nor out-of-time lists
        fit = {"range_scale": range_scale, "allowed_sigma": allowed_sigma, "gauss_fit_lims": tuple(gauss_fit_lims)}
        if (low, high) != (2500, 8500) or fit != {key: espfilt.parameters[key] for key in fit}:
            raise TaskError(
                f"espfilt of SAS {job.versions.get('sas')} can be told neither energies nor how its fit is made.",
                expected="the defaults of filter_lo_en, filter_hi_en, range_scale, allowed_sigma and gauss_fit_lims",
                remedy="leave them out, or update SAS to 20 or later",
            )
        if pn:
            raise TaskError(
                f"espfilt of SAS {job.versions.get('sas')} makes no list of out-of-time events.",
                expected="SAS 20 or later for EPIC-pn",
                remedy="update SAS",
            )
        step = ["espfilt", f"eventset={events}", *usual]
        collect = {
            "all_good_evts": f"{head}-allevc*.fits",
            "gti_path": f"{head}-gti*.fits",
            "hist_path": f"{head}-hist*.qdp",
        }
        return sas_command(job, step, collect=collect)
    scale = (range_scale or {"pn": 15.0, "mos": 6.0})["pn" if pn else "mos"]
    names = ["withlongnames=yes"] if release < (21,) else []
    step = [
        "espfilt", f"eventfile={events}", f"withoot={_yes(pn)}",
        f"ootfile={job.input('oot_evt_list') if pn else 'dataset'}", *usual, *names, f"elow={low}", f"ehigh={high}",
        f"rangescale={scale}", f"allowsigma={allowed_sigma}", "keepinterfiles=yes",
        f"limits={gauss_fit_lims[0]} {gauss_fit_lims[1]}",
    ]  # fmt: skip
    ending = f"-{low}-{high}" if release < (21,) else ""
    collect = {
        "all_good_evts": f"{head}-allevc{ending}.fits",
        "gti_path": f"{head}-gti{ending}.fits",
        "hist_path": f"{head}-hist{ending}.qdp",
    }
    if pn:
        collect["all_good_oot_evts"] = f"{head}-allevcoot.fits"
    return sas_command(job, step, collect=collect)


@espfilt.check
def _(params: Mapping[str, Any]) -> dict[str, Any]:
    return checks.espfilt_parameters(params)


def _filter_band(params: Mapping[str, Any]) -> tuple[int, int]:
    """The band in which flares are looked for, in whole eV."""
    names = ("filter_lo_en", "filter_hi_en")
    low, high = checks.energies(params[names[0]], params[names[1]], names, "eV")
    return int(low.value), int(high.value)


@espfilt.naming
def _(job: Job, params: Mapping[str, Any]) -> dict[str, str]:
    low, high = _filter_band(params)
    return {"elow": str(low), "ehigh": str(high)}


@process(
    level="exp",
    instruments=EPIC,
    needs=[
        espfilt,
        cif_build,
        Need(process="epchain", instruments="PN"),
        Need(process="emchain", instruments="M1 M2"),
        Need(process="emanom", instruments="M1 M2", when="filt_mos_anom_state"),
    ],
    tools=["sas"],
    produces={
        "evt_clean_path": Product(path="events/{name}-en{en_key}-cleanevents.fits", kind="clean_events"),
        "oot_evt_clean_path": Product(
            path="events/{name}-en{en_key}-cleanootevents.fits", kind="clean_oot_events", instruments="PN"
        ),
    },
    message="Generating cleaned PN/MOS event lists",
)
def cleaned_evt_lists(
    job: Job,
    lo_en: Any = None,
    hi_en: Any = None,
    pn_filt_expr: Any = ("#XMMEA_EP", "(PATTERN <= 4)", "(FLAG .eq. 0)"),
    mos_filt_expr: Any = ("#XMMEA_EM", "(PATTERN <= 12)", "(FLAG .eq. 0)"),
    filt_mos_anom_state: bool = False,
    acc_mos_anom_states: Any = ("G", "I", "U"),
) -> Command:
    """Keep the good events of the times without flares (see SAS's ``evselect``).

    ``lo_en`` and ``hi_en`` limit the energies, in keV or any unit of energy; ``pn_filt_expr`` and ``mos_filt_expr`` are
    parts of the expression that good events meet; ``filt_mos_anom_state`` leaves out CCDs of EPIC-MOS whose state, as
    ``emanom`` found it, is none of ``acc_mos_anom_states``.
    """
    low, high = checks.energies(lo_en, hi_en, unit="eV")
    pn = job.data_id.inst == "PN"
    parts = list(pn_filt_expr if pn else mos_filt_expr)
    if low is not None:
        parts.append(f"(PI in [{low.value:.10g}:{high.value:.10g}])")
    if filt_mos_anom_state and not pn:
        from daxa_xmm.anomalies import parse_emanom_out

        good = parse_emanom_out(str(job.input("log_path")), tuple(acc_mos_anom_states))
        if not good:
            raise TaskError(
                f"No CCD of {job.data_id.inst} {job.data_id.subexp} is in one of the states"
                f" {', '.join(acc_mos_anom_states)}.",
                expected="one or more",
                remedy="accept more states: acc_mos_anom_states",
            )
        parts.append(f"CCDNR in {','.join(map(str, good))}")
    text = " && ".join([*parts, f"GTI({job.input('gti_path')}, TIME)"])

    def cut(given: str, made: str) -> list[str]:
        return [
            "evselect", f"table={job.input(given)}", f"filteredset={job.output(made)}", f"expression={text}",
            "updateexposure=yes",
        ]  # fmt: skip

    steps = [cut("evt_list", "evt_clean_path")]
    if pn:
        steps.append(cut("oot_evt_list", "oot_evt_clean_path"))
    env, files = calibration(job)
    return Command(*steps, env=env, scratch_files=files, extra={"en_key": _en_key(lo_en, hi_en)})


@cleaned_evt_lists.check
def _(params: Mapping[str, Any]) -> dict[str, Any]:
    low, high = checks.energies(params["lo_en"], params["hi_en"])
    return {
        "lo_en": low,
        "hi_en": high,
        "pn_filt_expr": checks.expression(params["pn_filt_expr"], "pn_filt_expr"),
        "mos_filt_expr": checks.expression(params["mos_filt_expr"], "mos_filt_expr"),
        "acc_mos_anom_states": checks.states(params["acc_mos_anom_states"]),
    }


def _en_key(lo_en: Any, hi_en: Any) -> str:
    """How energy limits stand in file names: nothing, or e.g. ``0.5_2.0keV``."""
    low, high = checks.energies(lo_en, hi_en)
    return "" if low is None else f"{round(float(low.value), 6)}_{round(float(high.value), 6)}keV"


@cleaned_evt_lists.naming
def _(job: Job, params: Mapping[str, Any]) -> dict[str, str]:
    return {"en_key": _en_key(params["lo_en"], params["hi_en"])}


@process(
    level="inst",
    instruments=EPIC,
    needs=[
        Need(process="cleaned_evt_lists", mode="any"),
        Need(process="espfilt", mode="any"),
        cif_build,
    ],
    tools=["sas"],
    produces={
        "final_evt": Product(path="events/{final}-finalevents.fits", kind="events"),
        "final_oot_evt": Product(path="events/{final}-finalootevents.fits", kind="oot_events", instruments="PN"),
        "final_allgood_evt": Product(path="background/{final}-finalallgoodevents.fits", kind="background_events"),
        "final_allgood_oot_evt": Product(
            path="background/{final}-finalallgoodootevents.fits", kind="background_oot_events", instruments="PN"
        ),
    },
    message="Generating final PN/MOS event lists",
    final=True,
)
def merge_subexposures(job: Job) -> Command:
    """Merge the clean event lists of a camera, two at a time (see SAS's ``merge``); a single one is copied."""
    pairs = {"evt_clean_path": "final_evt", "all_good_evts": "final_allgood_evt"}
    if job.data_id.inst == "PN":
        pairs |= {"oot_evt_clean_path": "final_oot_evt", "all_good_oot_evts": "final_allgood_oot_evt"}
    cleaned = {_subexp(path) for path in job.inputs("evt_clean_path")}
    steps: list[list[str]] = []
    for given, made in pairs.items():
        lists = sorted(path for path in job.inputs(given) if _subexp(path) in cleaned)
        target = job.output(made)
        if len(lists) == 1:
            steps.append(["cp", str(lists[0]), str(target)])
            continue
        first = lists[0]
        for number, second in enumerate(lists[1:], start=1):
            last = number == len(lists) - 1
            merged = target if last else job.scratch / f"{made}_temp{number}.fits"
            steps.append(["merge", f"set1={first}", f"set2={second}", f"outset={merged}"])
            first = merged
    return sas_command(job, *steps)


def _subexp(path: Path) -> str:
    return path.name.partition("-subexp")[2].partition("-")[0]


@merge_subexposures.naming
def _(job: Job, params: Mapping[str, Any]) -> dict[str, str]:
    cleaned = sorted(path.name for path in job.inputs("evt_clean_path"))
    band = cleaned[0].partition("-en")[2].partition("-")[0] if cleaned else ""
    return {"final": f"obsid{job.data_id.obs_id}-inst{job.data_id.inst}-subexpALL-en{band}"}


epchain.applies(is_wanted_image)
emchain.applies(is_wanted)
for _one in (
    cif_build, odf_ingest, epchain, emchain, emanom, espfilt, cleaned_evt_lists, merge_subexposures,
):  # fmt: skip
    _one.assess(lambda stdout, stderr: parse_stderr(stderr)[:2])
