"""What the XMM-Newton processes run: commands, parameters and names, for several versions of SAS."""

import pickle
from datetime import UTC, date, datetime
from pathlib import Path, PurePosixPath

import pytest
from astropy.units import Quantity, UnitConversionError
from hypothesis import given
from hypothesis import strategies as st

import daxa_xmm
from daxa.exceptions import DaxaError, InvalidParameterError, ParameterTypeError, TaskError
from daxa.ids import DataId
from daxa.process import Call, Job
from daxa_xmm import processes
from daxa_xmm.odf import with_path

OBS = "0201903501"
SCRATCH, RAW, ARCHIVE = Path("/scratch"), Path("/raw/xmm_pointed_raw") / OBS, Path("/archive")
INDEX = Call("daxa_xmm.bare:bare_index", index="/archive/ccf.cif")
IMAGING = {"1": "Imaging", "2": "Imaging", "10": "Imaging", "4": "DiscardedLinesData"}


def job(process, inst=None, subexp=None, *, sas="22.1.0", given=(), info=None, variant=""):
    made = Job(
        process=process.name,
        data_id=DataId("xmm_pointed", OBS, inst, subexp),
        variant=variant,
        name="name",
        given={"ccf": (ARCHIVE / "ccf.cif",), "sum_path": (ARCHIVE / "SUM.SAS",), **dict(given)},
        scratch=SCRATCH,
        raw=RAW,
        observation={"ObsID": OBS, "revolution": 828, "start": datetime(2004, 6, 17, 10, 38, 28)},
        info=info or {},
        versions={"sas": sas},
    )
    return made


def command(process, *where, params=None, **more):
    from attrs import evolve

    from daxa.archive import layout

    bound = process.bind(params or {})
    made = job(process, *where, **more)
    words = process.names_of(made, bound)
    outputs = {
        key: SCRATCH / layout.product(made.data_id, one.path, made.variant, words).name
        for key, one in process.produces.items()
        if one.is_made_of(made.data_id.inst)
    }
    return process.command(evolve(made, outputs=outputs), bound)


def product(process, key, *where, params=None, **more):
    from daxa.archive import layout

    made = job(process, *where, **more)
    words = process.names_of(made, process.bind(params or {}))
    path = layout.product(made.data_id, process.produces[key].path, made.variant, words)
    return str(path.relative_to(PurePosixPath("processed_data/xmm_pointed") / OBS))


# --- calibration and summary ----------------------------------------------------------------------------------------


def test_the_calibration_is_indexed_for_the_date_of_the_observation():
    wanted = command(processes.cif_build, params={"analysis_date": datetime(2024, 4, 24)})
    assert wanted.steps == (
        (
            "cifbuild", "calindexset=ccf.cif", "withobservationdate=yes", "observationdate=2004-06-17",
            "analysisdate=2024-04-24", "fullpath=yes",
        ),
    )  # fmt: skip
    assert wanted.extra == {"obs_date": "2004-06-17", "analysis_date": "2024-04-24"}
    assert product(processes.cif_build, "ccf") == "ccf.cif"


def test_the_calibration_of_now_is_recorded_with_the_day():
    today = {f"{datetime.now(UTC):%Y-%m-%d}"}
    wanted = command(processes.cif_build)
    assert wanted.steps[0][4] == "analysisdate=now"  # so that what was released this morning is used
    today.add(f"{datetime.now(UTC):%Y-%m-%d}")
    assert wanted.extra["obs_date"] == "2004-06-17" and wanted.extra["analysis_date"] in today


@pytest.mark.parametrize(
    ("given", "used"),
    [("now", "now"), (date(2024, 4, 24), "2024-04-24"), ("2024-04-24", "2024-04-24")],
)
def test_the_date_of_the_calibration(given, used):
    assert processes.cif_build.bind({"analysis_date": given})["analysis_date"] == used


@pytest.mark.parametrize("given", ["yesterday", 3, None, "2024-13-01"])
def test_dates_that_are_none(given):
    with pytest.raises(ValueError, match="analysis_date"):
        processes.cif_build.bind({"analysis_date": given})


