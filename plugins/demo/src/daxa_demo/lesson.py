"""The surroundings of a lesson: an offline sky and stand-ins for SAS, for as long as this Python lives.

The documentation's tutorials begin with ``from daxa_demo.lesson import begin; begin()``; so can a notebook of yours.
"""

from __future__ import annotations

import atexit
import os
import tempfile
from contextlib import ExitStack
from pathlib import Path


def begin(output: str | Path | None = None) -> Path:
    """Serve the offline sky from a thread, and let this Python's settings lead to it.

    Variables of the environment are set, ``DAXA_URL_...`` among them; call it before anything of DAXA is used.

    Parameters
    ----------
    output : path, optional
        Output root; by default a new temporary directory, which goes with this Python.

    Returns
    -------
    Path
        The output root.
    """
    from daxa_demo.founding.phl1811 import scenario
    from daxa_testing.sky import Sky
    from daxa_xmm.testing import sas

    stack = ExitStack()
    atexit.register(stack.close)
    place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="daxa-lesson-")))
    root = place / "output" if output is None else Path(output).absolute()
    root.mkdir(parents=True, exist_ok=True)
    running = stack.enter_context(Sky.installed().running_in_thread())
    tools = sas.install(place / "sas", version="20.0.0", scenario=scenario())
    os.environ.update(running.environment(place))
    os.environ.update({"DAXA_OUTPUT": str(root), "DAXA_TOOL_SAS": str(tools), "DAXA_TOOL_HEASOFT": f"{tools}/headas"})
    return root
