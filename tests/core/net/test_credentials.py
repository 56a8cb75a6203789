"""Credentials: where they are found, who sees them, and who never does."""

import json
import traceback
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from daxa.context import Context
from daxa.exceptions import AccessDeniedError, BadReplyError, DAXAConfigError, InvalidParameterError, NetworkError
from daxa.net.asking import proxies_of_the_environment, proxy_of
from daxa.net.client import Patience, open_net
from daxa.net.logins import Login, Logins, find_login, known_login, login_of, with_query
from daxa.specs import Location, RemoteFile, ServiceSpec

pytestmark = pytest.mark.anyio

USER, PASSWORD = "me@home", "p&=+%# é/'\"?"
PIECES = (USER, "me%40home", PASSWORD, "p%26", "AIOPWD=p")


@asynccontextmanager
async def serving(answer):
    """A server of one's own; what it was asked is kept."""
    asked = []

    async def handle(request):
        asked.append((request.method, request.path, dict(request.query), dict(request.headers)))
        return await answer(request)

    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield runner.addresses[0][1], asked
    finally:
        await runner.cleanup()


async def hello(_request):
    return web.Response(text="hello")


def context(port, host="127.0.0.1", **more):
    return Context(url_xsa=f"http://{host}:{port}/xsa/", xsa_user=USER, xsa_password=PASSWORD, **more)


def net(surroundings, **more):
    return open_net(surroundings, patience=Patience(attempts=2, first=0.01), **more)


def whole_story(problem):
    """Everything that a traceback, a log or a debugger may show of an error."""
    told = "".join(traceback.format_exception(problem))
    seen = []
    while problem is not None and problem not in seen:
        seen.append(problem)
        told += repr(problem) + str(problem) + repr(vars(problem))
        problem = problem.__cause__ or problem.__context__
    return told


def is_silent(text):
    return not [one for one in PIECES if one in text]


# --- who sees them -------------------------------------------------------------------------------------------------


async def test_they_come_as_they_were_given_and_to_the_service_alone():
    async with serving(hello) as (port, asked), net(context(port)) as open_one:
        reply = await open_one.get(f"http://127.0.0.1:{port}/xsa/aio?obsno=1&x=a%20b")
        await open_one.get(f"http://127.0.0.1:{port}/xsa-tap/sync?x=1")
        await open_one.get(f"http://127.0.0.1:{port}/xsa/aio", method="HEAD", params=None)
    assert asked[0][2] == {"obsno": "1", "x": "a b", "AIOUSER": USER, "AIOPWD": PASSWORD}
    assert asked[1][2] == {"x": "1"}
    assert asked[2][2] == {"AIOUSER": USER, "AIOPWD": PASSWORD}
    assert is_silent(reply.url) and reply.url.endswith("?obsno=1&x=a%20b") and is_silent(repr(reply))


async def test_they_go_over_https_or_to_this_machine_only(caplog):
    async with serving(hello) as (port, asked), net(context(port, host="localhost")) as open_one:
        await open_one.get(f"http://localhost:{port}/xsa/aio?obsno=1")
    assert [one[2] for one in asked] == [{"obsno": "1"}]
    assert "not https" in caplog.text and is_silent(caplog.text)
    for url, seen in (
        ("https://nxsa.esac.esa.int/nxsa-sl/servlet/data-action-aio?obsno=1", True),
        ("http://nxsa.esac.esa.int/nxsa-sl/servlet/data-action-aio?obsno=1", False),
        ("https://nxsa.esac.esa.int:8443/nxsa-sl/servlet/data-action-aio", False),
        ("https://nxsa.esac.esa.int.example.org/nxsa-sl/servlet/data-action-aio", False),
        ("https://nxsa.esac.esa.int@example.org/nxsa-sl/servlet/data-action-aio", False),
        ("https://nxsa.esac.esa.int/tap-server/tap/sync", False),
        ("https://heasarc.gsfc.nasa.gov/FTP/xmm/", False),
    ):
        logins = Logins(Context(xsa_user=USER, xsa_password=PASSWORD))
        assert await logins.query(url) == ({"AIOUSER": USER, "AIOPWD": PASSWORD} if seen else {}), url


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirection_to_another_host_loses_them(status):
    async def elsewhere(request):  # a server that repeats the whole query
        return web.Response(status=status, headers={"Location": f"http://127.0.0.1:{far}/there?{request.query_string}"})

    async with serving(hello) as (far, seen), serving(elsewhere) as (near, asked), net(context(near)) as open_one:
        reply = await open_one.get(f"http://127.0.0.1:{near}/xsa/aio?obsno=1")
    assert asked[0][2]["AIOPWD"] == PASSWORD
    assert [(one[1], one[2]) for one in seen] == [("/there", {"obsno": "1"})] and reply.text == "hello"


