"""Serving the demonstration's sky, and running the demonstration against it."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from daxa_demo.story import Told


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
