"""Checks of what a mission's class declares: nothing is fetched, nothing but the class is imported."""

from __future__ import annotations

import inspect
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

from daxa.contract.findings import Finding, name_findings, vague_words
from daxa.exceptions import InvalidNameError
from daxa.ids import DataId, check_component

EVERY_CATALOGUE: Final = ("ra", "dec", "ObsID", "science_usable", "start", "duration", "end")
"""Columns that every catalogue has."""

LEVELS: Final = ("obs", "inst", "exp")
KINDS: Final = ("events", "image", "expmap", "backmap", "lightcurve", "gti")
_FORBIDDEN: Final = ("", ".", "..", "../../etc", "a/b", "a b", "a\\b", "-x", "a\n")


def check_mission_class(cls: Any, name: str, title: str, services: Collection[str]) -> Iterator[Finding]:
    """Look at what a mission's class declares.

    Parameters
    ----------
    cls : type
        The class.
    name, title : str
        As its entry has them.
    services : collection of str
        Names of the services that are registered.
    """
    from daxa.api import Mission

    subject = f"mission {name}"
    yield from name_findings("mission", name)
    if not inspect.isclass(cls) or not issubclass(cls, Mission):
        yield Finding("mission-class", subject, f"its target is {cls!r}.", "derive the class from daxa.api.Mission")
        return
    if cls.name != name:
        yield Finding("mission-class", subject, f"the class says its name is {cls.name!r}.", f"write name = {name!r}")
    if not cls.pretty_name or cls.pretty_name != title:
        yield Finding(
            "mission-class",
            subject,
            f"its title is {title!r}, the class says {cls.pretty_name!r}.",
            f"write pretty_name = {title!r} in the class",
        )
    for word in vague_words(cls.__name__):
        yield Finding("name", subject, f"{word!r} in {cls.__name__} says nothing of what it is.", "name the mission")
    if not inspect.getdoc(cls) or cls.__doc__ is None:
        yield Finding("docstring", subject, f"{cls.__name__} has no docstring.", "say what it is, and whose catalogue")
    yield from _methods(cls, subject)
    yield from check_pattern(cls, subject)
    yield from _instruments(cls, subject)
    yield from _fov(cls, subject)
    yield from _levels(cls, subject)
    yield from _columns(cls, subject)
    yield from _products(cls, subject)
    if cls.frame not in ("fk5", "icrs"):
        yield Finding("frame", subject, f"the frame is {cls.frame!r}.", 'write "icrs" or "fk5"')
    for service in cls.services:
        if service not in services:
            yield Finding(
                "services",
                subject,
                f"no service {service!r} is registered.",
                "register it with the hook daxa_register_services, or name one that is",
            )


def _methods(cls: Any, subject: str) -> Iterator[Finding]:
    from daxa.api import Mission

    if not inspect.iscoroutinefunction(getattr(cls, "catalogue", None)):
        yield Finding(
            "catalogue", subject, "`catalogue` is no coroutine function.", "write `async def catalogue(self, net)`"
        )
    if cls.remote_files is Mission.remote_files:
        yield Finding(
            "remote-files", subject, "it does not say which files an observation has.", "write `remote_files`"
        )
    elif inspect.iscoroutinefunction(cls.remote_files):
        yield Finding(
            "remote-files",
            subject,
            "`remote_files` is a coroutine function without a `yield`.",
            "yield each RemoteFile as soon as it is known",
        )
    for method, arguments in (("catalogue", 2), ("remote_files", 4)):
        function = getattr(cls, method, None)
        if callable(function):
            try:
                inspect.signature(function).bind(*range(arguments))
            except TypeError as problem:
                expected = "(self, net)" if arguments == 2 else "(self, obs, want, net)"
                yield Finding("signature", subject, f"`{method}`: {problem}.", f"write `def {method}{expected}`")


