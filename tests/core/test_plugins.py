import importlib.metadata
import types

import click
import pytest

from daxa.api import API_VERSION, ExecutorSpec, MissionEntry, PluginInfo, Recipe, ServiceSpec, ToolSpec, hookimpl
from daxa.context import Context
from daxa.events import DownloadEnded
from daxa.exceptions import MissingPluginError, PluginError
from daxa.plugins import Plugins
from daxa.registry import Registry


def module(name, **functions):
    made = types.ModuleType(name)
    for attribute, function in functions.items():
        setattr(made, attribute, hookimpl(function))
    return made


def entry(name, target="somewhere:Thing"):
    return MissionEntry(name=name, title=name.title(), target=target)


def good(name="vela", target="somewhere:Vela"):
    return module(f"good_{name}", daxa_register_missions=lambda: [entry(name, target)])


def raising():
    raise RuntimeError("no such luck")


async def coroutine_hook():
    return []


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        (module("misspelt", daxa_register_mission=lambda: []), "there is no hook 'daxa_register_mission'"),
        (module("coroutine", daxa_register_missions=coroutine_hook), "coroutine"),
        (module("newer", daxa_plugin_info=lambda: PluginInfo(api=API_VERSION + 1)), "newer daxa-core"),
        (module("older", daxa_plugin_info=lambda: PluginInfo(api=0)), "update the plugin"),
        (module("greedy", daxa_register_missions=lambda telescope: []), "takes telescope"),
        (module("raising", daxa_register_missions=raising), "no such luck"),
        (module("raising_info", daxa_plugin_info=raising), "no such luck"),
        (module("wrong_type", daxa_register_missions=lambda: ["xmm"]), "not a MissionEntry"),
        (module("taken", daxa_register_missions=lambda: [entry("vela", "elsewhere:Other")]), "claimed already"),
        (module("same_class", daxa_register_missions=lambda: [entry("vela2", "elsewhere:Vela")]), "is taken"),
    ],
    ids=lambda value: value.__name__ if isinstance(value, types.ModuleType) else "",
)
def test_a_bad_plugin_is_reported_by_name_while_the_rest_works(broken, says):
    plugins = Plugins()
    plugins.register(good(), "good")
    plugins.register(broken, "bad")
    plugins.register(good("puppis", "somewhere:Puppis"), "last")
    registry = Registry(plugins)
    assert set(registry.missions) == {"vela", "puppis"}
    assert registry.missions["vela"].target == "somewhere:Vela"
    errors = {record.name: record.error for record in plugins.records}
    assert says in errors["bad"] and not errors["good"] and not errors["last"]


class Point:
    """An entry point as importlib.metadata gives it."""

    def __init__(self, name, loader):
        self.name, self.value, self.dist, self._loader = name, name, None, loader

    def load(self):
        return self._loader()


def test_one_that_cannot_be_imported_takes_nothing_down(monkeypatch):
    def broken():
        raise ImportError("No module named 'numpty'")

    def leaving():
        raise SystemExit(3)

    points = [Point("b", broken), Point("l", leaving), Point("g", lambda: good())]
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: points)
    plugins = Plugins()
    plugins.discover()
    errors = {record.name: record.error for record in plugins.records}
    assert "numpty" in errors["b"] and "SystemExit" in errors["l"] and errors["g"] is None
    assert "vela" in Registry(plugins).missions


def test_a_missing_mission_says_what_to_install():
    registry = Registry(Plugins())
    with pytest.raises(MissingPluginError, match="pip install daxa-xmm"):
        registry.mission_entry("XMMPointed")
    with pytest.raises(MissingPluginError, match="author's guide"):
        registry.mission_entry("Swift")
    with pytest.raises(ImportError, match="daxa plugins"):
        registry.mission_entry("Nonesuch")


def test_what_is_installed_here_loads_without_error():
    plugins = Plugins()
    plugins.discover()
    assert [record for record in plugins.records if record.error] == []
    assert {"daxa-xmm", "daxa-chandra", "daxa-native"} <= {record.distribution for record in plugins.records}
    assert all(record.version and record.location for record in plugins.records)


def everything(heard):
    def daxa_register_commands(cli):
        cli.add_command(click.Command("observe"))

    return module(
        "everything",
        daxa_plugin_info=lambda: PluginInfo(api=1, homepage="https://vela.example/"),
        daxa_register_missions=lambda: [entry("vela")],
        daxa_register_processes=lambda: ["json"],
        daxa_register_services=lambda: [ServiceSpec(name="VELA", url="https://vela.example/data/")],
        daxa_register_tools=lambda: [ToolSpec(name="velasoft", title="VelaSoft", executables=("velachain",))],
        daxa_register_executors=lambda: [ExecutorSpec(name="far", target="somewhere:Far")],
        daxa_register_recipes=lambda: [
            Recipe(name="any", processes=("image",)),
            Recipe(name="full_vela", processes=("clean", "image"), missions=("vela",)),
        ],
        daxa_register_commands=daxa_register_commands,
        daxa_subscribers=lambda: [heard.append],
    )


