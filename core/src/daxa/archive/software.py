"""The external software of a run: what is here, what is missing, and what a task sees of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from attrs import field, frozen

from daxa.environments import python_environment, task_environment
from daxa.exceptions import MissingToolError, PluginError
from daxa.schedule.fingerprint import Ingredients
from daxa.tools import FoundTool

if TYPE_CHECKING:
    from daxa.context import Context
    from daxa.process import Process

_WRITTEN: Final = re.compile(r", the newest of \d{4}-\d\d-\d\d")


@frozen
class Software:
    """What the processes of a run need besides Python.

    Parameters
    ----------
    found : Mapping of str to FoundTool
        Tools that are here, by name.
    missing : Mapping of str to MissingToolError
        Why others are not.
    sky : str, optional
        The offline sky the run sees, if it sees one.
    pfiles : str, optional
        System parameter files, where the tools do not say.
    """

    found: Mapping[str, FoundTool] = field(factory=dict)
    missing: Mapping[str, MissingToolError] = field(factory=dict)
    sky: str | None = None
    pfiles: str | None = None
    _calibrations: dict[str, str] = field(init=False, factory=dict)

    @classmethod
    def of(cls, processes: Iterable[Process], context: Context) -> Software:
        """Look for everything that some processes need. Starts programs, and waits for them."""
        found: dict[str, FoundTool] = {}
        missing: dict[str, MissingToolError] = {}
        for process in processes:
            for name in process.tools:
                if name in found or name in missing:
                    continue
                if name not in context.registry.tools:
                    raise PluginError(
                        f"{process.name} needs the tool {name!r}, which no plugin describes.",
                        expected=f"one of {', '.join(sorted(context.registry.tools)) or 'none'}",
                        remedy="install the plugin that does, or correct the process",
                    )
                try:
                    tool = context.find_tool(name)
                    tool.check()
                    found[name] = tool
                except MissingToolError as problem:
                    missing[name] = problem
        return cls(found, missing, context.config.sky, context.config.setting("pfiles_path").value)

    def lacking(self, process: Process) -> MissingToolError | None:
        """Say what a process cannot be run without."""
        return next((self.missing[name] for name in process.tools if name in self.missing), None)

    def versions(self, process: Process, recorded: str | None) -> tuple[dict[str, str], str]:
        """Versions of the tools of a process, and of their calibration.

        Parameters
        ----------
        process : Process
            The process.
        recorded : str, optional
            Ingredients of the products that are there: what cannot be asked is taken to be as it was.
        """
        before = Ingredients.read(recorded) if recorded and self.lacking(process) else None
        if before is not None:
            return dict(before.tools), before.calibration
        tools = [self.found[name] for name in process.tools if name in self.found]
        told = {tool.spec.name: self._calibration_of(tool) for tool in tools if tool.spec.calibration_variable}
        calibration = next(iter(told.values())) if len(told) == 1 else "; ".join(f"{a}: {b}" for a, b in told.items())
        return {tool.spec.name: tool.version() for tool in tools}, calibration

    def _calibration_of(self, tool: FoundTool) -> str:
        """Look at the files of a calibration once a run: there are thousands of them, and every task asks.

        When they were written does not count: a copy of a calibration is the same calibration.
        """
        name = tool.spec.name
        if name not in self._calibrations:
            self._calibrations[name] = _WRITTEN.sub("", tool.calibration())
        return self._calibrations[name]

    def environment(self, process: Process, scratch: Path) -> dict[str, str]:
        """Make the complete environment of a task.

        Raises
        ------
        MissingToolError
            If a tool of the process is not here.
        """
        problem = self.lacking(process)
        if problem is not None:
            raise problem
        if not process.tools:
            return python_environment(scratch, self.sky)
        return task_environment([self.found[name] for name in process.tools], scratch, self.pfiles)

    def steps(self, process: Process, steps: Iterable[Sequence[str]]) -> tuple[tuple[str, ...], ...]:
        """The commands of a task as they are started: inside the container that holds its software, if one does."""
        prefix = next((self.found[name].prefix for name in process.tools if self.found[name].prefix), ())
        return tuple((*prefix, *step) for step in steps)
