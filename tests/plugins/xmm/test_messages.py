import csv
import gzip
import json
import tracemalloc
from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daxa_xmm.messages import LONGEST, Message, iter_messages, parse_stderr

from .summaries import DATA, PHL1811

RAW = json.loads((PHL1811 / "raw_process_errors.json").read_text())["xmm_pointed"]
TASKS = ("emproc", "epproc", "odfingest", "rgsproc")


def log(name):
    return gzip.decompress((DATA / f"sas22_{name}.log.gz").read_bytes())


def warning(text):
    errors, (one,), rest = parse_stderr(text)
    assert (errors, rest) == ([], [])
    return one


# --- what was recorded ------------------------------------------------------------------------------------------------


def test_errors_are_those_that_were_recorded():
    found = {
        process: {ident: errors for ident, text in of.items() if (errors := parse_stderr(text)[0])}
        for process, of in RAW.items()
    }
    expected = json.loads((PHL1811 / "process_errors.json").read_text())["xmm_pointed"]
    assert {process: of for process, of in found.items() if of} == expected


def test_the_warning_is_the_one_that_was_recorded():
    recorded = json.loads((PHL1811 / "process_warnings_example.json").read_text())["entry"]
    line = "** {originator}: warning ({name}),  {message}".format(**recorded)
    assert warning(line) == recorded
    assert warning(line.replace("** epframes", "** epchain::epframes")) == recorded


def test_everything_of_a_real_standard_error():
    text = (DATA / "espfilt_0502671101PNS003_stderr.log").read_bytes()
    figures = json.loads((DATA / "espfilt_key_figures.json").read_text())["espfilt_0502671101PNS003_stderr"]
    errors, warnings, rest = parse_stderr(text)
    assert [[one["originator"], one["name"]] for one in warnings] == figures["warning_lines"]
    assert errors == ["noCounts raised by espfilt - All histo counts are zero! Check your FOV Lightcurve!"]
    assert [line[:4] for line in rest] == ["mv: "] * figures["unformatted_mv_lines"]
    assert warnings[1]["message"] == "warning NoWCS silently occurred 1 times"


def test_real_logs_hold_no_error_and_lose_no_name():
    found = {task: parse_stderr(log(task)) for task in TASKS}
    assert {task: len(warnings) for task, (_, warnings, _) in found.items()} == {
        "emproc": 61, "epproc": 42, "odfingest": 3, "rgsproc": 9,
    }  # fmt: skip
    assert not any(errors for errors, _, _ in found.values())
    for task, (_, warnings, _) in found.items():
        assert all(all(one.values()) for one in warnings), task
        assert not any("::" in one["originator"] for one in warnings)
        assert len(warnings) == log(task).count(b"** " + task.encode())
    names = {one["name"] for _, warnings, _ in found.values() for one in warnings}
    assert {"outside range", "binning", "InvalidObtValue", "SummaryOfWarnings"} <= names
    counts = [one["message"] for one in found["odfingest"][1] if one["name"] == "SummaryOfWarnings"]
    assert counts == [
        "warning HousekeepingParameterMissing silently occurred 19 times "
        "warning TranslationNotAvailable silently occurred 9 times"
    ]


# --- the form ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("** espfilt: error (noCounts), All zero", "noCounts raised by espfilt - All zero"),
        ("** epproc::epframes: error (neverHeardOf), x", "neverHeardOf raised by epframes - x"),
        ("** a::b::c: error (two words), x, y, ", "two words raised by c - x, y"),
        ("** rgsproc: error (binning ), x", "binning raised by rgsproc - x"),
        ("** omichain: error (Unable to open (SAS) file), gone", "Unable to open (SAS) file raised by omichain - gone"),
        ("** omichain: fatal (Task Failure), x", "Task Failure raised by omichain - x"),
        ("** dal: fatal error (corrupt), x", "corrupt raised by dal - x"),
        ("** evselect: error (x)", "x raised by evselect - "),
        ("** evselect: error (cut", "cut raised by evselect - "),
        ("** evselect: error, no name", "unnamed raised by evselect - no name"),
        ("** evselect: error (), no name", "unnamed raised by evselect - no name"),
        ("half a line** evselect: error (x), y", "x raised by evselect - y"),
        ("** emproc: error (x), ** epproc: warning (y), z", "x raised by emproc - ** epproc: warning (y), z"),
        ("** emproc: error (x), y\r", "x raised by emproc - y"),
    ],
)
def test_errors(line, error):
    assert parse_stderr(line)[0] == [error]