def check_pattern(cls: Any, subject: str) -> Iterator[Finding]:
    """Look at the form of ObsIDs."""
    pattern = cls.id_pattern
    if not isinstance(pattern, str):
        return  # a property, whose answer depends on the object
    try:
        compiled = re.compile(pattern)
    except re.error as problem:
        yield Finding("obs-id", subject, f"id_pattern is no regular expression: {problem}.", "correct it")
        return
    bad = [text for text in _FORBIDDEN if compiled.fullmatch(text)]
    if bad:
        yield Finding(
            "obs-id",
            subject,
            f"id_pattern lets {', '.join(map(repr, bad))} pass, which cannot be a directory's name.",
            r"describe the ObsIDs as they are, e.g. r'[0-9]{10}'",
        )


def check_obs_id(cls: Any, obs_id: str) -> Iterator[Finding]:
    """Look at whether an ObsID of the catalogue passes through patterns, paths and data ids unchanged."""
    subject = f"mission {cls.name}"
    if isinstance(cls.id_pattern, str) and not re.fullmatch(cls.id_pattern, obs_id):
        yield Finding(
            "obs-id",
            subject,
            f"its own ObsID {obs_id!r} does not match id_pattern {cls.id_pattern!r}.",
            "correct the pattern, or write ObsIDs as the pattern has them",
        )
    if obs_id != obs_id.upper():
        yield Finding(
            "obs-id",
            subject,
            f"{obs_id!r} holds lower-case letters; what users type is made upper-case and would not be found.",
            "write ObsIDs in upper case in `catalogue`",
        )
    try:
        data_id = DataId(cls.name, obs_id)
    except InvalidNameError as problem:
        yield Finding("obs-id", subject, str(problem.message), f"write {problem.expected}")
        return
    if data_id.ident != obs_id or DataId(*str(data_id).split("/")) != data_id:
        yield Finding("obs-id", subject, f"{obs_id!r} does not come back from a path.", "leave separators out of it")


def _instruments(cls: Any, subject: str) -> Iterator[Finding]:
    insts = cls.instruments
    if isinstance(insts, str) or not isinstance(insts, tuple | list) or not insts:
        yield Finding("instruments", subject, f"instruments is {insts!r}.", 'write a tuple, instruments = ("WIDE",)')
        return
    upper = [str(inst).upper() for inst in insts]
    for inst in insts:
        try:
            check_component(inst, "an instrument")
        except InvalidNameError as problem:
            yield Finding("instruments", subject, problem.message, f"write {problem.expected}")
        if upper.count(str(inst).upper()) > 1:
            yield Finding("instruments", subject, f"{inst!r} is named more than once.", "name it once; case is ignored")
    default = cls.default_instruments
    if isinstance(default, str) or not default or not set(default) <= set(insts):
        yield Finding(
            "instruments",
            subject,
            f"default_instruments is {default!r}.",
            f"name some of {', '.join(map(str, insts))}, in a tuple",
        )
    for alias, inst in cls.instrument_aliases.items():
        if inst not in insts or alias.upper() in upper:
            yield Finding(
                "instruments",
                subject,
                f"the alias {alias!r} of {inst!r} leads nowhere, or hides an instrument.",
                f"write other names of {', '.join(map(str, insts))}",
            )
    for what in ("instrument_tokens", "bands", "declared_fov"):
        declared = getattr(cls, what)
        if isinstance(declared, Mapping) and not set(declared) <= set(insts):
            strange = ", ".join(sorted(set(map(str, declared)) - set(insts)))
            name = "fov" if what == "declared_fov" else what
            yield Finding(
                "instruments",
                subject,
                f"{name} speaks of {strange}.",
                f"write names among {', '.join(map(str, insts))}",
            )


