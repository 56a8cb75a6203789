"""Answers of the name service."""

import asyncio
from types import SimpleNamespace

from hypothesis import given
from hypothesis import strategies as st

from daxa.context import Context
from daxa.net.names import resolve
from tests.fuzz.common import LATIN, TEXT, fuzzed, mutated, only_typed

GOOD = b"# M82\t#Q22669477\n#=Simbad: 1\n%@ 1575544\n%C.0 AGN\n%J 148.96845833 +69.67970278 = 09:55:52.43 +69:40:46.9\n"


CONTEXT = Context()


class Net:
    """Answers whatever it was given."""

    def __init__(self, text):
        self.text = text
        self.context = CONTEXT

    def url(self, _service):
        return "https://names.example/"

    async def get(self, _url):
        return SimpleNamespace(text=self.text)


def check(name, text):
    with only_typed():
        ra, dec = asyncio.run(resolve(Net(text), name))
        assert 0 <= ra <= 360 and -90 <= dec <= 90


@fuzzed
@given(
    st.one_of(
        LATIN, TEXT, st.builds("%J {} {}".format, st.floats() | st.integers() | TEXT, st.floats() | st.integers())
    )
)
def test_answers_of_any_kind(text):
    check("M82", text)


@fuzzed
@given(mutated(GOOD))
def test_answers_with_wrong_bytes(answer):
    check("M82", answer.decode("utf-8", errors="replace"))


@fuzzed
@given(st.one_of(TEXT, st.none(), st.integers(), st.binary()))
def test_names_of_any_kind(name):
    check(name, GOOD.decode())
