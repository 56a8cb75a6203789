import json
import os
import pickle
import string
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

import daxa_xmm
from daxa.api import TaskError
from daxa_xmm.mission import XMMPointed
from daxa_xmm.summary import LARGEST, LONGEST, BadSummaryError, parse_odf_sum

from .summaries import OBS, PHL1811, real, written

REFERENCE = json.loads((PHL1811 / "observation_summary_0204310101.json").read_text())
REAL = {"0201903501": "0828_0201903501", "0404910601": "1184_0404910601"}
SMALL = {
    "M1": {"active": True, "num_exp": 1, "exposures": {"S001": {
        "scheduled": True, "type": "SCIENCE", "mode": "PrimeFullWindow", "filter": "Thin1", "ccd_modes": {"1": "Imaging"}}}},
    "OM": {"active": False},
}  # fmt: skip


@pytest.fixture
def read(tmp_path):
    def at(content, obs_id=None):
        path = tmp_path / "0828_0204310101_SCX00000SUM.SAS"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return parse_odf_sum(path, obs_id)

    return at


# --- what is in a summary ---------------------------------------------------------------------------------------------


def test_a_summary_reads_as_it_did(read):
    assert read(written(REFERENCE), OBS) == REFERENCE


@pytest.mark.parametrize(
    ("obs_id", "counts"),
    [
        ("0201903501", {"M1": 1, "M2": 1, "R1": 10, "R2": 10, "PN": 13, "OM": 11}),
        ("0404910601", {"M1": 1, "M2": 1, "R1": 15, "R2": 15, "PN": 14, "OM": 11}),
    ],
)
def test_real_summaries(read, obs_id, counts):
    found = read(real(REAL[obs_id]), obs_id)
    assert {inst: info["num_exp"] for inst, info in found.items()} == counts
    assert {inst: len(info["exposures"]) for inst, info in found.items()} == counts
    assert found["M2"]["exposures"]["S002"] == {
        "scheduled": True, "type": "SCIENCE", "mode": "PrimeFullWindow", "filter": "Thin1",
        "ccd_modes": {str(ccd): "Imaging" for ccd in range(1, 8)},
    }  # fmt: skip
    assert found["R1"]["exposures"]["S004"]["filter"] is None
    assert found["OM"]["exposures"]["S400"] == {
        "scheduled": True, "type": "SCIENCE", "mode": "UNDEFINED", "filter": "UVW1", "ccd_modes": {},
    }  # fmt: skip
    assert json.loads(json.dumps(found)) == found


def test_what_of_it_is_of_use_is_judged_by_the_mission(read):
    found = read(real(REAL["0404910601"]))
    assert found["PN"]["exposures"]["U601"]["filter"] == "Thin1"
    usable = XMMPointed(["PN", "R1"]).assess_process_obs(found)
    assert [name for name, good in usable["PN"].items() if good] == ["S003"]
    assert [name for name, good in usable["R1"].items() if good] == ["S004"]


def test_a_missing_ccd_is_not_made_up(read):
    assert "6" not in read(real(REAL["0404910601"]))["M1"]["exposures"]["S001"]["ccd_modes"]


def test_line_ends_of_other_systems(read):
    text = written(REFERENCE)
    assert read(text.replace("\n", "\r\n")) == REFERENCE
    assert read("".join(f"{line:<80}\n" for line in text.splitlines())) == REFERENCE
    assert read(text.encode() + b"\nM\xfcller") == REFERENCE


