"""The ``daxa sky`` command."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Final

import click

_LEADING_ELSEWHERE: Final = ("DAXA_URL_", "DAXA_XSA_", "DAXA_OFFLINE", "DAXA_LOCATIONS")
"""Variables that would lead a command to other servers than the sky's, or to none."""
OUTPUT: Final = "daxa_sky_output"
"""Output root in the working directory where none is named: not that of real archives."""


@click.command(context_settings={"ignore_unknown_options": True})
@click.option(
    "--root",
    type=click.Path(file_okay=False, path_type=Path),
    help=f"Directory for cache and output. Without it the cache is temporary, and the output root is ./{OUTPUT}.",
)
@click.option("--keep", is_flag=True, help="Keep the temporary cache that is used without --root.")
@click.option("--json", "as_json", is_flag=True, help="Print the settings as one JSON object.")
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
def sky(root: Path | None, keep: bool, as_json: bool, command: tuple[str, ...]) -> int:
    """Run COMMAND against the offline sky; without one, serve the sky and print its settings.

    The command sees the sky's services and nothing else, and has a cache, configuration and output root of its own
    (the latter unless DAXA_OUTPUT or an option of the command names one): what is fetched here never lies among what
    you have of the real archives. Other settings of the environment hold, such as DAXA_TOOL_SAS.
    """
    from daxa_testing.sky import Sky

    made = Path(tempfile.mkdtemp(prefix="daxa-sky-")) if root is None else root.absolute()
    try:
        made.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise click.ClickException(f"The directory {made} cannot be made: {problem.strerror or problem}.") from problem
    try:
        with Sky.installed().running_in_thread() as running:
            settings = running.environment(made)
            if root is None:  # what was made is still there when the same command is run again
                settings["DAXA_OUTPUT"] = str(Path.cwd() / OUTPUT)
            for left_out in running.sky.problems:
                click.echo(f"left out: {left_out}", err=True)
            return _run(command, settings) if command else _wait(settings, as_json=as_json)
    finally:
        if root is None and not keep:
            shutil.rmtree(made, ignore_errors=True)


def _wait(settings: dict[str, str], *, as_json: bool) -> int:
    """Print the settings and serve until interrupted."""
    import json

    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):  # before anybody can know that we are here
        signal.signal(number, lambda *_: ended.set())
    if as_json:
        click.echo(json.dumps(settings))
    else:
        for name, value in settings.items():
            click.echo(f"export {name}={shlex.quote(value)}")
        click.echo("# serving until Ctrl-C", err=True)
    sys.stdout.flush()
    ended.wait()
    return 0


def _run(command: tuple[str, ...], settings: dict[str, str]) -> int:
    """Run a command; it takes signals that we are sent, and is gone when we are."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_LEADING_ELSEWHERE)}
    output = os.environ.get("DAXA_OUTPUT")
    environment = {**kept, **settings, **({"DAXA_OUTPUT": output} if output else {})}
    try:
        child = subprocess.Popen(list(command), env=environment)
    except OSError as problem:
        click.echo(f"daxa sky: {command[0]} cannot be started: {problem.strerror}", err=True)
        return 127
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal sends it to the command as well
    signal.signal(signal.SIGTERM, lambda *_: child.terminate())
    try:
        status = child.wait()
    finally:
        if child.poll() is None:
            child.kill()
            child.wait()
        for number, handler in before.items():
            signal.signal(number, handler)
    return status if status >= 0 else 128 - status
