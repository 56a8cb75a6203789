"""Tables that services answer with, and the status in them."""

from hypothesis import given
from hypothesis import strategies as st

from daxa.net.tables import texts, time_from_seconds, utc_from_mjd, utc_from_text, whole_numbers
from daxa.net.tap import read_votable
from daxa_testing.sky import Column
from daxa_testing.tap import error_votable, votable
from tests.fuzz.common import LATIN, TEXT, fuzzed, mutated, only_typed

URL = "https://archive.example/tap/sync"
ROWS = [{"name": "first", "ra": 10.5, "n": 3}, {"name": "", "ra": -1.25, "n": -7}]
COLUMNS = [Column("name"), Column("ra", "double"), Column("n", "int")]
PLAIN = votable(COLUMNS, ROWS, binary=False).encode()
BINARY = votable(COLUMNS, ROWS, binary=True).encode()
REFUSAL = error_votable("no such column").encode()
MARKUP = st.sampled_from(
    [b"<TABLE>", b"</TABLE>", b"<TD>", b"</TD>", b"<TR>", b"<!ENTITY x 'y'>", b"<!DOCTYPE a [", b"&x;", b"<![CDATA[",
     b'arraysize="99999999"', b'datatype="double"', b'encoding="utf-7"', b"<STREAM encoding='base64'>AAAA</STREAM>",
     b"<FIELD name='a' datatype='char' arraysize='*'/>", b"<INFO name='QUERY_STATUS' value='OVERFLOW'/>", b"<VOTABLE>"]
)  # fmt: skip


@fuzzed
@given(st.sampled_from([PLAIN, BINARY, REFUSAL]).flatmap(mutated))
def test_replies_with_wrong_bytes(body):
    with only_typed():
        assert len(read_votable(body, URL, overflow=True)) < 10_000


@fuzzed
@given(st.sampled_from([PLAIN, BINARY]), st.lists(st.tuples(st.integers(0, 3000), MARKUP), max_size=6))
def test_replies_with_markup_in_wrong_places(body, pieces):
    for at, piece in pieces:
        body = body[: at % len(body)] + piece + body[at % len(body) :]
    with only_typed():
        read_votable(body, URL, columns=["name", "ra"])


@fuzzed
@given(st.lists(st.one_of(TEXT, LATIN, st.none()), max_size=10), st.lists(st.floats(), max_size=10))
def test_columns_of_odd_values(words, numbers):
    import numpy as np

    with only_typed():
        assert len(texts(words)) == len(words)
        utc_from_text(words)
    with only_typed():
        assert len(utc_from_mjd(np.array(numbers))) == len(numbers)
    with only_typed():
        assert len(time_from_seconds(np.array(numbers))) == len(numbers)
    with only_typed():
        assert len(whole_numbers(np.array(numbers))) == len(numbers)
