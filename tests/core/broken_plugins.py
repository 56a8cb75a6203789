"""Plugins that are wrong in every way there is, as distributions in a directory: ``install(directory)``."""

from pathlib import Path
from textwrap import dedent

HEAD = "from daxa.api import *\nfrom daxa.api import MissionEntry, PluginInfo, Recipe, ServiceSpec, ToolSpec, ExecutorSpec, hookimpl\n"

HOOKS = [
    "daxa_plugin_info", "daxa_register_missions", "daxa_register_processes", "daxa_register_services",
    "daxa_register_tools", "daxa_register_executors", "daxa_register_recipes", "daxa_register_commands",
    "daxa_subscribers",
]  # fmt: skip

GARBAGE = {
    "number": "42", "text": "'xmm'", "records-of-another-kind": "[ToolSpec(name='t', title='T'), 7]",
    "function": "print", "class": "dict", "set": "{1, 2}", "mapping": "{'name': 'x'}", "generator": "(x for x in 'ab')",
    "coroutine": "later()", "unprintable": "Unprintable()",
}  # fmt: skip

FIELDS = {
    "daxa_plugin_info": "PluginInfo(api='2')",
    "daxa_register_missions": "[MissionEntry(name='odd', title='Odd', target=42)]",
    "daxa_register_services": "[ServiceSpec(name=7, url=None)]",
    "daxa_register_tools": "[ToolSpec(name='odd', title='Odd', executables=(1, 2))]",
    "daxa_register_executors": "[ExecutorSpec(name='odd', target=None)]",
    "daxa_register_recipes": "[Recipe(name='odd', processes=(None,))]",
}
"""Records of the right kind, with nonsense in them."""


def argument(hook):
    return "cli" if hook == "daxa_register_commands" else ""


def plugins():
    """Name to source, and what the report must say."""
    made = {
        "not-importable": ("import numpty_of_vela\n", "ModuleNotFoundError: No module named 'numpty_of_vela'"),
        "leaving": ("raise SystemExit(3)\n", "SystemExit"),
        "syntax": ("def broken(:\n", "SyntaxError"),
        "from-the-future": ("from daxa.api import WarpDrive\n", "install a newer daxa-core"),
        "misspelt": (HEAD + "@hookimpl\ndef daxa_register_mission():\n    return []\n", "no hook 'daxa_register_mission'"),
        "unmarked": (HEAD + "def daxa_register_missions():\n    return []\n", "lacks the mark @hookimpl"),
        "empty": ("", "it has no hooks"),
        "greedy": (HEAD + "@hookimpl\ndef daxa_register_missions(telescope):\n    return []\n", "takes telescope"),
        "newer": (HEAD + "@hookimpl\ndef daxa_plugin_info():\n    return PluginInfo(api=99)\n", "it needs API 99"),
        "older": (HEAD + "@hookimpl\ndef daxa_plugin_info():\n    return PluginInfo(api=0)\n", "update the plugin"),
        "wrapper": (
            HEAD + "import pluggy\n@pluggy.HookimplMarker('daxa')(wrapper=True)\ndef daxa_register_missions():\n    return (yield)\n",
            "is a wrapper",
        ),
        "taken-mission": (
            HEAD + "@hookimpl\ndef daxa_register_missions():\n    return [MissionEntry(name='sample', title='S', target='a:B')]\n",
            "the mission 'sample' is claimed already, by daxa-sample",
        ),
        "taken-class": (
            HEAD + "@hookimpl\ndef daxa_register_missions():\n    return [MissionEntry(name='sample2', title='S', target='a:Sample')]\n",
            "'Sample' is taken by mission sample",
        ),
        "taken-service": (
            HEAD + "@hookimpl\ndef daxa_register_services():\n    return [ServiceSpec(name='HEASARC', url='https://evil.example/')]\n",
            "'HEASARC' is claimed already, by daxa-core",
        ),
        "taken-command": (
            HEAD + "import click\n@hookimpl\ndef daxa_register_commands(cli):\n    cli.add_command(click.Command('info'))\n"
            "    cli.add_command(click.Command('sky'))\n",
            "the command 'sky' is claimed already, by daxa-testing",
        ),
        "taken-process": (
            HEAD + "@hookimpl\ndef daxa_register_processes():\n    return 'broken_taken_process_steps'\n",
            "the process 'clean_events' of broken_taken_process_steps is claimed already, by daxa_native.processes",
        ),
        "no-such-processes": (
            HEAD + "@hookimpl\ndef daxa_register_processes():\n    return ['broken_no_such_module']\n",
            "broken_no_such_module cannot be imported",
        ),
    }  # fmt: skip
    for hook in HOOKS:
        source = f"{HEAD}@hookimpl\ndef {hook}({argument(hook)}):\n    raise RuntimeError('no such luck')\n"
        made[f"raising-{hook}"] = (source, f"{hook} raised RuntimeError: no such luck")
        source = f"{HEAD}@hookimpl\ndef {hook}({argument(hook)}):\n    raise SystemExit('gone')\n"
        made[f"leaving-{hook}"] = (source, f"{hook} raised SystemExit: gone")
        source = f"{HEAD}@hookimpl\nasync def {hook}({argument(hook)}):\n    return []\n"
        made[f"coroutine-{hook}"] = (source, f"{hook} is a coroutine function")
        for kind, text in GARBAGE.items():
            if (hook, kind) in NOT_GARBAGE:
                continue
            source = (
                f"{HEAD}async def later(): ...\n"
                "class Unprintable:\n    def __repr__(self): raise ValueError('never')\n"
                f"@hookimpl\ndef {hook}({argument(hook)}):\n    return {text}\n"
            )
            made[f"garbage-{kind}-{hook}"] = (source, f"{hook} gave ")
    for hook, text in FIELDS.items():
        made[f"odd-{hook}"] = (f"{HEAD}@hookimpl\ndef {hook}():\n    return {text}\n", f"{hook} gave a ")
    return made


