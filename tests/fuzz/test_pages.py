"""Directory pages, and pages of buckets."""

from hypothesis import given
from hypothesis import strategies as st

from daxa.net.copies import entries_of
from daxa.net.listing import parse_listing
from daxa.net.s3 import parse_bucket_page
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


BUCKET = "<ListBucketResult><IsTruncated>{}</IsTruncated>{}</ListBucketResult>"
KEY = st.one_of(TEXT, st.builds("a/{}{}".format, st.sampled_from(["", "../", "/", "b/", "\\", "&#0;", "&amp;"]), TEXT))
OBJECT = st.builds(
    "<Contents><Key>{}</Key><Size>{}</Size><ETag>{}</ETag></Contents>".format,
    KEY, st.one_of(TEXT, st.integers(-5, 10**25)), TEXT,
)  # fmt: skip


def check_bucket(page):
    with only_typed():
        read = parse_bucket_page(page, BASE)
        for entry in entries_of(read.objects, "a/", BASE):
            assert entry.name and not set(entry.name) & {"/", "\\", "\0"} and entry.name not in (".", "..")
            assert entry.is_dir or entry.size >= 0


@fuzzed
@given(st.sampled_from(["false", "true", ""]), st.lists(st.one_of(OBJECT, LATIN), max_size=10).map("".join))
def test_buckets_of_odd_keys(more, inner):
    check_bucket(BUCKET.format(more, inner).encode())


@fuzzed
@given(
    mutated(BUCKET.format("false", "<Contents><Key>a/b</Key><Size>1</Size><ETag>x</ETag></Contents>").encode(), most=12)
)
def test_buckets_with_wrong_bytes(page):
    check_bucket(page)
