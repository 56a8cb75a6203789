"""Directory pages."""

from hypothesis import given
from hypothesis import strategies as st

from daxa.net.listing import parse_listing
from tests.fuzz.common import LATIN, TEXT, fuzzed, mutated, only_typed

BASE = "https://archive.example/data/1/"
PRE = "<html><head><title>Index of /data/1</title></head><body><pre>{}</pre></body></html>"
TABLE = "<html><head><title>Index of /data/1</title></head><body><table>{}</table></body></html>"
HREF = st.one_of(
    TEXT,
    st.builds(
        "{}{}".format, st.sampled_from(["../", "/", "//", "./", "https://", "?C=N", "%2e%2e/", "a/../", "#"]), TEXT
    ),
)
ENTRY = st.builds(
    '<a href="{}">{}</a> {} {}\n'.format, HREF, TEXT, st.sampled_from(["2020-01-01 10:00", "", "yesterday"]),
    st.one_of(TEXT, st.builds("{}{}".format, st.integers(0, 10**25), st.sampled_from(["", "K", "M", ".5G"]))),
)  # fmt: skip
ROW = st.builds('<tr class="{}"><td><a href="{}">{}</a></td><td>{}</td></tr>'.format, TEXT, HREF, TEXT, TEXT)


def check(html):
    with only_typed():
        for entry in parse_listing(html, BASE):
            assert entry.name and not set(entry.name) & {"/", "\0"} and entry.name not in (".", "..")
            assert entry.size is None or entry.size >= 0


@fuzzed
@given(st.lists(st.one_of(ENTRY, ROW, LATIN), max_size=20), st.sampled_from([PRE, TABLE, "{}"]))
def test_pages_of_odd_entries(entries, page):
    check(page.format("".join(entries)))


@fuzzed
@given(mutated(PRE.format('<a href="a.fits">a.fits</a> 2020-01-01 10:00 1.5K\n' * 5).encode(), most=12))
def test_pages_with_wrong_bytes(page):
    check(page.decode("utf-8", errors="replace"))