def test_the_raw_files_are_summarised_without_being_written_to():
    wanted = command(processes.odf_ingest)
    assert wanted.steps == (("odfingest", "odfdir=/scratch/odf", "outdir=/scratch", "withodfdir=yes"),)
    assert wanted.env == {"SAS_CCF": "/scratch/calibration/ccf.cif"}
    assert wanted.scratch_files == {"odf": RAW, "calibration/ccf.cif": INDEX}
    assert product(processes.odf_ingest, "sum_path") == f"0828_{OBS}_SCX00000SUM.SAS"


def test_a_task_gets_a_summary_that_names_its_own_directory(tmp_path):
    path = tmp_path / "SUM.SAS"
    path.write_bytes(b"// PATH is below\nPATH /lustre/old/\nFILES\n\xff latin\n")
    text = with_path(str(path), "/scratch/odf")
    assert text.encode(errors="surrogateescape") == b"// PATH is below\nPATH /scratch/odf/\nFILES\n\xff latin\n"
    path.write_text("FILES\n")
    with pytest.raises(TaskError, match="does not say where"):
        with_path(str(path), "/scratch/odf")


# --- event lists ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("sas", "more"), [("22.1.0", ()), ("21.0.0", ("runradmonfix=N",)), ("20.0.0", ())])
def test_pn_lists_come_of_two_calls(sas, more):
    wanted = command(processes.epchain, "PN", "U003", sas=sas, info={"ccd_modes": IMAGING})
    common = ("epchain", "odf=/scratch/odf", "odfaccess=odf", "exposure=003", "schedule=U", "ccds=1,2,10")
    assert wanted.steps == (
        (*common, "runbackground=N", "keepintermediate=raw", "withoutoftime=Y", *more),
        (*common, "runatthkgen=N", "runepframes=N", "runbadpixfind=N", "runbadpix=N", *more),
    )
    summary = f"odf/0828_{OBS}_SCX00000SUM.SAS"
    assert wanted.env == {"SAS_CCF": "/scratch/calibration/ccf.cif", "SAS_ODF": f"/scratch/{summary}"}
    assert wanted.scratch_files["odf"] == RAW
    assert isinstance(wanted.scratch_files[summary], Call)
    assert (
        product(processes.epchain, "oot_evt_list", "PN", "U003")
        == f"events/obsid{OBS}-instPN-subexpU003-ootevents.fits"
    )


@pytest.mark.parametrize("modes", [{"4": "FastTiming"}, {"4": "Burst"}, {}])
def test_a_pn_exposure_without_imaging_gets_no_task_and_a_reason(modes):
    class Exposure:
        scheduled = True
        info = {"ccd_modes": modes}

    assert "none of its CCDs was in imaging mode" in processes.epchain.applies_to(Exposure, None)


def test_mos_lists():
    wanted = command(processes.emchain, "M2", "S002")
    assert wanted.steps == (
        (
            "emchain", "odf=/scratch/odf", "instruments=M2", "exposures=S002", "addtaglenoise=no", "makeflaregti=no",
        ),
    )  # fmt: skip
    assert wanted.collect == {"evt_list": "P*M2S002MIEVLI0000.FIT"}
    assert product(processes.emchain, "evt_list", "M2", "S002") == f"events/obsid{OBS}-instM2-subexpS002-events.fits"


@pytest.mark.parametrize("process", [processes.epchain, processes.emchain, processes.rgs_events])
def test_unscheduled_exposures_can_be_left_out(process):
    class Exposure:
        scheduled = False
        info = {"ccd_modes": IMAGING}

    class Params:
        process_unscheduled = True

    assert process.applies_to(Exposure, Params)
    Params.process_unscheduled = False
    assert "unscheduled" in process.applies_to(Exposure, Params)


