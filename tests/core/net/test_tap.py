"""Table services: serialisations, statuses, hostile documents."""

import warnings
from concurrent.futures import ThreadPoolExecutor

import pytest

from daxa.context import Context
from daxa.exceptions import BadReplyError, NameNotResolvedError, NetworkError, ServiceError
from daxa.net.client import Patience, open_net
from daxa.net.tap import query_status, read_votable
from daxa_testing import faults
from daxa_testing.faults import FaultyServer
from daxa_testing.sky import Column, Sky
from daxa_testing.tap import error_votable, votable

URL = "https://heasarc.gsfc.nasa.gov/xamin/vo/tap/sync"
COLUMNS = [Column("OBSID", arraysize="12"), Column("ra", "double"), Column("n", "int"), Column("name")]
ROWS = [{"OBSID": "0001", "ra": 1.5, "n": 7, "name": "  A  "}, {"OBSID": "0002", "ra": None, "n": None, "name": None}]
HEAD = '<?xml version="1.0"?>\n<VOTABLE version="1.3"><RESOURCE type="results">'


@pytest.mark.parametrize("binary", [True, False], ids=["BINARY", "TABLEDATA"])
def test_both_serialisations(binary):
    table = read_votable(votable(COLUMNS, ROWS, binary=binary).encode(), URL, columns=["obsid", "ra"])
    assert table.colnames == ["obsid", "ra", "n", "name"]
    assert list(table["obsid"]) == ["0001", "0002"] and table["name"][0] == "A" and table["ra"][0] == 1.5
    assert table["n"].mask.tolist() == [False, True]


def test_a_missing_column_is_named():
    with pytest.raises(BadReplyError, match="public_date"):
        read_votable(votable(COLUMNS, ROWS, binary=True).encode(), URL, columns=["obsid", "public_date"])


def test_tables_that_are_read_side_by_side_leave_warnings_as_they_are():
    body = votable(COLUMNS, ROWS * 200, binary=False).encode()
    before = list(warnings.filters)
    with ThreadPoolExecutor(6) as pool:
        assert {len(one) for one in pool.map(lambda _: read_votable(body, URL), range(40))} == {400}
    assert warnings.filters == before


def test_an_error_document_even_with_rows():
    with pytest.raises(ServiceError, match="column obsidx does not exist"):
        read_votable(error_votable("column obsidx does not exist").encode(), URL)
    both = votable(COLUMNS, ROWS, binary=False).replace('value="OK"/>', 'value="ERROR">half way</INFO>')
    with pytest.raises(ServiceError, match="half way"):
        read_votable(both.encode(), URL)


def test_overflow_after_the_table():
    cut = votable(COLUMNS, ROWS, binary=False).replace(
        "</TABLE>", '</TABLE><INFO name="QUERY_STATUS" value="OVERFLOW"/>'
    )
    assert query_status(cut.encode())[0] == "OVERFLOW"
    with pytest.raises(BadReplyError, match="part"):
        read_votable(cut.encode(), URL)
    assert len(read_votable(cut.encode(), URL, overflow=True)) == 2


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>502 Bad Gateway</html>", b"obsid|ra\n1|2\n", votable(COLUMNS, ROWS, binary=True).encode()[:-60],
     votable(COLUMNS, ROWS, binary=True).replace("AAA", "!!!").encode()],
)  # fmt: skip
def test_what_is_no_sound_table_is_refused(body):
    with pytest.raises(BadReplyError):
        read_votable(body, URL)


