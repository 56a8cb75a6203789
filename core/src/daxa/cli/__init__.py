"""The ``daxa`` program: one module a group of commands, imported when its command is used."""

from __future__ import annotations

import importlib
import sys
import warnings
from collections.abc import Sequence
from typing import Any, Final

import click

EXIT_OK: Final = 0
EXIT_ERROR: Final = 1
EXIT_USAGE: Final = 2
EXIT_FAILURES: Final = 3
EXIT_INTERRUPTED: Final = 130

_COMMANDS: Final = {
    "build": ("daxa.cli.targets:build", "Make an archive of a target, of positions, or of ObsIDs."),
    "config": ("daxa.cli.settings:config", "Show every setting with its source."),
    "doctor": ("daxa.cli.settings:doctor", "Look for external software, and say how to mend what is missing."),
    "find": ("daxa.cli.targets:find", "Ask all missions what they have of a target."),
    "info": ("daxa.cli.archives:info", "Summarise an archive."),
    "logs": ("daxa.cli.archives:logs", "Show the logs of a process."),
    "missions": ("daxa.cli.settings:missions", "List the missions that are installed."),
    "plugins": ("daxa.cli.settings:plugins", "List the plugins, with what failed to load."),
    "products": ("daxa.cli.archives:products", "List the products of an archive."),
    "report": ("daxa.cli.archives:report", "Write an archive's record as a page of HTML."),
    "run": ("daxa.cli.work:run", "Run processes on an archive."),
    "status": ("daxa.cli.archives:status", "Count the tasks of an archive, and group its failures."),
    "update": ("daxa.cli.work:update", "Look for what is new, and do with it what was done before."),
    "verify": ("daxa.cli.work:verify", "Compare an archive's files with its record."),
}
"""Name, where it lives, and one line: enough for ``daxa --help`` without importing the commands."""


def command_names() -> tuple[str, ...]:
    """Names of the program's own commands; plugins add others."""
    return tuple(_COMMANDS)


class Program(click.Group):
    """The program; knows its own commands by name, and lets plugins add theirs."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self._plugins_asked = False

    def _ask_plugins(self) -> None:
        if self._plugins_asked:
            return
        self._plugins_asked = True
        from daxa.context import current_context

        for name, command in current_context().plugins.commands(command_names()).items():
            self.add_command(command, name)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of all commands, our own and the plugins'."""
        self._ask_plugins()
        return sorted({*_COMMANDS, *super().list_commands(ctx)})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Find a command; ours are imported now."""
        if cmd_name in _COMMANDS:
            module, _, name = _COMMANDS[cmd_name][0].partition(":")
            command: click.Command = getattr(importlib.import_module(module), name)
            return command
        self._ask_plugins()
        return super().get_command(ctx, cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands from their one-line helps."""
        rows = []
        for name in self.list_commands(ctx):
            if name in _COMMANDS:
                rows.append((name, _COMMANDS[name][1]))
            else:
                command = super().get_command(ctx, name)
                rows.append((name, command.get_short_help_str(100) if command else ""))
        with formatter.section("Commands"):
            formatter.write_dl(rows)


def _version(ctx: click.Context, _parameter: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        from daxa._installation import version

        click.echo(f"daxa {version()}")
        ctx.exit()


@click.group(cls=Program, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Show the version.")
def cli() -> None:
    """Local archives of X-ray observations: select, fetch, reduce, record.

    Exit status: 0 all good, 1 error of environment or input, 2 usage, 3 finished with failures, 130 interrupted.
    """


def _warned(
    message: Warning | str, category: type[Warning], filename: str, lineno: int, line: str | None = None
) -> str:
    """A warning as the program says it: where in the code it was given is of no interest here."""
    return f"daxa: {message}\n"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the program and leave it with its exit status."""
    usual, warnings.formatwarning = warnings.formatwarning, _warned
    try:
        _run(arguments)
    finally:
        warnings.formatwarning = usual


def _run(arguments: Sequence[str] | None) -> None:
    from daxa.exceptions import DaxaError

    try:
        status = cli.main(args=None if arguments is None else list(arguments), prog_name="daxa", standalone_mode=False)
    except click.UsageError as problem:
        problem.show()
        sys.exit(EXIT_USAGE)
    except click.ClickException as problem:
        problem.show()
        sys.exit(EXIT_ERROR)
    except click.Abort:
        click.echo("Interrupted. What was done is kept; the same command goes on from there.", err=True)
        sys.exit(EXIT_INTERRUPTED)
    except DaxaError as problem:
        click.echo(f"daxa: {problem}", err=True)
        sys.exit(EXIT_ERROR)
    except BrokenPipeError:
        sys.exit(EXIT_OK)
    sys.exit(status if isinstance(status, int) else EXIT_OK)
