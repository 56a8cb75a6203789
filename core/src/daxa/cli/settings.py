"""``daxa config``, ``daxa plugins`` and ``daxa missions``."""

from __future__ import annotations

import contextlib

import click

from daxa.cli import EXIT_FAILURES, command_names
from daxa.cli.checks import check
from daxa.cli.options import json_option, print_json, print_table
from daxa.config import LIMITS, SETTINGS, TOOL_PREFIX, Setting, config_file
from daxa.context import current_context
from daxa.exceptions import PluginError


def _shown(setting: Setting) -> object:
    if setting.name.endswith("_password") and setting.value:
        return "********"
    return "" if setting.value is None else setting.value


@click.command()
@json_option
def config(as_json: bool) -> None:
    """Show every setting with its source: argument, environment, file or default."""
    context = current_context()
    settings = context.config
    resolved = {"output": str(settings.output), "cache": str(settings.cache), "cores": settings.cores}
    rows = []
    for name in SETTINGS:
        setting = settings.setting(name)
        rows.append(Setting(name, resolved.get(name, setting.value), setting.source))
    registry = context.registry
    for name in sorted(registry.services):
        rows.append(settings.service(name, registry.services[name].url))
        limits = (settings.setting(f"{one}_{name.lower()}", getattr(registry.services[name], one)) for one in LIMITS)
        rows += [limit for limit in limits if limit.value]
    rows += [settings.setting(TOOL_PREFIX + name) for name in sorted(registry.tools)]
    if as_json:
        print_json(
            {
                "file": str(config_file()),
                "settings": [{"name": row.name, "value": _shown(row), "source": row.source} for row in rows],
            }
        )
        return
    click.echo(f"Configuration file: {config_file()}{'' if config_file().exists() else ' (not there)'}")
    print_table(["setting", "value", "source"], [(row.name, _shown(row), row.source) for row in rows])


@click.command()
@json_option
def doctor(as_json: bool) -> int | None:
    """Look for external software and calibration, at plugins and at the output directory; say how to mend things."""
    import daxa
    from daxa.sync import run_sync

    diagnosis = run_sync(daxa.doctor())
    if as_json:
        print_json(diagnosis.to_dict())
    else:
        click.echo(str(diagnosis))
    return None if diagnosis.good else EXIT_FAILURES


@click.group(invoke_without_command=True)
@json_option
@click.pass_context
def plugins(ctx: click.Context, as_json: bool) -> int | None:
    """List the plugins: distribution, version, API, missions, seconds, error."""
    if ctx.invoked_subcommand is not None:
        return None
    context = current_context()
    registry = context.registry
    context.plugins.commands(command_names())  # what is wrong with a plugin's commands is in the report too,
    for name in registry.missions:  # and what is wrong with its processes
        with contextlib.suppress(PluginError):
            registry.processes(name)
    missions: dict[str, list[str]] = {}
    for name in registry.missions:
        missions.setdefault(registry.owners["mission", name], []).append(name)
    rows = [
        {
            "distribution": record.distribution,
            "name": record.name,
            "version": record.version,
            "api": record.api,
            "missions": missions.get(record.distribution, []),
            "seconds": round(record.seconds, 6),
            "location": record.location,
            "error": record.error,
        }
        for record in context.plugins.records
    ]
    if as_json:
        print_json({"plugins": rows})
    else:
        print_table(
            ["distribution", "version", "API", "missions", "seconds", "error"],
            [
                (
                    row["distribution"],
                    row["version"],
                    row["api"] if row["api"] is not None else "-",
                    ", ".join(missions.get(str(row["distribution"]), [])) or "-",
                    f"{row['seconds']:.4f}",
                    row["error"] or "",
                )
                for row in rows
            ],
        )
    return None


plugins.add_command(check)


@click.command()
@json_option
def missions(as_json: bool) -> None:
    """List the missions that are installed, with the plugin that provides each."""
    registry = current_context().registry
    rows = [
        {
            "name": entry.name,
            "title": entry.title,
            "class": entry.class_name,
            "distribution": registry.owners["mission", entry.name],
        }
        for entry in registry.missions.values()
    ]
    if as_json:
        print_json({"missions": rows})
        return
    print_table(
        ["name", "title", "class", "distribution"],
        [(row["name"], row["title"], row["class"], row["distribution"]) for row in rows],
    )