async def test_a_redirection_within_the_service_keeps_them():
    async def once(request):
        if request.path == "/xsa/aio":
            return web.Response(status=302, headers={"Location": "moved?obsno=1"})
        return await hello(request)

    async with serving(once) as (port, asked), net(context(port)) as open_one:
        await open_one.get(f"http://127.0.0.1:{port}/xsa/aio?obsno=1")
    assert [one[1] for one in asked] == ["/xsa/aio", "/xsa/moved"]
    assert [one[2]["AIOUSER"] for one in asked] == [USER, USER]


@pytest.mark.parametrize("location", ["/xsa/aio", "file:///etc/passwd"])
async def test_a_redirection_that_leads_nowhere(location):
    async def around(_request):
        return web.Response(status=302, headers={"Location": location})

    async with serving(around) as (port, _), net(context(port)) as open_one:
        with pytest.raises(BadReplyError) as told:
            await open_one.get(f"http://127.0.0.1:{port}/xsa/aio")
    assert is_silent(whole_story(told.value))


# --- who never does ------------------------------------------------------------------------------------------------


async def failing(open_one, port, tmp_path):
    """The same failure, of a request and of a transfer."""
    url = f"http://127.0.0.1:{port}/xsa/aio?obsno=1"
    with pytest.raises(NetworkError) as first:
        await open_one.get(url)
    remote = RemoteFile(obs_id="1", path="", locations=[Location(url=url)], unpack="auto", listed=False)
    with pytest.raises(NetworkError) as second:
        await open_one.fetch(remote, tmp_path / "here")
    return first.value, second.value


@pytest.mark.parametrize("status", [401, 403, 404, 418, 503])
async def test_errors_are_silent(status, tmp_path, caplog):
    caplog.set_level(0)

    async def no(request):
        return web.Response(status=status, text=str(request.url))

    async with serving(no) as (port, _), net(context(port)) as open_one:
        problems = await failing(open_one, port, tmp_path)
    for problem in problems:
        assert isinstance(problem, AccessDeniedError) == (status in (401, 403))
        assert is_silent(whole_story(problem)) and "obsno=1" in str(problem)
    assert is_silent(caplog.text)


async def test_a_server_that_is_not_there_is_told_silently(tmp_path):
    async with net(context(9)) as open_one:
        for problem in await failing(open_one, 9, tmp_path):
            assert is_silent(whole_story(problem))


async def test_an_empty_success_without_a_type_is_a_refusal(tmp_path):
    async def strange(_request):
        return web.Response()

    async with serving(strange) as (port, _), net(context(port)) as open_one:
        for problem in await failing(open_one, port, tmp_path):
            assert isinstance(problem, AccessDeniedError) and "credentials" in str(problem)
            assert is_silent(whole_story(problem))
        with pytest.raises(NetworkError) as told:  # without credentials it says nothing of them
            await open_one.fetch(
                RemoteFile(obs_id="1", path="x", locations=[Location(url=f"http://127.0.0.1:{port}/y")]), tmp_path
            )
        assert not isinstance(told.value, AccessDeniedError)


