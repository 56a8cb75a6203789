"""Serving the demonstration's sky, and running the demonstration against it."""

from __future__ import annotations

import asyncio
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from daxa.archive import Archive
    from daxa_demo.story import Told

FOUNDING: Final = {"phl1811": "daxa_demo.founding.phl1811", "a3667": "daxa_demo.founding.a3667"}
"""Archives of the tutorial that DAXA began with, and the modules that build them."""


def output_root(out: Path | None) -> Path:
    """Output root: the argument, the environment, or ``demo_output`` in the working directory."""
    if out is not None:
        return out.absolute()
    named = os.environ.get("DAXA_OUTPUT")
    return Path(named).absolute() if named else Path.cwd() / "demo_output"


def run_demo(out: Path | None = None, *, quiet: bool = False) -> Told:
    """Serve the sky, run the demonstration against it, and compare the outcome with what it should be.

    Parameters
    ----------
    out : Path, optional
        Output root.
    quiet : bool
        Whether standard output is kept for the JSON line.
    """
    from daxa.context import Context, use_context
    from daxa_demo.story import tell
    from daxa_testing.sky import Sky

    root = output_root(out)
    with Sky.installed().running_in_thread() as sky:
        context = Context(**sky.settings(), output=str(root), cache=str(root / ".sky_cache"))
        with use_context(context):
            return asyncio.run(tell(root, quiet=quiet))


def build_founding(name: str, out: Path | None = None) -> dict[str, Any]:
    """Build one of the tutorial's archives, with the offline sky and stand-ins for SAS; a second time, go on with it.

    Parameters
    ----------
    name : str
        One of :data:`FOUNDING`.
    out : Path, optional
        Output root.

    Returns
    -------
    dict
        ``archive``, ``archive_path``, ``observations`` by mission, ``process_success``, and ``failures`` as sentences.
    """
    import importlib

    from daxa.context import Context, use_context
    from daxa_demo.founding.phl1811 import scenario
    from daxa_testing.sky import Sky
    from daxa_xmm.testing import sas

    root = output_root(out)
    tools = root / ".stand_ins"
    shutil.rmtree(tools, ignore_errors=True)  # it names its own place and this Python, and may have been left half done
    sas.install(tools, version="20.0.0", scenario=scenario())
    build = importlib.import_module(FOUNDING[name]).build
    with Sky.installed().running_in_thread() as running:
        context = Context(
            **running.settings(),
            output=str(root),
            cache=str(root / ".sky_cache"),
            tool_sas=str(tools),
            tool_heasoft=str(tools / "headas"),
        )
        with use_context(context):
            return asyncio.run(_built(build(root)))


async def _built(building: Any) -> dict[str, Any]:
    async with await building as arch:
        arch.info()
        return await asyncio.to_thread(_told, arch)


def _told(arch: Archive) -> dict[str, Any]:
    from daxa.archive.views import plain
    from daxa.exceptions import NoProcessingError

    try:
        success = plain(arch.process_success)
    except NoProcessingError:
        success = {}
    return {
        "archive": arch.archive_name,
        "archive_path": arch.archive_path,
        "observations": {one.name: sorted(map(str, one.filtered_obs_ids)) for one in arch.missions},
        "process_success": success,
        "failures": arch.failures()["sentence"].tolist(),
    }
