"""Configuration: our TOML, DAXA's old file, and sizes as text."""

import json
import os

from hypothesis import given
from hypothesis import strategies as st

from daxa.config import Config
from daxa.sizes import size_in_bytes
from daxa.specs import ServiceSpec
from tests.fuzz.common import LATIN, TEXT, fuzzed, mutated, only_typed

VALUE = st.recursive(
    st.one_of(st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(), TEXT.map(json.dumps)),
    lambda inner: st.lists(inner.map(str), max_size=3).map(lambda parts: "[" + ", ".join(parts) + "]"),
    max_leaves=5,
).map(lambda value: str(value).lower() if isinstance(value, bool | float) else str(value))
KEY = st.sampled_from(
    [
        "output",
        "cache",
        "cores",
        "offline",
        "memory",
        "url",
        "tool",
        "sky",
        "pfiles_path",
        "locations",
        "OUTPUT",
        '"a b"',
    ]
)
LINE = st.one_of(
    st.builds("{} = {}\n".format, KEY, VALUE),
    st.sampled_from(
        ["[url]\n", "[tool]\n", "[connections]\nHEASARC = 3\n", "[interval]\nHEASARC = nan\n", "[url.x]\n", "x = [\n"]
    ),
    LATIN,
)
DEEP = st.sampled_from([("x = ", "[", ""), ("x = ", "{a=", ""), ("[", "a.", "b]"), ("", "a.", "b = 1")])


def every_setting():
    """Look at all of them; each may say that it makes no sense."""
    config = Config()
    for name in ("output", "cache", "cores", "memory", "offline", "sky", "locations"):
        with only_typed():
            getattr(config, name)
    with only_typed():
        config.service("HEASARC", "https://heasarc.example/")
    with only_typed():
        config.limits(ServiceSpec(name="HEASARC", url="https://heasarc.example/"))


def written(folder, content):
    path = folder / "config.toml"
    path.write_bytes(content)
    os.environ["DAXA_CONFIG"] = str(path)  # the fixture of all tests puts it back
    every_setting()


@fuzzed
@given(content=st.lists(LINE, max_size=8).map("".join))
def test_files_of_odd_lines(folder, content):
    written(folder, content.encode())


@fuzzed
@given(parts=DEEP, depth=st.integers(1, 4_000))
def test_files_that_nest(folder, parts, depth):
    begin, middle, end = parts
    written(folder, (begin + middle * depth + end).encode())


@fuzzed
@given(content=mutated(b'output = "/data/daxa"\ncores = 4\noffline = false\n\n[url]\nHEASARC = "https://x.example/"\n'))
def test_files_with_wrong_bytes(folder, content):
    written(folder, content)


@fuzzed
@given(content=mutated(b"[DAXA_SETUP]\ndaxa_save_path = /data/daxa\nnum_cores = 4\n"))
def test_old_files_with_wrong_bytes(folder, content):
    os.environ["XDG_CONFIG_HOME"] = str(folder)
    os.environ["DAXA_CONFIG"] = str(folder / "none.toml")
    (folder / "daxa.cfg").write_bytes(content)
    every_setting()


@fuzzed
@given(st.one_of(LATIN, st.integers(), st.floats(), st.none(), st.builds("{} {}".format, st.floats(), TEXT)))
def test_sizes_of_any_kind(value):
    with only_typed():
        assert size_in_bytes(value) >= 0