async def test_what_is_written_while_a_transfer_is_under_way_is_silent(tmp_path):
    async def half(request):
        response = web.StreamResponse(
            headers={"Content-Type": "application/x-tar", "ETag": '"1"', "Content-Length": "4000000"}
        )
        await response.prepare(request)
        await response.write(b"x" * 3_000_000)
        request.transport.close()
        return response

    async with serving(half) as (port, _), net(context(port)) as open_one:
        await failing(open_one, port, tmp_path)
    sidecars = list(tmp_path.rglob("*.part.json"))
    assert sidecars and json.loads(sidecars[0].read_text())["url"].endswith("/xsa/aio?obsno=1")
    for one in tmp_path.rglob("*"):
        assert is_silent(one.name) and (one.is_dir() or is_silent(one.read_bytes().decode("latin-1")))


def test_representations_are_silent(capsys, monkeypatch):
    from daxa.cli import main

    surroundings = context(1)
    for one in (surroundings.config, surroundings, Login(USER, PASSWORD), Logins(surroundings, Login(USER, PASSWORD))):
        assert is_silent(repr(one)) and is_silent(str(one))
    monkeypatch.setenv("DAXA_XSA_USER", "me")
    monkeypatch.setenv("DAXA_XSA_PASSWORD", PASSWORD)
    for arguments in (["config"], ["config", "--json"]):
        with pytest.raises(SystemExit):
            main(arguments)
        said = capsys.readouterr().out
        assert PASSWORD not in said and json.dumps(PASSWORD) not in said
        (line,) = [one for one in said.splitlines() if "xsa_password" in one] if "{" not in said else [said]
        assert "****" in line and "environment DAXA_XSA_PASSWORD" in line


# --- where they are found -----------------------------------------------------------------------------------------

XSA = ServiceSpec(name="XSA", url="https://nxsa.esac.esa.int/nxsa-sl/servlet/", login=("AIOUSER", "AIOPWD"))


@pytest.fixture
def home(tmp_path, monkeypatch):
    made = tmp_path / "home"
    made.mkdir()
    monkeypatch.setenv("HOME", str(made))
    monkeypatch.delenv("NETRC", raising=False)
    return made


def test_netrc(home, tmp_path, monkeypatch):
    assert find_login(Context(), XSA) is None
    entry = f"machine nxsa.esac.esa.int login {USER} password s3cret\ndefault login any password thing\n"
    (home / ".netrc").write_text(entry)
    assert find_login(Context(), XSA) == Login(USER, "s3cret")
    other = tmp_path / "other"
    other.write_text("machine heasarc.gsfc.nasa.gov login a password b\ndefault login any password thing\n")
    monkeypatch.setenv("NETRC", str(other))
    assert find_login(Context(), XSA) is None  # what stands there for any machine is not for this one
    assert find_login(Context(xsa_user="u", xsa_password="w"), XSA) == Login("u", "w")
    monkeypatch.delenv("NETRC")
    assert find_login(Context(xsa_user=USER), XSA) == Login(USER, "s3cret")
    for half in ({"xsa_user": "somebody"}, {"xsa_password": "s3cret"}):
        with pytest.raises(DAXAConfigError, match="only xsa_"):
            find_login(Context(**half), XSA)


@pytest.mark.parametrize(
    "content",
    [b"machine nxsa.esac.esa.int login me passwort hunter2\n", b"hunter2\n", b"machine x login \xff\xfe hunter2"],
)
def test_a_broken_netrc_is_told_without_what_stands_in_it(home, content, monkeypatch):
    monkeypatch.setenv("NETRC", str(home / "net"))
    (home / "net").write_bytes(content)
    try:
        assert find_login(Context(), XSA) is None  # as far as it is understood
    except DAXAConfigError as problem:
        assert "hunter2" not in whole_story(problem) and str(home / "net") in str(problem)
    (home / "net").unlink()
    with pytest.raises(DAXAConfigError, match="No such file"):
        find_login(Context(), XSA)