@pytest.mark.parametrize(
    "line",
    [
        "** evselect: warning (x), an error (y) happened",
        "** evselect: warning (x), ** espfilt: error (y), quoted",
        "** epevents: warning (failed), Gain correction - error code: 3, error: none",
        "** evselect: warning (error), x",
    ],
)
def test_an_error_within_a_warning_is_none(line):
    errors, warnings, rest = parse_stderr(line)
    assert (errors, len(warnings), rest) == ([], 1, [])


@pytest.mark.parametrize(
    "line",
    [
        "rgsproc::rgslccorr:- Calculating  lightcurve errors...",
        "********=========== WARNING! ==========********tabgtigen executed successfully!",
        "espfilt:- **** sortarray max bins    =   663 histo binwidth =    0.0196",
        "mv: cannot stat 'x': No such file or directory",
        "** espfilt: errors are estimated",
        "** espfilt: error estimates follow",
        "**espfilt: error",
        "evselect: error (x), without stars",
    ],
)
def test_other_lines_are_the_rest(line):
    assert parse_stderr(line) == ([], [], [line])


def test_indented_lines_belong_to_the_message_above():
    text = "** a: error (x), one\n   two\n\tthree\n\n   four\n** b: warning (y), \n  five  \nsix\n  seven\n"
    errors, warnings, rest = parse_stderr(text)
    assert errors == ["x raised by a - one two three"]
    assert warnings == [{"originator": "b", "name": "y", "message": "five"}]
    assert rest == ["   four", "six", "  seven"]


def test_messages_that_users_have_reported():
    """Of several releases, in the order of one log: a warning's line, an error that lists values, one of a chain."""
    errors, warnings, rest = parse_stderr(
        "** evselect: warning (NoFilteredEvents), No events have been selected - filtering of the event list\n"
        "** rmfgen: warning (RangeStateVariable::set), The value 0 for variable `ccd' is not in the allowed range\n\n"
        "** rmfgen::attcalc: warning (outOfImageRange),        12385  events ( of        25600  ) out of range\n"
        "** arfgen: error (MapXRangeInvalid),  X range for map ( min =-21000, max =-22600 ) is invalid. \n"
        "** emtaglenoise: error (IllegalIdentifier), No match - best match was: `'\n"
        "`Unknown' is not a valid camera mode identifier - the list of valid identifiers is:\nPrimeFullWindow\n"
        "** -: error (constituent), One (or more) of the constituent tasks ended in error !\n"
    )
    assert errors == [
        "MapXRangeInvalid raised by arfgen - X range for map ( min =-21000, max =-22600 ) is invalid.",
        "IllegalIdentifier raised by emtaglenoise - No match - best match was: `'",
        "constituent raised by - - One (or more) of the constituent tasks ended in error !",
    ]
    assert [(one["originator"], one["name"]) for one in warnings] == [
        ("evselect", "NoFilteredEvents"), ("rmfgen", "RangeStateVariable::set"), ("attcalc", "outOfImageRange"),
    ]  # fmt: skip
    assert rest == [
        "`Unknown' is not a valid camera mode identifier - the list of valid identifiers is:", "PrimeFullWindow",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "line",
    [
        "Segmentation fault (core dumped)",
        "Fortran runtime error: End of file",
        "At line 123 of file espfilt.f90 (unit = 10, file = 'mos1S001-hist.qdp')",
        "forrtl: severe (174): SIGSEGV, segmentation fault occurred",
        "terminate called after throwing an instance of 'std::bad_alloc'",
        "/bin/sh: 1: evselect: not found",
        "epchain: command not found",
        "error while loading shared libraries: libdal.so: cannot open shared object file",
        "lcurve: ERROR: could not open the parameter file",
        "Killed",
    ],
)
def test_a_crash_is_neither_lost_nor_taken_for_a_message(line):
    """It stays in the log; that the task failed is told by its exit status."""
    assert parse_stderr(f"** evselect: warning (x), y\n{line}\n") == (
        [], [{"originator": "evselect", "name": "x", "message": "y"}], [line],
    )  # fmt: skip
    _, (one,), rest = parse_stderr(f"** evselect: warning (x), y\n   {line}\n")
    assert one["message"] == f"y {line}" and not rest