NOT_GARBAGE = {
    ("daxa_register_processes", "text"),  # a module's name, found missing when it is imported
    ("daxa_subscribers", "function"),
    ("daxa_subscribers", "class"),
    ("daxa_register_tools", "records-of-another-kind"),  # half of it is good; the other half is told
}


def install(directory: Path) -> dict[str, str]:
    """Install all of them; returns distribution to what the report must say."""
    expected = {}
    for name, (source, says) in plugins().items():
        module = f"broken_{name}".replace("-", "_")
        (directory / f"{module}.py").write_text(source)
        distribution(directory, f"zz-{name}", module)  # after daxa-...: the first to claim a name keeps it
        expected[f"zz-{name}"] = says
    (directory / "broken_taken_process_steps.py").write_text(
        dedent(
            '''
            from daxa.api import Call, process

            @process(level="obs", produces={"events": "events/{name}-x.fits"})
            def clean_events(job):
                """Clean in another way."""
                return Call("json:dumps")

            @process(level="obs", produces={"log": "misc/{name}-x.txt"})
            def count_events(job):
                """Count."""
                return Call("json:dumps")
            '''
        )
    )
    # an entry point that names nothing, and metadata that cannot be read
    distribution(directory, "broken-reference", "json:no_such_name")
    expected["broken-reference"] = "AttributeError"
    distribution(directory, "broken-form", "not a reference at all")
    expected["broken-form"] = ""
    damaged = directory / "broken_metadata-1.0.dist-info"
    damaged.mkdir()
    (damaged / "entry_points.txt").write_text("[daxa.plugins]\ndamaged = broken_metadata_module\n")
    return expected


def distribution(directory: Path, name: str, value: str) -> None:
    info = directory / f"{name.replace('-', '_')}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[daxa.plugins]\nplugin = {value}\n")