async def test_netrc_is_shown_to_nobody_else(home):
    (home / ".netrc").write_text("machine 127.0.0.1 login me password hunter2\ndefault login any password thing\n")
    async with serving(hello) as (port, asked), open_net(Context(url_xsa=f"http://127.0.0.1:{port}/xsa/")) as open_one:
        await open_one.get(f"http://127.0.0.1:{port}/elsewhere")
        await open_one.get(f"http://127.0.0.1:{port}/xsa/aio")
    assert not any("Authorization" in one[3] for one in asked)
    assert [one[2] for one in asked] == [{}, {"AIOUSER": "me", "AIOPWD": "hunter2"}]


async def test_what_the_user_gives_comes_first(home):
    surroundings = context(1)
    for given in ((USER, "x"), [USER, "x"], {"user": USER, "password": "x"}, {"username": USER, "password": "x"}):
        assert await known_login(surroundings, ["HEASARC", "XSA"], given) == Login(USER, "x")
    assert await known_login(surroundings, ["XSA"], None) == Login(USER, PASSWORD)
    assert await known_login(surroundings, ["HEASARC"], ("a", "b")) is None
    for wrong in ("me:hunter2", (USER,), (USER, "hunter2", "x"), {"user": "hunter2"}, 7, ("", "hunter2"), b"hunter2"):
        with pytest.raises(InvalidParameterError) as told:
            login_of(wrong)
        assert "hunter2" not in whole_story(told.value)


# --- the rest of the environment -----------------------------------------------------------------------------------


async def test_a_proxy_of_the_environment_is_used(monkeypatch):
    async def proxy(request):
        return web.Response(text="from afar")

    async with serving(proxy) as (port, asked):
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{port}")
        monkeypatch.setenv("no_proxy", "archive.example")
        proxies = proxies_of_the_environment()
        assert proxy_of("http://files.example/a", proxies) == f"http://127.0.0.1:{port}"
        assert proxy_of("http://archive.example/a", proxies) is None
        assert proxy_of("https://files.example/a", proxies) is None
        async with net(Context()) as open_one:
            reply = await open_one.get("http://files.example/a?b=1")
    assert reply.status == 200 and asked[0][3]["Host"] == "files.example"


def test_queries_are_added_where_they_belong():
    assert with_query("https://h/x", {"a": "b c"}) == "https://h/x?a=b%20c"
    assert with_query("https://h/x?y=1#part", {"a": "&"}) == "https://h/x?y=1&a=%26#part"
    logins = Logins(Context())
    for url in ("https://h/x", "https://h/x?y=%20&z", "https://h/x?y=1#part"):
        assert logins.bare(url) == url
        assert logins.bare(with_query(url, {"AIOUSER": "a", "AIOPWD": "b"})) == url


@pytest.mark.parametrize("url", ["http://[bad/x", "http://h:port/x", "http://h:99999/x", "http:///x"])
async def test_what_only_looks_like_an_address_gets_nothing(url):
    logins = Logins(context(1))
    assert await logins.query(url) == {} and logins.bare(url) == url
    assert proxy_of(url, {}) is None and proxy_of(url, {"http": "http://p:1"}) == (None if "[" in url else "http://p:1")
    if "[" not in url:
        async with net(context(1)) as open_one:
            with pytest.raises(NetworkError):
                await open_one.get(url)


def test_nobody_is_at_home(monkeypatch):
    monkeypatch.delenv("NETRC", raising=False)
    monkeypatch.setenv("HOME", "")
    assert find_login(Context(), XSA) is None


def test_tasks_and_programs_do_not_inherit_them():
    from daxa.environments import KEPT

    assert not [name for name in KEPT if "XSA" in name or "PASSWORD" in name or name in ("NETRC", "DAXA_*")]