def test_anomalous_states_are_looked_for_on_a_copy():
    given = {"evt_list": (ARCHIVE / "list.fits",)}
    wanted = command(processes.emanom, "M1", "S001", given=given)
    assert wanted.steps == (
        ("cp", "/archive/list.fits", "mos1S001-events.fits"),
        ("chmod", "u+w", "mos1S001-events.fits"),
        ("emanom", "eventfile=mos1S001-events.fits", "keepcorner=no"),
    )
    assert product(processes.emanom, "log_path", "M1", "S001") == "mos1S001-anom.log"
    with pytest.raises(TaskError, match="SAS 18"):
        command(processes.emanom, "M1", "S001", given=given, sas="18.0.0")


LOG = """\
CCD: 1 Hard: 0.5 Soft: 1.2 Status: G
CCD: 2 Hard: 0.5 Soft: 1.2 Status: B
CCD: 4 Hard: 0.5 Soft: 1.2 Status: I
CCD: 6 Hard: 0.5 Soft: 1.2 Status: O
CCD: 7 Hard: 0.5 Soft: 1.2 Status: U
"""


@pytest.mark.parametrize(
    ("states", "expected"), [(("G", "I", "U"), [1, 4, 7]), ("G", [1]), (["B", "O"], [2, 6]), ("GIBOU"[:1], [1])]
)
def test_states_of_ccds(tmp_path, states, expected):
    path = tmp_path / "mos1S001-anom.log"
    path.write_text(LOG)
    assert daxa_xmm.parse_emanom_out(path, states) == expected


def test_states_that_cannot_be_told(tmp_path):
    with pytest.raises(FileNotFoundError):
        daxa_xmm.parse_emanom_out(tmp_path / "none.log")
    (tmp_path / "empty.log").write_text("nothing")
    with pytest.raises(TaskError):
        daxa_xmm.parse_emanom_out(tmp_path / "empty.log")
    with pytest.raises(InvalidParameterError):
        daxa_xmm.parse_emanom_out(tmp_path / "empty.log", "X")


@given(
    lines=st.lists(
        st.one_of(
            st.text(max_size=40).filter(lambda text: "CCD" not in text and len(text.splitlines()) <= 1),
            st.tuples(st.integers(0, 99), st.floats(0, 99), st.sampled_from("GIBOU")),
        ),
        min_size=1,
    ),
    accepted=st.sets(st.sampled_from("GIBOU"), min_size=1),
)
def test_any_log_of_states_is_read(tmp_path_factory, lines, accepted):
    def line(one):
        return one if isinstance(one, str) else f"CCD: {one[0]} Hardness ratio: {one[1]:8.3f} +/- 0.1 Status: {one[2]}"

    path = tmp_path_factory.getbasetemp() / "any-anom.log"
    path.write_bytes("\n".join(map(line, lines)).encode(errors="surrogatepass") + b"\n\xff\x00")
    told = [one for one in lines if not isinstance(one, str)]
    if not told:
        with pytest.raises(TaskError, match="tells of no CCD"):
            daxa_xmm.parse_emanom_out(path, sorted(accepted))
        return
    assert daxa_xmm.parse_emanom_out(path, sorted(accepted)) == [ccd for ccd, _, state in told if state in accepted]


# --- flares ---------------------------------------------------------------------------------------------------------

LISTS = {"evt_list": (ARCHIVE / "list.fits",), "oot_evt_list": (ARCHIVE / "oot.fits",)}
USUAL = (
    "method=histogram", "withsmoothing=yes", "smooth=51", "withbinning=yes", "binsize=60", "ratio=1.2",
)  # fmt: skip