CHANGES = {
    "tabs": lambda text: text.replace(" / ", "\t/\t").replace(" // ", "\t//\t"),
    "no blank before the comment": lambda text: text.replace(" / ", "/ "),
    "no blanks around the equals sign": lambda text: text.replace(" = ", "="),
    "blank lines": lambda text: text.replace("\n", "\n \n"),
    "blanks in front": lambda text: text.replace("\n", "\n  "),
    "a byte order mark": lambda text: "\ufeff" + text,
    "a comment that is no ASCII": lambda text: text.replace("\n//\n", "\n// M\xfcller\n"),
    "the proposal first": lambda text: "PROPOSAL\nGreen / Principal\n(049) 123\n//\n" + text,
    "another name for the mode": lambda text: text.replace("MODE = PrimeFull", "INSTRUMENT_MODE = PrimeFull"),
    "another word for the identifier": lambda text: text.replace("/ Exposure Identifier [", "/ Identifier ["),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_summary_written_somewhat_differently_reads_the_same(read, name):
    for text in (written(REFERENCE), real(REAL["0404910601"]).decode("latin-1")):
        assert read(CHANGES[name](text).encode("latin-1" if name.endswith("ASCII") else "utf-8")) == read(text)


def test_the_radiation_monitor_costs_nothing(read):
    """Releases of 2018 list it among the instruments; it has neither modes nor types."""
    whole, record = (
        written(SMALL),
        "INSTRUMENT\nRM\nY / Is this instrument active?\n1 / Number of exposures\nEXPOSURE\n",
    )
    record += "000 / Exposure Identifier [also X000]\n0 / Number of configuration parameters available\n"
    found = read(whole.replace("INSTRUMENT\nOM", f"{record}INSTRUMENT\nOM"))
    assert {inst: info for inst, info in found.items() if inst != "RM"} == SMALL
    assert XMMPointed().assess_process_obs(found) == {"M1": {"S001": True}}


def test_an_instrument_without_a_record_in_a_whole_file_is_not_there(read):
    whole = written(REFERENCE)
    start, end = (whole.index(f"INSTRUMENT\n{inst}") for inst in ("M2", "PN"))
    assert read(whole[:start] + whole[end:]) == {inst: info for inst, info in REFERENCE.items() if inst != "M2"}


def test_a_summary_without_proposal(read):
    assert read(written(SMALL, proposal=False).rstrip()) == SMALL


def test_names_of_files_stand_in_for_an_observation_record(read):
    text = written(SMALL).replace("OBSERVATION\n", "").replace(f"{OBS} / Observation Identifier\n", "")
    assert read(text, OBS) == SMALL
    with pytest.raises(BadSummaryError, match=r"summary of observation '0204310101'.*Expected: 0000000001"):
        read(text, "0000000001")


def test_a_filter_that_was_not_found_out_is_none(read):
    text = written(SMALL)
    for line in (
        "FILTER = -nan // Filter",
        "WARNING: FILTER not found\n__FILTER__ = 0",
        "FILTER = UNDEFINED // Filter",
    ):
        changed = text.replace("FILTER = Thin1 // Filter", line)
        assert read(changed)["M1"]["exposures"]["S001"]["filter"] is None, line


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("MODE = PrimeFullWindow /", "MODE = UNDEFINED /"),
        ("MODE = PrimeFullWindow /", "MODE = Undefined /"),
        ("MODE = PrimeFullWindow /", "MODE =  /"),
        ("4 / Number of configuration parameters available\nMODE = PrimeFullWindow / Instrument configuration \n",
         "3 / Number of configuration parameters available\n"),
    ],
)  # fmt: skip
def test_an_exposure_whose_mode_is_not_told_is_judged_by_its_ccds(read, old, new):
    text = written(SMALL)
    assert old in text
    found = read(text.replace(old, new))
    assert found["M1"]["exposures"]["S001"]["mode"].upper() == "UNDEFINED"
    assert found["M1"]["exposures"]["S001"]["ccd_modes"] == {"1": "Imaging"}
    assert XMMPointed().assess_process_obs(found) == {"M1": {"S001": True}}
    found["M1"]["exposures"]["S001"]["ccd_modes"] = {"1": "OffsetData"}
    assert XMMPointed().assess_process_obs(found) == {"M1": {"S001": False}}
    del found["M1"]["exposures"]["S001"]["ccd_modes"]
    assert XMMPointed().assess_process_obs(found) == {"M1": {"S001": False}}


def test_an_exposure_without_any_configuration_is_read(read):
    text = written(SMALL)
    start, end = text.index("4 / Number of configuration"), text.index("//\n// Instrument Record\n//\nINSTRUMENT\nOM")
    none = "0 / Number of configuration parameters available\n"
    told = read(text[:start] + none + text[end:])["M1"]["exposures"]["S001"]
    assert told == {"scheduled": True, "type": "SCIENCE", "mode": "UNDEFINED", "filter": None, "ccd_modes": {}}


def test_identifiers_without_the_long_form(read):
    assert read(written(SMALL).replace(" [also S001]", "")) == SMALL
    unscheduled = written(SMALL).replace(" [also S001]", "").replace("Y / Is this a sch", "N / Is this a sch")
    assert list(read(unscheduled)["M1"]["exposures"]) == ["U001"]


def test_windows_of_the_optical_monitor_are_no_ccds(read):
    text = written({"M1": SMALL["M1"], "OM": {**SMALL["M1"], "num_exp": 1}})
    text = text.replace("Data mode for CCD", "Data mode for window")
    found = read(text)
    assert found["OM"]["exposures"]["S001"]["ccd_modes"] == {}


