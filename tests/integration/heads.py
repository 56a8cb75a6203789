"""A head in a process of its own, which is killed when it comes to a chosen function.

``python -m tests.integration.heads SETTINGS CALL MODULE:FUNCTION`` makes a context of SETTINGS (JSON), and runs CALL, a
coroutine function of this module; at FUNCTION (a dotted name below MODULE) it kills itself.
"""

import asyncio
import importlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from attrs import evolve

from daxa import Archive
from daxa.context import Context, current_context, use_context
from daxa.specs import load_target

ROOT = Path(__file__).parents[2]


def killed(settings, call, at):
    """Run a call until it is killed; refuses one that was not."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.integration.heads", json.dumps(settings), call, at],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == -signal.SIGKILL, done.stdout + done.stderr


async def sample(*obs_ids):
    from daxa.mission import Sample

    mission = Sample()
    await mission.filter_on_obs_ids(list(obs_ids))
    return mission


async def other(*obs_ids):
    """Observations of a second mission, which is like the sample's."""
    registry = current_context().registry
    registry.missions["other"] = evolve(registry.mission_entry("sample"), name="other", target=f"{__name__}:Other")
    registry.owners["mission", "other"] = "daxa-other"
    mission = load_target(f"{__name__}:Other")()
    await mission.filter_on_obs_ids(list(obs_ids))
    return mission


def __getattr__(name):
    if name != "Other":
        raise AttributeError(name)
    from daxa.mission import Sample

    globals()["Other"] = type("Other", (Sample,), {"name": "other", "pretty_name": "Other"})
    return globals()["Other"]


def grow():
    """Let the catalogue have one more observation from now on; returns the real function."""
    import pandas as pd

    from daxa.mission import Sample

    real = Sample.catalogue

    async def catalogue(self, net):
        table = await real(self, net)
        return pd.concat([table, table.iloc[[0]].assign(ObsID="S0004", ra=150.11)], ignore_index=True)

    Sample.catalogue = catalogue
    return real


async def update():
    grow()
    async with Archive("killed") as arch:
        await arch.update()


async def add():
    async with Archive("killed") as arch:
        await arch.add_missions(await other("S0002"))


async def declare():
    await Archive("killed", [await sample("S0001"), await other("S0002")])


async def merge():
    import daxa_sample.processes

    daxa_sample.processes.merge.final = True
    async with Archive("killed") as arch:
        await arch.run("merge", disable_progress=True)


def _die(*_arguments, **_options):
    os.kill(os.getpid(), signal.SIGKILL)


def main(given, call, at):
    module, _, name = at.partition(":")
    *owner, last = name.split(".")
    with use_context(Context(**json.loads(given))):
        found = importlib.import_module(module)
        for one in owner:
            found = getattr(found, one)
        setattr(found, last, _die)
        asyncio.run(globals()[call]())


if __name__ == "__main__":
    main(*sys.argv[1:])
