"""Directory pages, recorded and hostile."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daxa.exceptions import BadReplyError
from daxa.net.listing import parse_listing

DATA = Path(__file__).parents[2] / "data"
BASE = "https://heasarc.gsfc.nasa.gov/FTP/nustar/data/obs/00/8/80002092008/"


def page(*hrefs, title="Index of /FTP", end="</html>"):
    links = "\n".join(f'<img alt="[ ]"> <a href="{href}">{href}</a>  2020-11-06 20:20  1.7M' for href in hrefs)
    return f"<html><head><title>{title}</title></head><body><pre>{links}</pre></body>{end}"


def test_apaches_preformatted_page():
    entries = parse_listing((DATA / "sky" / "heasarc_nustar_80002092008_index.html").read_text(), BASE)
    found = {entry.name: entry for entry in entries}
    assert {name for name, entry in found.items() if entry.is_dir} >= {"auxil", "hk"}
    assert found["pipe.log"].size == int(1.7 * 1024**2) and not found["pipe.log"].exact
    assert found["pipe.log"].modified.startswith("2020-11-06")


def test_the_xmm_page():
    url = "https://heasarc.gsfc.nasa.gov/FTP/xmm/data/rev0/0153950401/"
    entries = parse_listing((DATA / "sky" / "heasarc_xmm_0153950401_index_abridged.html").read_text(), url)
    assert {"ODF", "PPS"} <= {entry.name for entry in entries if entry.is_dir}


def test_erodats_pages_have_exact_sizes():
    base = "https://erosita.mpe.mpg.de/erodat/data/download/135/134/"
    above = parse_listing((DATA / "http" / "134135.html").read_text(), base)
    assert {entry.name for entry in above} == {"DET_010", "EXP_010", "SOU_010", "UPP_010"}
    below = parse_listing((DATA / "http" / "134135_det.html").read_text(), base + "DET_010/")
    assert len(below) == 19 and all(entry.exact and entry.size > 0 for entry in below)


def test_a_table_page():
    html = (
        "<html><head><title>Index of /x</title></head><body><table>"
        '<tr><td><a href="/">Parent Directory</a></td></tr>'
        '<tr><td><a href="a.fits">a.fits</a></td><td align="right">2020-01-01 10:00</td><td align="right">269K</td></tr>'
        '<tr><td><a href="sub/">sub/</a></td><td>2020-01-01 10:00</td><td>-</td></tr></table></body></html>'
    )
    a, sub = parse_listing(html, "http://h/x/")
    assert (a.name, a.size, a.is_dir) == ("a.fits", 269 * 1024, False) and (sub.name, sub.is_dir) == ("sub", True)


@pytest.mark.parametrize(
    "href",
    ["?C=N;O=D", "/FTP/", "../", "..", "../../etc/passwd", "%2e%2e/x", "a%2Fb", "http://evil.example/x", "//evil.example/x",
     "javascript:alert(1)", "mailto:x@y", "#top", "", "a/b/c", "a%00b", "a\\b", "/FTP/nustar/data/obs/00/8/800020920080/x"],
)  # fmt: skip
def test_hostile_and_foreign_links_are_dropped(href):
    assert [entry.name for entry in parse_listing(page("good.fits", href), BASE)] == ["good.fits"]


@pytest.mark.parametrize("html", ["", "Service unavailable", page("a.fits", title="Error"), page("a.fits", end="")])
def test_what_is_no_whole_listing_is_refused(html):
    with pytest.raises(BadReplyError, match="80002092008"):
        parse_listing(html, BASE)


def test_an_error_page_is_no_listing():
    with pytest.raises(BadReplyError):
        parse_listing((DATA / "http" / "bad_table.html").read_text(), BASE)


@given(st.text(max_size=300), st.lists(st.text(max_size=20), max_size=5))
@settings(max_examples=200, deadline=None)
def test_whatever_a_page_says_names_stay_in_their_directory(text, hrefs):
    html = page(*(href.replace('"', "") for href in hrefs)) + text
    try:
        entries = parse_listing(html, BASE)
    except BadReplyError:
        return
    for entry in entries:
        assert entry.name not in ("", ".", "..") and not set(entry.name) & {"/", "\\", "\x00"}


@pytest.mark.parametrize(
    ("title", "asked"),
    [
        ("Index of /FTP/nustar/data/obs/00/8", None),
        ("Index of /FTP/nustar/data/obs/00/8/80002092009", None),
        ("Directory listing for /135/134/ | eRODat", "https://h/erodat/data/download/135/135/"),
        ("Index of /FTP/nustar/data/obs/00/8", "https://h/FTP/nustar/data/obs/00/8/80002092008/"),
    ],
)
def test_the_page_of_another_directory_is_refused(title, asked):
    with pytest.raises(BadReplyError, match="another directory"):
        parse_listing(page("a.fits", title=title), BASE, asked=asked)


@pytest.mark.parametrize(
    "title", ["Index of /pub/mirror/obs/00/8/80002092008/", "index of", "Index of /", "Index of /FTP/x y/8/80002092008"]
)
def test_where_a_mirror_keeps_it_does_not_matter(title):
    assert [entry.name for entry in parse_listing(page("a.fits", title=title), BASE)] == ["a.fits"]


@pytest.mark.parametrize("name", ["x" * 236, "ä" * 118, ".htaccess", ".fits"])
def test_names_that_no_disk_takes_and_hidden_ones_are_dropped(name):
    assert [entry.name for entry in parse_listing(page("a" * 235, name), BASE)] == ["a" * 235]