def test_a_summary_with_the_least_that_is_needed(read):
    """No observation record, no configuration record, no files listed: what DAXA reads is read here."""
    lines = [
        "// comment", "//", "FILES", "PATH = /raw/", "//", "INSTRUMENT", "M1", "Y / Instrument was active",
        "1 / Number of exposures for this instrument", "//", "EXPOSURE", "001 / Exposure ID [also S001]",
        "SCIENCE / Exposure Type", "MODE = PrimeFullWindow / Instrument configuration", "FILTER = Thin1 / Filter",
        "DATA_MODE_1 = Imaging / Data mode for CCD 1", "LASTLINE = 1 / not of interest", "//", "INSTRUMENT", "OM",
        "N / Instrument was not active", "//", "PROPOSAL", "END", "",
    ]  # fmt: skip
    assert read("\n".join(lines), OBS) == SMALL


EXPOSURE = st.fixed_dictionaries(
    {
        "type": st.sampled_from(["SCIENCE", "CALIBRATION", "SLEW"]),
        "mode": st.text(string.ascii_letters + string.digits, min_size=1, max_size=30),
        "filter": st.none() | st.sampled_from(["Thin1", "Medium", "Thick", "CalClosed", "Closed", "White"]),
        "ccd_modes": st.dictionaries(st.integers(0, 12).map(str), st.sampled_from(["Imaging", "FastTiming"])),
    }
)
EXPOSURES = st.dictionaries(st.from_regex(r"[SU][0-9]{3}", fullmatch=True), EXPOSURE, max_size=4)
ACTIVE = EXPOSURES.map(
    lambda found: {
        "active": True,
        "num_exp": len(found),
        "exposures": {name: {**one, "scheduled": name[0] == "S"} for name, one in found.items()},
    }
)
SUMMARIES = st.dictionaries(
    st.sampled_from(["M1", "M2", "PN", "R1", "R2"]), ACTIVE | st.just({"active": False}), min_size=1
)


@given(summary=SUMMARIES, proposal=st.booleans(), end=st.sampled_from(["\n", "\r\n", "   \n", "\n\n"]))
def test_any_summary_comes_back(tmp_path_factory, summary, proposal, end):
    path = tmp_path_factory.getbasetemp() / "any_SUM.SAS"
    path.write_text(written(summary, proposal=proposal).replace("\n", end), newline="")
    assert parse_odf_sum(path, OBS) == summary


@given(data=st.data(), summary=SUMMARIES)
def test_a_file_that_was_cut_short_never_loses_an_exposure_in_silence(tmp_path_factory, data, summary):
    text = written(summary, proposal=False)
    path = tmp_path_factory.getbasetemp() / "cut_SUM.SAS"
    path.write_text(text[: data.draw(st.integers(0, len(text)))])
    try:
        found = parse_odf_sum(path)
    except BadSummaryError:
        return
    taken = {inst: info for inst, info in summary.items() if info["active"] and info["exposures"]}
    assert {inst: found[inst] for inst in taken} == taken


# --- what is none -----------------------------------------------------------------------------------------------------


def test_the_summary_of_another_observation_is_refused(read):
    with pytest.raises(BadSummaryError) as caught:
        read(written(SMALL), "0201903501")
    assert isinstance(caught.value, TaskError) and isinstance(caught.value, ValueError)
    text = str(caught.value)
    assert "SUM.SAS, line 7" in text and "Remedy: give the summary of that observation" in text
    assert "0204310101" in text and "Expected: 0201903501" in text
    assert (caught.value.context["line"], caught.value.context["obs_id"]) == (7, "0201903501")
    again = pickle.loads(pickle.dumps(caught.value))
    assert str(again) == text and again.context == caught.value.context


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("FILES\n", "", "line 18: an INSTRUMENT record comes before any FILES"),
        ("SCIENCE / Exposure Type\n", "", "the exposure S001 of M1 has no type"),
        ("MODE = PrimeFullWindow / Instrument configuration \n", "", "the exposure S001 of M1 has no mode"),
        ("1 / Number of exposures", "2 / Number of exposures", "M1 announces 2 exposures and has 1"),
        (
            "1 / Number of exposures",
            "one / Number of exposures",
            "'one / Number of exposures for this instrument' does",
        ),
        ("1 / Number of exposures for this instrument\n", "", "M1 has exposures, but not how many"),
        ("001 / Exposure Identifier [also S001]\n", "", "the identifier ''"),
        ("[also S001]", "[also ../..]", "the identifier '../..'"),
        ("Y / Is this instrument", "? / Is this instrument", "does not say whether M1 was active"),
        ("INSTRUMENT\nM1\n", "INSTRUMENT\n../etc\n", "'../etc' is no instrument"),
        ("INSTRUMENT\nOM\n", "INSTRUMENT\nM1\n", "instrument M1 has a second record"),
        ("INSTRUMENT\nM1\n", "", "outside of an instrument"),
        ("INSTRUMENT\nOM\n", "INSTRUMENT\nINSTRUMENT\n", "record is empty"),
        ("N / Is this instrument", "INSTRUMENT\nPN\nN / Is this", "whether OM was active is not said"),
        ("Thin1 // Filter\n", "Thin1\0", "not a text file"),
        ("Thin1 // Filter\n", "Thin1" * LONGEST, "more than 8192 characters"),
    ],
)
def test_damaged_summaries_are_refused_with_their_line(read, old, new, says):
    text = written(SMALL)
    assert old in text
    with pytest.raises(BadSummaryError) as caught:
        read(text.replace(old, new, 1))
    assert says in str(caught.value)
    assert "SUM.SAS, line " in str(caught.value) and "Expected: " in str(caught.value)