@pytest.mark.parametrize(
    ("sas", "inst", "expected", "collected"),
    [
        (
            "22.1.0", "PN",
            ("eventfile=/archive/list.fits", "withoot=yes", "ootfile=/archive/oot.fits", *USUAL, "elow=2500", "ehigh=8500",
             "rangescale=15.0", "allowsigma=3.0", "keepinterfiles=yes", "limits=0.1 6.5"),
            ["pnS001-allevc.fits", "pnS001-allevcoot.fits", "pnS001-gti.fits", "pnS001-hist.qdp"],
        ),
        (
            "21.0.0", "M1",
            ("eventfile=/archive/list.fits", "withoot=no", "ootfile=dataset", *USUAL, "elow=2500", "ehigh=8500",
             "rangescale=6.0", "allowsigma=3.0", "keepinterfiles=yes", "limits=0.1 6.5"),
            ["mos1S001-allevc.fits", "mos1S001-gti.fits", "mos1S001-hist.qdp"],
        ),
        (
            "20.0.0", "M2",
            ("eventfile=/archive/list.fits", "withoot=no", "ootfile=dataset", *USUAL, "withlongnames=yes", "elow=2500",
             "ehigh=8500", "rangescale=6.0", "allowsigma=3.0", "keepinterfiles=yes", "limits=0.1 6.5"),
            ["mos2S001-allevc-2500-8500.fits", "mos2S001-gti-2500-8500.fits", "mos2S001-hist-2500-8500.qdp"],
        ),
        (
            "19.1.0", "M1", ("eventset=/archive/list.fits", *USUAL),
            ["mos1S001-allevc*.fits", "mos1S001-gti*.fits", "mos1S001-hist*.qdp"],
        ),
    ],
)  # fmt: skip
def test_flares_are_found_as_the_version_of_sas_wants_it(sas, inst, expected, collected):
    wanted = command(processes.espfilt, inst, "S001", sas=sas, given=LISTS)
    assert wanted.steps == (("espfilt", *expected),)
    assert sorted(wanted.collect.values()) == collected


def test_names_of_what_espfilt_leaves():
    where, params = ("PN", "S003"), {"filter_lo_en": Quantity(3, "keV")}
    name = f"obsid{OBS}-instPN-subexpS003"
    assert product(processes.espfilt, "gti_path", *where) == f"cleaning/{name}-en2500_8500keV-gti.fits"
    assert product(processes.espfilt, "gti_path", *where, params=params) == f"cleaning/{name}-en3000_8500keV-gti.fits"
    assert product(processes.espfilt, "hist_path", *where) == f"cleaning/{name}-hist.qdp"
    assert product(processes.espfilt, "all_good_oot_evts", *where) == f"background/{name}-allgoodOoTevents.fits"


@pytest.mark.parametrize(
    ("params", "said"),
    [
        (
            {"with_smoothing": Quantity(0.5, "min"), "with_binning": False},
            ("smooth=30", "withbinning=no", "binsize=60"),
        ),
        ({"with_smoothing": False}, ("withsmoothing=no", "smooth=51")),
        ({"with_binning": Quantity(100, "s")}, ("withbinning=yes", "binsize=100")),
        ({"method": "ratio", "ratio": 1.5}, ("method=ratio", "ratio=1.5")),
        ({"filter_lo_en": Quantity(3, "keV"), "filter_hi_en": "9 keV"}, ("elow=3000", "ehigh=9000")),
        ({"range_scale": {"pn": 20, "mos": 7}, "gauss_fit_lims": [0.2, 5]}, ("rangescale=7", "limits=0.2 5")),
    ],
)
def test_parameters_of_espfilt(params, said):
    wanted = command(processes.espfilt, "M1", "S001", given=LISTS, params=params)
    assert set(said) <= set(wanted.steps[0])