def test_every_hook_is_heard(monkeypatch):
    heard = []
    plugins = Plugins()
    plugins.register(everything(heard), "everything")
    context = Context(plugins=plugins)
    registry = context.registry
    assert set(registry.missions) == {"vela"} and registry.process_modules == ("json",)
    assert registry.tools["velasoft"].executables == ("velachain",)
    assert registry.executors["far"].target == "somewhere:Far"
    assert [one.name for one in registry.recipes_for("vela")] == ["full_vela", "any"]
    assert [one.name for one in registry.recipes_for("other")] == ["any"]
    assert context.service_url("VELA") == "https://vela.example/data/"
    monkeypatch.setenv("DAXA_URL_VELA", "http://127.0.0.1:1/")
    assert context.service_url("VELA") == "http://127.0.0.1:1/"
    context.events.publish(DownloadEnded(mission="vela"))
    assert heard == [DownloadEnded(mission="vela")]
    group = click.Group("daxa")
    assert list(plugins.each("daxa_register_commands", cli=group)) == []
    assert list(group.commands) == ["observe"]
    assert [record.error for record in plugins.records] == [None]


def test_a_subscriber_that_raises_disturbs_nothing(caplog):
    heard = []

    def deaf(event):
        raise ValueError("what?")

    context = Context(plugins=Plugins())
    context.events.subscribe(deaf)
    context.events.subscribe(heard.append)
    context.events.publish(DownloadEnded(mission="vela"))
    assert len(heard) == 1 and "subscriber" in caplog.text


def test_two_plugins_may_declare_one_service_alike():
    service = ServiceSpec(name="VELA", url="https://vela.example/")
    plugins = Plugins()
    for name in ("a", "b"):
        plugins.register(module(name, daxa_register_services=lambda: [service]), name)
    assert "VELA" in Registry(plugins).services
    assert [record.error for record in plugins.records] == [None, None]


def test_the_plugin_that_names_a_process_first_keeps_it(tmp_path, monkeypatch):
    for name in ("first", "second"):
        (tmp_path / f"steps_of_{name}.py").write_text(
            "from daxa.api import Call, process\n"
            "@process(level='obs', produces={'a': 'events/{name}-a.fits'})\n"
            "def align(job):\n    return Call('json:dumps')\n"
        )
    monkeypatch.syspath_prepend(tmp_path)
    plugins = Plugins()
    plugins.register(good("vela", "json:JSONDecoder"), "good")
    plugins.register(module("first", daxa_register_processes=lambda: "steps_of_first"), "first")
    plugins.register(module("second", daxa_register_processes=lambda: "steps_of_second"), "second")
    plugins.register(module("lost", daxa_register_processes=lambda: "steps_of_lost"), "lost")
    registry = Registry(plugins)
    assert registry.process("vela", "align").module == "steps_of_first"
    errors = {record.name: record.error for record in plugins.records}
    assert errors["good"] is None and errors["first"] is None
    assert errors["second"] == "the process 'align' of steps_of_second is claimed already, by steps_of_first"
    assert "steps_of_lost cannot be imported: ModuleNotFoundError" in errors["lost"]


def test_a_mission_whose_processes_cannot_be_imported_says_whose_they_are():
    plugins = Plugins()
    record = MissionEntry(name="vela", title="Vela", target="json:JSONDecoder", processes="no_such_steps")
    plugins.register(module("vela", daxa_register_missions=lambda: [record]), "vela-plugin")
    with pytest.raises(PluginError, match="reinstall vela-plugin"):
        Registry(plugins).processes("vela")


def test_commands_of_one_plugin_cannot_touch_those_of_another():
    def adding(*names):
        def daxa_register_commands(cli):
            for name in names:
                cli.add_command(click.Command(name))
            cli.commands.pop("observe", None)

        return daxa_register_commands

    plugins = Plugins()
    for owner, names in (("a", ["observe", "dive"]), ("b", ["dive", "rise"]), ("c", ["info", "observe"])):
        plugins.register(module(owner, daxa_register_commands=adding(*names)), owner)
    assert set(plugins.commands(["info"])) == {"dive", "rise"}
    errors = {record.name: record.error for record in plugins.records}
    assert errors["a"] is None and "'dive' is claimed already, by a" in errors["b"] and "by daxa-core" in errors["c"]
    assert set(plugins.commands_of("b")) == {"dive", "rise"}


def test_a_fault_is_told_once():
    plugins = Plugins()
    plugins.register(module("raising", daxa_register_missions=raising), "bad")
    for _ in range(3):
        assert list(plugins.each("daxa_register_missions")) == []
    plugins.complain("stranger", "is not here")
    assert [record.error for record in plugins.records] == [
        "daxa_register_missions raised RuntimeError: no such luck",
        "is not here",
    ]
