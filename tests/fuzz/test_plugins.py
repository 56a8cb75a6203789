"""What a plugin says of itself."""

from types import SimpleNamespace

from hypothesis import given
from hypothesis import strategies as st

from daxa.hookspecs import hookimpl
from daxa.plugins import Plugins
from daxa.registry import Registry
from daxa.specs import MissionEntry, PluginInfo, Recipe, ServiceSpec, ToolSpec, load_target
from tests.fuzz.common import LATIN, TEXT, fuzzed, only_typed

ODD = st.one_of(st.none(), TEXT, st.integers(), st.binary(max_size=5), st.lists(TEXT, max_size=3), st.just(object()))
NAME = st.one_of(st.sampled_from(["xmm_pointed", "a", "heasarc", "HEASARC", "..", "a/b"]), TEXT)


def made(kind, **parts):
    """A record, or what one would have been, if it refuses to be made."""
    try:
        return kind(**parts)
    except Exception:
        return parts


ANSWER = st.one_of(
    ODD,
    st.builds(lambda name, text: made(MissionEntry, name=name, title=text, target=text), NAME, TEXT),
    st.builds(lambda name, text: made(ServiceSpec, name=name, url=text), NAME, TEXT),
    st.builds(lambda name, text: made(ToolSpec, name=name, title=text, executables=text), NAME, TEXT),
    st.builds(lambda name, text: made(Recipe, name=name, processes=(text,)), NAME, TEXT),
    st.builds(lambda api: PluginInfo(api=api), st.integers(-3, 5)),
)
HOOKS = (
    "daxa_plugin_info", "daxa_register_missions", "daxa_register_services", "daxa_register_tools",
    "daxa_register_recipes", "daxa_register_executors", "daxa_register_processes", "daxa_subscribers",
)  # fmt: skip


def plugin_of(answers):
    hooks = {}
    for name, answer in answers.items():
        hooks[name] = hookimpl(saying(answer))
    return SimpleNamespace(**hooks)


def saying(answer):
    def hook():
        if answer == "raise":
            raise RuntimeError("a plugin's fault")
        return answer

    return hook


@fuzzed
@given(
    st.lists(
        st.dictionaries(
            st.sampled_from(HOOKS), st.one_of(ANSWER, st.lists(ANSWER, max_size=4), st.just("raise")), max_size=5
        ),
        max_size=3,
    )
)
def test_whatever_plugins_say_they_are_taken_or_left_out(said):
    plugins = Plugins()
    for number, answers in enumerate(said):
        plugins.register(plugin_of(answers), f"odd{number}")
    registry = Registry(plugins)
    assert len(plugins.records) >= len(said)
    for name in list(registry.missions)[:3]:
        with only_typed(ImportError):
            registry.mission_class(name)
    list(plugins.each("daxa_subscribers"))


@fuzzed
@given(
    st.one_of(
        LATIN, st.builds("{}:{}".format, TEXT, TEXT), st.sampled_from(["os:x", "os:path.x", "a.b:c", "os.path:join"])
    )
)
def test_targets_of_any_kind(target):
    with only_typed(ImportError):
        load_target(target)