@pytest.mark.parametrize(
    ("params", "error"),
    [
        ({"method": "both"}, ValueError),
        ({"with_smoothing": 30}, TypeError),
        ({"with_smoothing": Quantity(3, "keV")}, UnitConversionError),
        ({"with_smoothing": Quantity(61, "s")}, ValueError),
        ({"with_smoothing": Quantity(0.5, "s")}, ValueError),
        ({"with_binning": Quantity(0.5, "s")}, ValueError),
        ({"with_binning": "long"}, TypeError),
        ({"with_smoothing": Quantity([30, 40], "s")}, TypeError),
        ({"with_binning": Quantity(float("inf"), "s")}, ValueError),
        ({"method": 3}, ValueError),
        ({"ratio": "1.2"}, ValueError),
        ({"ratio": None}, TypeError),
        ({"ratio": float("nan")}, ValueError),
        ({"ratio": True}, ValueError),
        ({"filter_lo_en": Quantity([2, 3], "keV")}, TypeError),
        ({"filter_lo_en": Quantity(3, "s")}, UnitConversionError),
        ({"filter_lo_en": Quantity(9, "keV")}, ValueError),
        ({"filter_hi_en": Quantity(40, "keV")}, ValueError),
        ({"filter_lo_en": Quantity(0.5, "eV")}, ValueError),
        ({"filter_lo_en": None}, ValueError),
        ({"range_scale": 6.0}, ValueError),
        ({"range_scale": {"pn": 15}}, KeyError),
        ({"range_scale": {"pn": 15, "mos": "6"}}, TypeError),
        ({"allowed_sigma": "3"}, ValueError),
        ({"allowed_sigma": "3"}, TypeError),
        ({"gauss_fit_lims": 3}, ValueError),
        ({"gauss_fit_lims": 3}, TypeError),
        ({"gauss_fit_lims": (6.5, 0.1)}, ValueError),
        ({"gauss_fit_lims": (0.1, 11)}, ValueError),
        ({"gauss_fit_lims": (0.1, "6")}, TypeError),
        ({"gauss_fit_limits": (0.1, 6)}, ValueError),
    ],
)
def test_parameters_that_espfilt_cannot_have(params, error):
    with pytest.raises(error) as told:
        processes.espfilt.bind(params)
    assert isinstance(told.value, DaxaError)
    assert next(iter(params)) in str(told.value)


WRONG = {
    "method": "both", "with_smoothing": 3, "with_binning": 3, "ratio": "x", "filter_lo_en": Quantity(3, "s"),
    "range_scale": 3, "allowed_sigma": "x", "gauss_fit_lims": 3,
}  # fmt: skip


@pytest.mark.parametrize("first", list(WRONG))
def test_parameters_of_espfilt_are_checked_in_their_order(first):
    given = {name: WRONG[name] for name in list(WRONG)[list(WRONG).index(first) :]}
    with pytest.raises((TypeError, ValueError), match=f"^{first} "):
        processes.espfilt.bind(given)


@pytest.mark.parametrize(
    "params",
    [
        {"filter_lo_en": Quantity(3, "keV")},
        {"range_scale": {"pn": 15, "mos": 7}},
        {"allowed_sigma": 2},
        {"gauss_fit_lims": [0.1, 6]},
    ],
)
def test_what_an_old_espfilt_cannot_be_told_is_not_passed_over(params):
    with pytest.raises(TaskError, match=r"SAS 19\.1\.0 can be told neither"):
        command(processes.espfilt, "M1", "S001", sas="19.1.0", given=LISTS, params=params)
    given = {"filter_lo_en": "2.5 keV", "gauss_fit_lims": [0.1, 6.5], "allowed_sigma": 3}
    assert command(processes.espfilt, "M1", "S001", sas="19.1.0", given=LISTS, params=given).steps
    with pytest.raises(TaskError, match="out-of-time"):
        command(processes.espfilt, "PN", "S001", sas="19.1.0", given=LISTS)


def test_an_error_of_units_goes_between_processes():
    with pytest.raises(UnitConversionError) as told:
        processes.espfilt.bind({"filter_lo_en": Quantity(3, "s")})
    assert str(pickle.loads(pickle.dumps(told.value))) == str(told.value)


# --- clean lists ----------------------------------------------------------------------------------------------------

CLEAN = {**LISTS, "gti_path": (ARCHIVE / "gti.fits",)}


def test_mos_events_are_cleaned():
    wanted = command(processes.cleaned_evt_lists, "M1", "S001", given=CLEAN)
    made = f"/scratch/obsid{OBS}-instM1-subexpS001-en-cleanevents.fits"
    text = "#XMMEA_EM && (PATTERN <= 12) && (FLAG .eq. 0) && GTI(/archive/gti.fits, TIME)"
    assert wanted.steps == (
        ("evselect", "table=/archive/list.fits", f"filteredset={made}", f"expression={text}", "updateexposure=yes"),
    )
    assert wanted.extra == {"en_key": ""}


