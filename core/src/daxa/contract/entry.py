"""Checks of a plugin's entry module: what its import costs, its hooks, and what they answer."""

from __future__ import annotations

import inspect
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any, Final

from attrs import field, frozen

from daxa.answers import misfit
from daxa.contract.findings import Finding, vague_words
from daxa.plugins import OLDEST_API, check_hooks
from daxa.specs import API_VERSION

HEAVY: Final = ("aiohttp", "astropy", "matplotlib", "numpy", "pandas", "regions", "scipy", "tqdm")
"""Packages that are imported on first use, never by an entry module or with the class of a mission."""

MOST_SECONDS: Final = 0.25
"""Processor time over bare Python and :mod:`daxa.api` from which the import of an entry module is a fault."""

USUAL_SECONDS: Final = 0.02
"""What the import of a light entry module takes at the most."""

_MEASURE: Final = """
import importlib, json, sys, time
heavy = json.loads(sys.argv[2])
import daxa.api
before = {name for name in heavy if name in sys.modules}
began = time.process_time()
try:
    importlib.import_module(sys.argv[1])
    error = None
except BaseException as problem:
    error = f"{type(problem).__name__}: {problem}"
seconds = time.process_time() - began
found = [name for name in heavy if name in sys.modules and name not in before]
print("\\n" + json.dumps({"seconds": seconds, "heavy": found, "error": error}))
"""


@frozen
class ImportCost:
    """What the import of a module costs in a fresh process.

    Parameters
    ----------
    seconds : float
        Processor time beyond that of bare Python and :mod:`daxa.api`; other work on the machine does not count.
    heavy : tuple of str
        Heavy packages that it imports.
    error : str, optional
        Why it cannot be imported.
    """

    seconds: float
    heavy: tuple[str, ...] = field(default=(), converter=tuple)
    error: str | None = None


def import_cost(module: str, *, attempts: int = 3, enough: float = USUAL_SECONDS) -> ImportCost:
    """Import a module in fresh processes, and tell the least it took.

    Parameters
    ----------
    module : str
        Its name.
    attempts : int
        Processes at the most.
    enough : float
        Seconds below which one is enough.
    """
    best: ImportCost | None = None
    for _ in range(attempts):
        made = _imported(module)
        if best is None or made.seconds < best.seconds:
            best = made
        if best.error or best.seconds <= enough:
            break
    assert best is not None
    return best


def _imported(module: str) -> ImportCost:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    done = subprocess.run(
        [sys.executable, "-c", _MEASURE, module, json.dumps(HEAVY)],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    try:
        return ImportCost(**json.loads(done.stdout.splitlines()[-1]))
    except (IndexError, TypeError, ValueError):
        said = done.stderr.strip().rpartition("\n")[2] or f"exit status {done.returncode}"
        return ImportCost(0.0, (), f"Python ended: {said}")


def check_import(module: str, cost: ImportCost) -> Iterator[Finding]:
    """Look at what the import of an entry module costs."""
    subject = f"entry module {module}"
    if cost.error:
        yield Finding(
            "entry-import", subject, f"it cannot be imported: {cost.error}.", "mend the import; nothing else is seen"
        )
        return
    yield from check_light(subject, cost)
    if cost.seconds > MOST_SECONDS:
        yield Finding(
            "entry-time",
            subject,
            f"its import takes {cost.seconds * 1000:.0f} ms of processor time; a light one takes less than"
            f" {USUAL_SECONDS * 1000:.0f}.",
            "import daxa.api alone at the top, and everything else where it is used; name targets as"
            ' "package.module:Name"',
        )


def check_light(subject: str, cost: ImportCost) -> Iterator[Finding]:
    """Look at which packages an import brings along."""
    if cost.heavy:
        yield Finding(
            "light-import",
            subject,
            f"its import brings {', '.join(cost.heavy)} along, and everybody who types `daxa` waits for that.",
            "import these inside the functions that use them; write quantities of a class as text, fov ="
            ' "15 arcmin"; keep annotations under `if TYPE_CHECKING:`',
        )


def check_hooks_of(plugin: Any, module: str) -> Iterator[Finding]:
    """Look at the names and signatures of a plugin's hooks."""
    for fault in check_hooks(plugin):
        yield Finding(
            "hooks",
            f"entry module {module}",
            f"{fault}.",
            "write plain functions with @hookimpl, with the names and arguments of daxa.hookspecs",
        )
    last = module.rpartition(".")[2]
    for word in vague_words(last):
        yield Finding(
            "name", f"entry module {module}", f"{word!r} says nothing of what it is.", "call the module `plugin`"
        )


def check_info(plugin: Any, module: str) -> Iterator[Finding]:
    """Look at what a plugin says of itself."""
    subject = f"entry module {module}"
    describe = getattr(plugin, "daxa_plugin_info", None)
    if describe is None:
        yield Finding(
            "plugin-info",
            subject,
            "it does not say which contract it was written for.",
            f'write the hook daxa_plugin_info that returns PluginInfo(api={API_VERSION}, homepage="https://...")',
        )
        return
    try:
        info: Any = describe()
    except Exception as problem:  # noqa: BLE001 - a plugin's fault is a finding
        yield Finding("plugin-info", subject, f"daxa_plugin_info raises {problem!r}.", "return a PluginInfo")
        return
    fault = misfit("daxa_plugin_info", info)
    if fault:
        yield Finding("plugin-info", subject, f"{fault}.", "return a PluginInfo of a number and texts")
        return
    if not OLDEST_API <= info.api <= API_VERSION:
        yield Finding(
            "plugin-info",
            subject,
            f"it is written for contract {info.api!r}; this core honours {OLDEST_API} to {API_VERSION}.",
            f"write api={API_VERSION} after reading the changelog's `Plugin contract`",
        )
    if _names_api_version(describe):
        yield Finding(
            "plugin-info",
            subject,
            "it says API_VERSION, which is the number of whatever core is installed: no core could ever refuse it.",
            f"write the number itself, api={API_VERSION}",
        )
    if not info.homepage and not info.contact:
        yield Finding(
            "plugin-info",
            subject,
            "it does not say where its users find help.",
            'write PluginInfo(..., homepage="https://...") or contact="..."',
        )
    elif info.homepage and not str(info.homepage).startswith(("https://", "http://")):
        yield Finding("plugin-info", subject, f"the homepage is {info.homepage!r}.", "write an address, https://...")


def _names_api_version(hook: Any) -> bool:
    code = getattr(inspect.unwrap(hook), "__code__", None)
    return code is not None and "API_VERSION" in code.co_names