def test_entities_are_never_resolved(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("hunter2")
    hostile = f'<?xml version="1.0"?><!DOCTYPE VOTABLE [<!ENTITY x SYSTEM "{secret.as_uri()}">]>' + votable(
        COLUMNS, ROWS, binary=False
    ).partition("?>")[2].replace("  A  ", "&x;")
    with pytest.raises(BadReplyError, match="entities") as caught:
        read_votable(hostile.encode(), URL)
    assert "hunter2" not in str(caught.value)
    bomb = '<?xml version="1.0"?><!DOCTYPE v [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><VOTABLE>&b;</VOTABLE>'
    with pytest.raises(BadReplyError):
        read_votable(bomb.encode(), URL)


@pytest.mark.parametrize(
    ("document", "status"),
    [
        (HEAD + '<INFO name="QUERY_STATUS" value="ok"/></RESOURCE></VOTABLE>', "OK"),
        ('<VOTABLE><INFO name="QUERY_STATUS" value="ERROR">root</INFO></VOTABLE>', "ERROR"),
        ('<VOTABLE><INFO name="Error" value="old style"/></VOTABLE>', "ERROR"),
        (HEAD + '<INFO name="QUERY_STATUS" value="OK"/><TABLE/><INFO name="QUERY_STATUS" value="ERROR">late</INFO></RESOURCE></VOTABLE>', "ERROR"),
        ('<x:VOTABLE xmlns:x="y"><x:RESOURCE type="results"><x:INFO name="QUERY_STATUS" value="OK"/></x:RESOURCE></x:VOTABLE>', "OK"),
        ("<VOTABLE/>", None),
    ],
)  # fmt: skip
def test_where_the_status_stands(document, status):
    assert query_status(document.encode())[0] == status


@pytest.mark.anyio
@pytest.mark.parametrize(
    "service",
    [
        "https://heasarc.gsfc.nasa.gov/xamin/vo/tap",
        "https://nxsa.esac.esa.int/tap-server/tap",
        "https://cda.cfa.harvard.edu/cxctap",
    ],
)
async def test_each_services_manner_over_the_wire(service, tmp_path):
    sky = Sky()
    columns = [Column("obsid", arraysize="12"), *COLUMNS[1:]]
    sky.add_table(service, "t", columns, [{"obsid": f"{n:04d}", "ra": float(n), "n": n, "name": "x"} for n in range(5)])
    with sky.running_in_thread() as running:
        async with open_net(Context(output=str(tmp_path))) as net:
            address = running.local(service)
            table = await net.tap(address, "SELECT OBSID, n FROM t WHERE n > 2", columns=["obsid"])
            assert list(table["obsid"]) == ["0003", "0004"]
            assert await net.count(address, "t") == 5
            with pytest.raises(ServiceError, match="nowhere"):
                await net.tap(address, "SELECT a FROM nowhere")


@pytest.mark.anyio
async def test_names(tmp_path):
    sky = Sky()
    sky.add_name("M 82", 148.97, 69.68)
    with sky.running_in_thread() as running:
        async with open_net(
            Context(**running.settings(), output=str(tmp_path)), patience=Patience(attempts=2, first=0.01)
        ) as net:
            assert await net.resolve("M82") == (148.97, 69.68)
            with pytest.raises(NameNotResolvedError, match="Nonesuch"):
                await net.resolve("Nonesuch")


MIRROR = "http://vizier.cfa.harvard.edu/viz-bin/nph-sesame/"


@pytest.mark.anyio
async def test_names_are_asked_for_elsewhere_when_the_first_service_fails(tmp_path):
    sky = Sky()
    sky.add_name("M 82", 148.97, 69.68, service_url=MIRROR)
    patience = Patience(attempts=2, first=0.01)
    with sky.running_in_thread() as running:
        settings = running.settings()
        async with open_net(Context(**settings, output=str(tmp_path)), patience=patience) as net:
            assert await net.resolve("M82") == (148.97, 69.68)  # the sky does not hold the first
            with pytest.raises(NameNotResolvedError, match="Nonesuch"):
                await net.resolve("Nonesuch")
        assert [one.url for one in running.requests][:2] == [
            "https://cds.unistra.fr/cgi-bin/nph-sesame/SNV?M82", MIRROR.replace("http:", "https:") + "SNV?M82"
        ]  # fmt: skip
        # whoever names one address of his own means that one alone
        before = len(running.requests)
        own = Context(url_sesame=f"{running.address}/mine/", output=str(tmp_path))
        async with open_net(own, patience=patience) as net:
            with pytest.raises(NetworkError, match="/mine/"):
                await net.resolve("M82")
        assert len(running.requests) == before + 1


@pytest.mark.anyio
async def test_a_name_the_first_service_does_not_know_is_not_asked_for_again(tmp_path):
    sky = Sky()
    sky.add_name("M 81", 1.0, 2.0)
    sky.add_name("M 82", 148.97, 69.68, service_url=MIRROR)
    with sky.running_in_thread() as running:
        async with open_net(Context(**running.settings(), output=str(tmp_path))) as net:
            with pytest.raises(NameNotResolvedError, match="M82"):
                await net.resolve("M82")
        assert len(running.requests) == 1


@pytest.mark.anyio
@pytest.mark.parametrize("status", [500, 502, 503])
async def test_a_service_that_stumbles_is_asked_again(tmp_path, status):
    async with FaultyServer().serve() as server:
        server.add("/tap/sync", votable(COLUMNS, ROWS, binary=True).encode(), faults.status(status, 2))
        patience = Patience(attempts=4, first=0.01, most=0.01)
        async with open_net(Context(output=str(tmp_path)), patience=patience) as net:
            assert len(await net.tap(server.url("/tap"), "SELECT 1")) == 2
        assert server.requests["/tap/sync"] == 3


@pytest.mark.anyio
@pytest.mark.parametrize("status", [200, 400, 404, 422, 500, 503])
async def test_what_a_service_says_of_a_query_counts_whatever_the_status(tmp_path, status):
    async def refusing(answer):
        await answer.head(status, Content_Length=str(len(answer.content)))
        await answer.body(answer.content)

    async with FaultyServer().serve() as server:
        server.add("/tap/sync", error_votable("column nonsense does not exist").encode(), refusing)
        async with open_net(Context(output=str(tmp_path)), patience=Patience(attempts=4, first=0.01)) as net:
            with pytest.raises(ServiceError, match="column nonsense"):
                await net.tap(server.url("/tap"), "SELECT nonsense FROM t")
        assert server.requests["/tap/sync"] == 1  # a query that is refused is not tried again