def test_an_exposure_that_comes_twice_is_refused(read):
    text = written(REFERENCE).replace("[also U003]", "[also U002]")
    with pytest.raises(BadSummaryError, match="exposure U002 of PN has a second record"):
        read(text)


def test_an_instrument_whose_files_are_listed_but_not_described_is_refused(read):
    whole = written(REFERENCE, proposal=False)
    cut = whole[: whole.index("//\n// Instrument Record\n//\nINSTRUMENT\nPN")]
    with pytest.raises(BadSummaryError, match="data of PN are listed, but it has no INSTRUMENT record"):
        read(cut)


def test_a_file_that_ends_within_the_last_exposure_is_refused(read):
    text = written({"M1": SMALL["M1"]}, proposal=False)
    with pytest.raises(BadSummaryError, match=r"ends within the exposure S001 of M1.*4 parameters, of which 3"):
        read(text[: text.index("FILTER = Thin1")])
    with pytest.raises(BadSummaryError, match="the file ends within a line of the exposure S001 of M1"):
        read(text[: text.index("n1 // Filter")])


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "neither FILES nor INSTRUMENT"),
        (b"\n" * 1000, "neither FILES nor INSTRUMENT"),
        (b"<html>404</html>\n", "neither FILES nor INSTRUMENT"),
        (bytes(range(256)) * 100, "not a text file"),
        (b"\xff\xfe" + "FILES\n".encode("utf-16-le"), "not a text file"),
        (b"FILES\n0 / Number of Files\n", "no INSTRUMENT record"),
        (b"FILES\nINSTRUMENT\n", "an INSTRUMENT record is empty"),
        (b"FILES\nINSTRUMENT\nM1\n", "whether M1 was active is not said"),
        (b"FILES\nINSTRUMENT\nM1\nY\n", "number of exposures of M1 is not said"),
        (b"FILES\nINSTRUMENT\nM1\nY\n" + b"9" * 5000 + b" / Number of exposures", "does not begin with a number"),
    ],
)
def test_what_is_no_summary_is_refused(read, content, says):
    with pytest.raises(BadSummaryError, match=says):
        read(content)


def test_too_large_a_file_is_left_alone(tmp_path):
    path = tmp_path / "SUM.SAS"
    with path.open("wb") as file:
        file.write(b"FILES\n" + (b"x" * 4095 + b"\n") * (LARGEST // 4096))
    with pytest.raises(BadSummaryError, match="more than 16777216 bytes"):
        parse_odf_sum(path)


def test_what_cannot_be_read_at_all(tmp_path):
    with pytest.raises(BadSummaryError, match="No such file"):
        parse_odf_sum(tmp_path / "none.SAS")
    with pytest.raises(BadSummaryError, match="not a regular file"):
        parse_odf_sum(tmp_path)
    os.mkfifo(tmp_path / "pipe.SAS")
    with pytest.raises(BadSummaryError, match="not a regular file"):
        parse_odf_sum(tmp_path / "pipe.SAS")
    with pytest.raises(BadSummaryError, match="cannot be read"):
        parse_odf_sum("a\0b")


# --- the package ------------------------------------------------------------------------------------------------------


def test_importing_the_plugin_and_reading_a_summary_loads_nothing_heavy():
    code = (
        "import sys, daxa_xmm; daxa_xmm.parse_odf_sum; daxa_xmm.parse_stderr; daxa_xmm.read_espfilt_log; "
        "print([name for name in ('astropy', 'pandas', 'numpy', 'aiohttp') if name in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout == "[]\n"


def test_every_name_of_the_package_is_there():
    assert set(daxa_xmm.__all__) <= set(daxa_xmm._LATE) <= set(dir(daxa_xmm))
    assert all(getattr(daxa_xmm, name).__doc__ for name in daxa_xmm.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        getattr(daxa_xmm, "nothing")  # noqa: B009