def test_a_long_message_is_cut():
    one = warning("** a: warning (x), begin\n" + "   and more of it\n" * 100_000)
    assert len(one["message"]) == LONGEST and one["message"].startswith("begin and") and one["message"].endswith(" ...")


def test_bytes_that_are_no_text():
    errors, _, rest = parse_stderr(b"\xff\xfe\n** a: error (\xe9), caf\xe9\n\0\n")
    assert errors == ["\ufffd raised by a - caf\ufffd"]
    assert rest == ["\ufffd\ufffd", "\0"]


def test_nothing():
    assert parse_stderr("") == parse_stderr(b"\n\n") == ([], [], [])


# --- as a stream ------------------------------------------------------------------------------------------------------


def test_lines_and_files_read_like_the_text(tmp_path):
    path = tmp_path / "epproc.log"
    path.write_bytes(log("epproc"))
    whole = list(iter_messages(log("epproc")))
    with path.open() as file:
        assert list(iter_messages(file)) == whole
    assert list(iter_messages(path)) == list(iter_messages(path.read_bytes().splitlines())) == whole
    errors, warnings, rest = parse_stderr(path.read_text())
    assert warnings == [one.to_dict() for one in whole if one.kind == "warning"]
    assert rest == [str(one) for one in whole if one.kind == "rest"]
    assert errors == []


def test_a_large_log_is_not_held_in_memory(tmp_path):
    path = tmp_path / "large.log"
    path.write_bytes(b"x" * 20_000_000 + b"\n" + log("epproc") * 20 + b"** a: error (last), y")
    tracemalloc.start()
    (last,) = deque(iter_messages(path), maxlen=1)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert last == Message("error", "a", "last", "y")
    assert peak < 10_000_000


NAME = st.text(st.characters(codec="ascii", exclude_characters="()\n\r", categories=["L", "N", "P", "Zs"]), min_size=1)
TASK = st.from_regex(r"[a-z][a-z0-9]{0,12}", fullmatch=True)
MESSAGE = st.text(st.characters(exclude_characters="\n*", categories=["L", "N", "P", "Zs"]), max_size=80)


@given(
    found=st.lists(
        st.tuples(st.sampled_from(["error", "warning"]), st.lists(TASK, min_size=1, max_size=4), NAME, MESSAGE)
    )
)
def test_whatever_is_raised_comes_back(found):
    text = "".join(f"** {'::'.join(tasks)}: {level} ({name}), {message}\n" for level, tasks, name, message in found)
    seen = list(iter_messages(text))
    expected = [
        (level, tasks[-1], name.strip() or "unnamed", message.rstrip().strip(", "))
        for level, tasks, name, message in found
    ]
    assert [tuple(one) for one in seen] == expected
    errors, warnings, rest = parse_stderr(text)
    assert errors == [
        f"{name} raised by {task} - {message}" for level, task, name, message in expected if level == "error"
    ]
    assert len(warnings) == sum(level == "warning" for level, *_ in expected)
    assert rest == []


@given(text=st.text(st.sampled_from("** :error(warning)fatal,\n\t ax"), max_size=200))
def test_no_word_is_lost(text):
    errors, warnings, rest = parse_stderr(text)
    assert all(isinstance(one, str) for one in (*errors, *rest))
    assert all(list(one) == ["originator", "name", "message"] for one in warnings)
    assert bool(errors or warnings or rest) == bool(text.strip())


def test_names_are_kept_whatever_lists_say(tmp_path):
    names = [row[0] for row in csv.reader(["odf,x", "attitude,x", "exposure,x", "noEvents,x", "evselect,x"])]
    errors, _, _ = parse_stderr("\n".join(f"** epchain: error ({name}), text" for name in names))
    assert errors == [f"{name} raised by epchain - text" for name in names]
