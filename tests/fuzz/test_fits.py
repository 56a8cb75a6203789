"""FITS files: the look that a transfer takes, and the reader of event lists."""

import gzip
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from daxa.net.fits import check_fits
from daxa_native.events import open_events
from daxa_native.fitsfile import read_fits
from tests.fuzz.common import LATIN, fuzzed, mutated, only_typed

EVENTS = gzip.decompress((Path(__file__).parents[1] / "data" / "native" / "rosat.evt.gz").read_bytes())
NUMBER = st.one_of(
    st.integers(-(10**20), 10**20), st.integers(-3, 12), st.floats(), st.sampled_from(["T", "F", "'x'", ""])
)
KEYWORD = st.sampled_from(
    ["BITPIX", "NAXIS", "NAXIS1", "NAXIS2", "PCOUNT", "GCOUNT", "TFIELDS", "TFORM1", "TTYPE1", "TDIM1", "THEAP",
     "EXTNAME", "EXTEND", "GROUPS", "TSCAL1", "TZERO1", "TNULL1", "XTENSION", "CONTINUE", "HIERARCH x"]
)  # fmt: skip
CARD = st.one_of(
    st.builds("{:<8}= {:>20}".format, KEYWORD, NUMBER),
    st.builds(
        "{:<8}= '{}'".format, KEYWORD, st.sampled_from(["1J", "999999999D", "PD(9)", "0A", "12X", "BINTABLE", "I"])
    ),
    LATIN,
)


def header(first, cards):
    text = "".join(card.ljust(80)[:80] for card in (first, *cards, "END"))
    data = text.encode("latin-1", errors="replace")
    return data.ljust(-(-len(data) // 2880) * 2880)


def looked_at(folder, data):
    path = folder / "a.fits"
    path.unlink(missing_ok=True)
    path.write_bytes(data)
    with only_typed():
        check_fits(path, path.name)
    with only_typed():
        found = read_fits(path)
        for hdu in found.hdus:
            if hdu.is_table:
                with only_typed():
                    assert len(hdu.table()) >= 0
    with only_typed():
        open_events(path)


@fuzzed
@given(
    primary=st.lists(CARD, max_size=8),
    extension=st.lists(CARD, max_size=12),
    rest=st.binary(max_size=100),
    blocks=st.integers(0, 3),
)
def test_files_of_odd_headers(folder, primary, extension, rest, blocks):
    data = header("SIMPLE  =                    T", primary) + header("XTENSION= 'BINTABLE'", extension)
    looked_at(folder, data + rest.ljust(2880 * blocks, b"\0"))


@fuzzed
@given(data=mutated(EVENTS))
def test_event_lists_with_wrong_bytes(folder, data):
    looked_at(folder, data)


@fuzzed
@given(data=mutated(gzip.compress(EVENTS)))
def test_packed_event_lists_with_wrong_bytes(folder, data):
    looked_at(folder, data)