def test_pn_events_are_cleaned_with_those_out_of_time():
    wanted = command(processes.cleaned_evt_lists, "PN", "S003", given=CLEAN, params={"pn_filt_expr": "(PATTERN == 0)"})
    assert [step[1] for step in wanted.steps] == ["table=/archive/list.fits", "table=/archive/oot.fits"]
    assert {step[3] for step in wanted.steps} == {"expression=(PATTERN == 0) && GTI(/archive/gti.fits, TIME)"}


def test_energies_can_be_limited_and_stand_in_names():
    params = {"lo_en": Quantity(500, "eV"), "hi_en": Quantity(2, "keV")}
    wanted = command(processes.cleaned_evt_lists, "M1", "S001", given=CLEAN, params=params)
    assert "(PI in [500:2000]) && GTI" in wanted.steps[0][3]
    assert wanted.extra == {"en_key": "0.5_2.0keV"}
    path = product(processes.cleaned_evt_lists, "evt_clean_path", "M1", "S001", params=params)
    assert path == f"events/obsid{OBS}-instM1-subexpS001-en0.5_2.0keV-cleanevents.fits"


def test_ccds_in_anomalous_states_can_be_left_out(tmp_path):
    log = tmp_path / "anom.log"
    log.write_text(LOG)
    given = {**CLEAN, "log_path": (log,)}
    params = {"filt_mos_anom_state": True, "acc_mos_anom_states": ["G", "I"]}
    wanted = command(processes.cleaned_evt_lists, "M1", "S001", given=given, params=params)
    assert " && CCDNR in 1,4 && GTI(" in wanted.steps[0][3]
    assert "CCDNR" not in str(command(processes.cleaned_evt_lists, "PN", "S003", given=given, params=params).steps)
    log.write_text(LOG.splitlines()[1])
    with pytest.raises(TaskError, match="No CCD"):
        command(processes.cleaned_evt_lists, "M1", "S001", given=given, params=params)


@pytest.mark.parametrize(
    ("params", "error"),
    [
        ({"lo_en": Quantity(0.5, "keV")}, ValueError),
        ({"hi_en": Quantity(0.5, "keV")}, ValueError),
        ({"lo_en": Quantity(2, "keV"), "hi_en": Quantity(1, "keV")}, ValueError),
        ({"lo_en": Quantity(2, "s"), "hi_en": Quantity(3, "s")}, UnitConversionError),
        ({"lo_en": 0.5, "hi_en": 2.0}, UnitConversionError),
        ({"lo_en": Quantity([0.5, 1], "keV"), "hi_en": Quantity([2, 3], "keV")}, TypeError),
        ({"lo_en": Quantity(0.5, "keV"), "hi_en": Quantity(float("inf"), "keV")}, ValueError),
        ({"lo_en": Quantity(-0.5, "keV"), "hi_en": Quantity(2, "keV")}, ValueError),
        ({"pn_filt_expr": 3}, TypeError),
        ({"mos_filt_expr": ["(PATTERN <= 12)", None]}, TypeError),
        ({"acc_mos_anom_states": ["G", "X"]}, ValueError),
        ({"acc_mos_anom_states": []}, ValueError),
        ({"acc_mos_anom_states": None}, TypeError),
        ({"filt_mos_anom_state": "yes"}, ValueError),
        ({"filt_mos_anom_state": "yes"}, TypeError),
    ],
)
def test_parameters_that_cleaning_cannot_have(params, error):
    with pytest.raises(error) as told:
        processes.cleaned_evt_lists.bind(params)
    assert isinstance(told.value, InvalidParameterError | ParameterTypeError)


