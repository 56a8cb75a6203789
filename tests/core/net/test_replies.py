"""Replies of name services, tables and directory pages that make no sense: typed errors, nothing else."""

import contextlib
import urllib.parse

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daxa.context import Context
from daxa.exceptions import BadReplyError, DaxaError, NameNotResolvedError
from daxa.net.client import Patience, open_net, shown
from daxa.net.listing import parse_listing
from daxa.net.tap import read_votable
from daxa_testing.faults import FaultyServer
from daxa_testing.sky import Column
from daxa_testing.tap import votable

BASE = "https://archive.example/data/1/"
URL = "https://archive.example/tap/sync"
PAGE = "<html><head><title>Index of /data/1</title></head><body><pre>{}</pre></body></html>"


@pytest.mark.parametrize("href", ["http://[bad/x", "//[::1/x", "http://[v1.x]/", "%", "%ZZ", "%ff"])
def test_broken_addresses_on_a_page_are_passed_over(href):
    html = PAGE.format(f'<a href="{href}">x</a> 2020-01-01 10:00 1K\n<a href="a.fits">a.fits</a> 2020-01-01 10:00 1K')
    assert "a.fits" in [entry.name for entry in parse_listing(html, BASE)]


@pytest.mark.parametrize("size", ["9" * 400, "9" * 400 + "T", "1" * 5000])
def test_sizes_no_file_has_are_not_believed(size):
    (entry,) = parse_listing(PAGE.format(f'<a href="a.fits">a.fits</a> 2020-01-01 10:00 {size}'), BASE)
    assert entry.size is None


@pytest.mark.parametrize("text", ["<![", "<![a", "<!DOCTYPE [", "<!-", "<?", "<![CDATA["])
def test_declarations_that_do_not_end_are_a_typed_error_or_passed_over(text):
    try:
        parse_listing(PAGE.format('<a href="a.fits">a.fits</a> ' + text), BASE)
    except BadReplyError as problem:
        assert BASE in str(problem)


@given(st.text(alphabet='<>![]-?/a="hrefindxo of tile&#;0123456789KM\n ', max_size=120))
@settings(max_examples=300, deadline=None)
def test_markup_of_any_kind_ends_in_entries_or_a_typed_error(text):
    with contextlib.suppress(BadReplyError):
        parse_listing(PAGE.format('<a href="a.fits">a.fits</a> ' + text), BASE)


@given(st.text(st.characters(exclude_categories=("C",), exclude_characters="/\\"), min_size=1, max_size=40))
@settings(max_examples=200, deadline=None)
def test_a_name_on_a_page_comes_out_as_it_is_on_disk(name):
    html = PAGE.format(f'<a href="./{urllib.parse.quote(name)}">x</a> 2020-01-01 10:00 1K')
    found = [entry.name for entry in parse_listing(html, BASE)]
    assert found == ([name] if name.isprintable() and not name.startswith(".") else [])


def test_entities_behind_a_long_comment_are_refused_too():
    good = votable([Column("name")], [{"name": "x"}], binary=False).partition("?>")[2].replace(">x<", ">&x;<")
    hostile = f"<!-- <VOTABLE {'-x' * 40000} --><!DOCTYPE VOTABLE [<!ENTITY x 'resolved'>]>" + good
    with pytest.raises(BadReplyError, match="entities"):
        read_votable(hostile.encode(), URL)


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_a_table_with_wrong_bytes_ends_in_a_table_or_a_typed_error(data):
    columns = [Column("obsid", arraysize="12"), Column("ra", "double"), Column("n", "int")]
    rows = [{"obsid": "0001", "ra": 1.5, "n": 7}, {"obsid": "0002", "ra": None, "n": None}]
    body = bytearray(votable(columns, rows, binary=data.draw(st.booleans())).encode())
    for _ in range(data.draw(st.integers(1, 3))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(body)))
    with contextlib.suppress(DaxaError):
        read_votable(bytes(body[:cut] if data.draw(st.booleans()) else body), URL)


@pytest.mark.anyio
@pytest.mark.parametrize("rows", [[], [{"n": "many"}], [{"n": None}]])
async def test_a_count_that_is_none_is_told(tmp_path, rows):
    async with FaultyServer().serve() as server:
        server.add("/tap/sync", votable([Column("n")], rows, binary=False).encode())
        async with open_net(Context(output=str(tmp_path))) as net:
            with pytest.raises(BadReplyError, match=r"/tap"):
                await net.count(server.url("/tap"), "t")


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("reply", "position"),
    [("%J 148.97 +69.68 = x\n", (148.97, 69.68)), ("%J 1.5 -2.5\n", (1.5, -2.5)), ("%J 1..2 +-3\n", None), ("%J . .\n", None),
     ("#!Nothing found\n", None), ("", None), ("%J 400 12\n", None), ("%J 12 91\n", None)],
)  # fmt: skip
async def test_what_a_name_service_says(tmp_path, reply, position):
    async with FaultyServer().serve() as server:
        server.add("/sesame/SNV?M%2082", reply.encode())
        settings = {"url_sesame": server.url("/sesame/"), "output": str(tmp_path)}
        async with open_net(Context(**settings), patience=Patience(attempts=1)) as net:
            if position:
                assert await net.resolve(" M 82 ") == position
            else:
                with pytest.raises(NameNotResolvedError, match="M 82"):
                    await net.resolve("M 82")
            for odd in ("", "  ", "a\nb", None, 7):
                with pytest.raises(DaxaError):
                    await net.resolve(odd)


@given(
    st.from_regex(r"[A-Za-z0-9%._~-]{8,20}", fullmatch=True), st.sampled_from(["AIOPWD", "password", "token", "aiopwd"])
)
@settings(max_examples=100, deadline=None)
def test_no_secret_is_shown(secret, key):
    for text in (
        f"https://h/x?a=1&{key}={secret}&b=2",
        f"https://me:{secret}@h/x",
        f"failed: https://{secret}@h/x, twice",
    ):
        assert secret not in shown(text)
