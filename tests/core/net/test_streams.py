"""Streams of VOTables: cut short, elsewhere, in other encodings, and with letters that are not ASCII."""

import base64
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daxa.exceptions import BadReplyError
from daxa.net.tables import frame
from daxa.net.tap import read_votable

URL = "https://heasarc.gsfc.nasa.gov/xamin/vo/tap/sync"
FIELDS = '<FIELD name="Name" datatype="char" arraysize="{}"/><FIELD name="n" datatype="int"/>'


def document(rows, arraysize="*", form="BINARY", fields=FIELDS, attributes='encoding="base64"'):
    text = base64.encodebytes(rows).decode()
    return (
        '<?xml version="1.0"?><VOTABLE version="1.3" xmlns="http://www.ivoa.net/xml/VOTable/v1.3">'
        f'<RESOURCE type="results"><INFO name="QUERY_STATUS" value="OK"/><TABLE>{fields.format(arraysize)}'
        f"<DATA><{form}><STREAM {attributes}>{text}</STREAM></{form}></DATA></TABLE></RESOURCE></VOTABLE>"
    ).encode()


def row(text, number, arraysize="*", form="BINARY"):
    nulls = b"\0" if form == "BINARY2" else b""
    counted = struct.pack(">i", len(text)) + text if arraysize.endswith("*") else text.ljust(int(arraysize))
    return nulls + counted + struct.pack(">i", number)


FORMS = pytest.mark.parametrize("form", ["BINARY", "BINARY2"])
SIZES = pytest.mark.parametrize("arraysize", ["*", "24*", "24"])


@FORMS
@SIZES
@pytest.mark.parametrize(
    ("raw", "text"),
    [("η Car".encode(), "η Car"), (b"caf\xe9", "café"), (b"Abell 907", "Abell 907"), (b"ab\0cd", "ab"), (b"", "")],
)
def test_texts_are_utf_8_or_else_latin_1_up_to_a_zero(form, arraysize, raw, text):
    rows = b"".join(row(one, number, arraysize, form) for number, one in enumerate([b"first", raw, b"last"]))
    table = read_votable(document(rows, arraysize, form), URL, columns=["name", "n"])
    assert list(table["name"]) == ["first", text, "last"] and list(table["n"]) == [0, 1, 2]
    assert list(frame(table, ["n", "name"])["name"]) == ["first", text, "last"]


@FORMS
@SIZES
def test_a_last_row_that_is_cut_short_is_not_passed_over(form, arraysize):
    one = row(b"0123456789" * 2, 7, arraysize, form)
    for cut in range(1, len(one)):
        with pytest.raises(BadReplyError, match="ends within row 3"):
            read_votable(document((one * 3)[:-cut], arraysize, form), URL)
    assert len(read_votable(document(one * 2, arraysize, form), URL)) == 2
    assert len(read_votable(document(b"", arraysize, form), URL)) == 0


@FORMS
@pytest.mark.parametrize("href", ["file:///etc/passwd", "http://127.0.0.1:1/", "data.bin"])
def test_a_table_that_lies_elsewhere_is_not_fetched(form, href, tmp_path):
    secret = tmp_path / "secret"
    secret.write_bytes(row(b"hunter2", 1))
    for address in (href, secret.as_uri()):
        with pytest.raises(BadReplyError, match="lies elsewhere") as caught:
            read_votable(document(b"", form=form, attributes=f'href="{address}"'), URL)
        assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("attributes", ['encoding="rot13"', 'encoding="gzip"', ""])
def test_encodings_that_nobody_reads_are_refused(attributes):
    with pytest.raises(BadReplyError, match="encoded as"):
        read_votable(document(row(b"x", 1), attributes=attributes), URL)


@pytest.mark.parametrize("length", [b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff"])
def test_lengths_that_no_text_has_end_at_once(length):
    with pytest.raises(BadReplyError, match="ends within row 1"):
        read_votable(document(length + b"x" * 50), URL)


@pytest.mark.timeout(30)
def test_rows_of_nothing_end_too():
    with pytest.raises(BadReplyError):
        read_votable(document(b"xyz", fields='<FIELD name="a" datatype="char" arraysize="0"/>'), URL)


@given(st.lists(st.tuples(st.binary(max_size=12), st.integers(0, 99)), max_size=8))
@settings(max_examples=80, deadline=None)
def test_whatever_bytes_texts_are_of_the_other_columns_stay_right(given_rows):
    body = document(b"".join(row(text, number) for text, number in given_rows))
    assert [int(one) for one in read_votable(body, URL)["n"]] == [number for _, number in given_rows]