def test_parameters_are_the_same_after_they_were_checked():
    given = {"lo_en": Quantity(500, "eV"), "hi_en": Quantity(2, "keV"), "pn_filt_expr": "(PATTERN == 0)"}
    bound = processes.cleaned_evt_lists.bind(given)
    assert processes.cleaned_evt_lists.bind(bound) == bound
    assert given["pn_filt_expr"] == "(PATTERN == 0)"
    ordered, other = (
        processes.cleaned_evt_lists.bind({"acc_mos_anom_states": one}) for one in (["G", "I"], {"I", "G"})
    )
    assert ordered == other and ordered["acc_mos_anom_states"] == ["G", "I"]


# --- merged lists and images ----------------------------------------------------------------------------------------


def clean(*subexps, inst="M1", band=""):
    return tuple(ARCHIVE / f"obsid{OBS}-inst{inst}-subexp{one}-en{band}-cleanevents.fits" for one in subexps)


def good(*subexps, inst="M1"):
    return tuple(ARCHIVE / f"obsid{OBS}-inst{inst}-subexp{one}-allgoodevents.fits" for one in subexps)


def test_a_single_exposure_is_copied():
    given = {"evt_clean_path": clean("S001"), "all_good_evts": good("S001", "U002")}
    wanted = command(processes.merge_subexposures, "M1", given=given)
    assert wanted.steps == (
        ("cp", str(clean("S001")[0]), f"/scratch/obsid{OBS}-instM1-subexpALL-en-finalevents.fits"),
        ("cp", str(good("S001")[0]), f"/scratch/obsid{OBS}-instM1-subexpALL-en-finalallgoodevents.fits"),
    )


def test_exposures_are_merged_two_at_a_time():
    subexps = ("S001", "U002", "U003")
    given = {"evt_clean_path": clean(*subexps, band="0.5_2.0keV"), "all_good_evts": good(*subexps)}
    wanted = command(processes.merge_subexposures, "M1", given=given)
    one, two, three = map(str, clean(*subexps, band="0.5_2.0keV"))
    final = f"/scratch/obsid{OBS}-instM1-subexpALL-en0.5_2.0keV-finalevents.fits"
    assert wanted.steps[:2] == (
        ("merge", f"set1={one}", f"set2={two}", "outset=/scratch/final_evt_temp1.fits"),
        ("merge", "set1=/scratch/final_evt_temp1.fits", f"set2={three}", f"outset={final}"),
    )
    assert len(wanted.steps) == 4


def test_images_and_exposure_maps_are_of_the_band():
    given = {"final_evt": (ARCHIVE / "final.fits",), "attitude": (ARCHIVE / "att.fits",)}
    wanted = command(processes.generate_images_expmaps, "PN", given=given, variant="en0.5_2.0keV")
    image, expmap = wanted.steps
    assert "expression=PI in [500:2000]" in image
    assert {"ximagebinsize=87", "ximagemin=3649", "yimagemax=48106", "withimageset=yes"} <= set(image)
    assert expmap[:4] == (
        "eexpmap", f"imageset=/scratch/obsid{OBS}-instPN-subexpALL-en0.5_2.0keV-image.fits",
        "attitudeset=/archive/att.fits", "eventset=/archive/final.fits",
    )  # fmt: skip
    assert {"pimin=500", "pimax=2000"} <= set(expmap)


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({}, ["en0.5_2.0keV", "en2.0_10.0keV"]),
        ({"lo_en": Quantity(500, "eV"), "hi_en": Quantity(2, "keV")}, ["en0.5_2.0keV"]),
        ({"lo_en": Quantity([0.3, 1], "keV"), "hi_en": Quantity([700, 2000], "eV")}, ["en0.3_0.7keV", "en1.0_2.0keV"]),
        ({"lo_en": Quantity([0.3, 0.3], "keV"), "hi_en": Quantity([0.7, 0.7], "keV")}, ["en0.3_0.7keV"]),
    ],
)
def test_bands_of_images(params, expected):
    process = processes.generate_images_expmaps
    bound = process.bind(params)
    assert list(process.variants_of(DataId("xmm_pointed", OBS, "PN"), bound)) == expected
    assert process.bind(bound) == bound