def _fov(cls: Any, subject: str) -> Iterator[Finding]:
    declared, written = cls.declared_fov, inspect.getattr_static(cls, "fov", None)
    if declared is None or not hasattr(written, "__get__"):
        if written is not None:
            yield Finding(
                "fov", subject, "fov is written as an object, which imports astropy with the class.",
                'write text, fov = "15 arcmin"; it becomes a Quantity when it is first looked at',
            )  # fmt: skip
        else:
            yield Finding(
                "fov", subject, "it does not say its field of view, so nobody can search by position.",
                'write its radius, or half its longest side, as text: fov = "15 arcmin"',
            )  # fmt: skip
        return
    by_inst = declared if isinstance(declared, Mapping) else {"": declared}
    missing = [one for one in cls.default_instruments if isinstance(declared, Mapping) and one not in declared]
    if missing:
        yield Finding("fov", subject, f"fov lacks {', '.join(missing)}.", "give each of the usual instruments its own")
    from astropy.units import Quantity, deg

    for inst, text in by_inst.items():
        try:
            size = Quantity(text).to_value(deg)
        except Exception as problem:  # noqa: BLE001 - whatever was written there
            yield Finding("fov", subject, f"fov of {inst or 'all'} is {text!r}: {problem}.", 'write "15 arcmin"')
            continue
        if not 0 < size <= 180:
            yield Finding("fov", subject, f"fov of {inst or 'all'} is {text!r}.", "write an angle above 0")
    made = cls.fov
    if not all(isinstance(one, Quantity) for one in (made.values() if isinstance(made, Mapping) else [made])):
        yield Finding("fov", subject, f"fov becomes {made!r}, no Quantity.", 'write fov = "15 arcmin" in the class')


def _levels(cls: Any, subject: str) -> Iterator[Finding]:
    levels = tuple(cls.levels)
    if not levels or levels != LEVELS[: len(levels)]:
        yield Finding("levels", subject, f"levels is {levels!r}.", f"write the first of {', '.join(LEVELS)}, in order")
    if cls.product_level not in levels or cls.product_level == "obs":
        yield Finding(
            "levels",
            subject,
            f"product_level is {cls.product_level!r}, levels are {', '.join(levels)}.",
            'write "inst" or "exp", and have it among the levels',
        )


def _columns(cls: Any, subject: str) -> Iterator[Finding]:
    order = tuple(cls.column_order)
    if order:
        missing = [name for name in (*EVERY_CATALOGUE, *cls.columns) if name not in order]
        if missing:
            yield Finding("columns", subject, f"column_order lacks {', '.join(missing)}.", "name every column once")
    twice = sorted({name for name in order if order.count(name) > 1})
    if twice:
        yield Finding("columns", subject, f"column_order names {', '.join(twice)} twice.", "name every column once")
    everything = {*order, *cls.columns}
    if cls.has_proprietary and not {"proprietary_usable", "proprietary_end_date"} <= {*cls.columns, *order}:
        yield Finding(
            "columns",
            subject,
            "it says which observations are public, and names no column for it.",
            'write "proprietary_usable" and "proprietary_end_date" among the columns',
        )
    if cls.one_inst_per_obs and "instrument" not in everything:
        yield Finding(
            "columns",
            subject,
            "an observation is of one instrument, and no column says which.",
            'write "instrument" among the columns',
        )


def _products(cls: Any, subject: str) -> Iterator[Finding]:
    for kind, template in cls.templates.items():
        if kind not in KINDS:
            yield Finding("templates", subject, f"{kind!r} is no kind of product.", f"write one of {', '.join(KINDS)}")
        for text in template.values() if isinstance(template, Mapping) else [template]:
            if text is None:
                continue
            try:
                filled = text.format(oi="o1", i="i", eb="b")
            except (KeyError, IndexError, ValueError, AttributeError) as problem:
                yield Finding(
                    "templates", subject, f"the template {text!r} cannot be filled: {problem!r}.",
                    "use {oi}, {i} and {eb} alone",
                )  # fmt: skip
                continue
            if filled.startswith("/") or ".." in filled.split("/"):
                yield Finding(
                    "templates", subject, f"{text!r} leaves the observation's directory.", "write a path below it"
                )
            if "{eb}" in text and not cls.bands:
                yield Finding("templates", subject, f"{text!r} asks for bands, and there are none.", "declare bands")
    for inst, bands in (cls.bands or {}).items():
        for lo, hi in bands or {}:
            if not 0 <= lo < hi:
                yield Finding("bands", subject, f"{inst} has the band {lo}-{hi} keV.", "write (lo, hi) in keV, lo < hi")