@pytest.mark.parametrize(
    ("params", "error"),
    [
        ({"lo_en": Quantity([0.5, 2], "keV"), "hi_en": Quantity(2, "keV")}, ValueError),
        ({"lo_en": Quantity(3, "keV"), "hi_en": Quantity(2, "keV")}, ValueError),
        ({"lo_en": Quantity([], "keV"), "hi_en": Quantity([], "keV")}, ValueError),
        ({"lo_en": Quantity([1], "keV"), "hi_en": Quantity([float("inf")], "keV")}, ValueError),
        ({"lo_en": Quantity(1, "s"), "hi_en": Quantity(2, "s")}, UnitConversionError),
        ({"lo_en": "low", "hi_en": "high"}, TypeError),
    ],
)
def test_bands_that_are_none(params, error):
    with pytest.raises(error):
        processes.generate_images_expmaps.bind(params)


# --- spectrometers --------------------------------------------------------------------------------------------------


def test_stages_of_the_spectrometers():
    first = command(processes.rgs_events, "R1", "S004")
    assert first.steps == (
        ("rgsproc", "entrystage=1:events", "finalstage=1:events", "withinstexpids=true", "instexpids=R1S004"),
    )
    kept = {
        key: (ARCHIVE / key,) for key in ("evt_list", "sources", "attitude_gti", "housekeeping_gti", "rgs_attitude")
    }
    second = command(processes.rgs_angles, "R1", "S004", given=kept)
    assert ("cp", "/archive/evt_list", f"P{OBS}R1S004merged0000.FIT") in second.steps
    assert second.steps[-1][1:3] == ("entrystage=2:angles", "finalstage=2:angles")
    third = command(
        processes.cleaned_rgs_event_lists, "R1", "S004", given={**kept, "corrected": (ARCHIVE / "corrected",)}
    )
    assert ("cp", "/archive/corrected", f"P{OBS}R1S004merged0000.FIT") in third.steps
    assert third.collect == {"evt_clean_path": "P*R1S004EVENLI0000.FIT"}


# --- all ------------------------------------------------------------------------------------------------------------


def test_errors_of_sas_are_read_of_every_step():
    said = "** espfilt: error (noCounts), All histo counts are zero! Check your FOV Lightcurve!\n"
    for name in ("cif_build", "odf_ingest", "epchain", "emchain", "espfilt", "cleaned_evt_lists", "merge_subexposures"):
        errors, _ = getattr(daxa_xmm, name).messages("", said)
        assert errors == ["noCounts raised by espfilt - All histo counts are zero! Check your FOV Lightcurve!"]


@pytest.mark.parametrize("name", sorted(set(daxa_xmm.__all__) & set(dir(processes)) - {"cif_build", "parse_stderr"}))
def test_every_task_has_a_calibration_index_of_its_own(name):
    process = getattr(processes, name)
    inst = process.instruments[-1] if process.instruments else None
    where = (inst, "S001" if process.level == "exp" else None)
    keys = ("evt_list", "oot_evt_list", "gti_path", "attitude", "final_evt", "corrected", "rgs_attitude", "sources",
            "attitude_gti", "housekeeping_gti", "evt_clean_path", "all_good_evts", "oot_evt_clean_path",
            "all_good_oot_evts")  # fmt: skip
    given = {key: (ARCHIVE / f"a-subexpS001-en-{key}.fits",) for key in keys}
    variant = "en0.5_2.0keV" if name == "generate_images_expmaps" else ""
    wanted = command(process, *where, given=given, info={"ccd_modes": IMAGING}, variant=variant)
    assert wanted.env["SAS_CCF"] == "/scratch/calibration/ccf.cif"
    assert wanted.scratch_files["calibration/ccf.cif"] == INDEX


def test_messages_of_progress_are_those_people_know():
    assert processes.espfilt.message == "Finding PN/MOS soft-proton flares"
    assert processes.epchain.message == "Assembling PN and PN-OOT event lists"
    assert processes.merge_subexposures.message == "Generating final PN/MOS event lists"
