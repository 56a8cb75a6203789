"""What the docstring of a process must tell: its parameters, their units, and where the recipe comes from."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from daxa.contract.findings import Finding

if TYPE_CHECKING:
    from daxa.process import Process

UNITS: Final = re.compile(
    r"\b(seconds?|s|ms|minutes?|days?|MJD|k?eV|MeV|arcsec|arcmin|deg(rees)?|pixels?|bins?|counts?|events?|sigmas?"
    r"|standard deviations?|photons?|channels?|cm|erg|bytes?|cores?|fractions?|per ?cent|times?|numbers?|dimensionless"
    r"|ratios?|index|order|factors?)\b|%"
)
"""Words that say in what a number is meant."""

SOURCES: Final = re.compile(
    r"\b(references?|sources?|see|after|as in|guide|handbook|manual|thread|memo|appendix|doi|arxiv|et al)\b|https?://"
    r"|\((1[89]|20)\d\d\b",
    re.IGNORECASE,
)
"""Words that say where something is written down."""


def check_docstring(process: Process, subject: str) -> Iterator[Finding]:
    """Look at the docstring of a process."""
    text = inspect.cleandoc(process.body.__doc__ or "")
    if not text:
        yield Finding(
            "docstring",
            subject,
            "it has no docstring.",
            "say in a sentence what it does, then its parameters with units, and its reference",
        )
        return
    if not text.splitlines()[0].rstrip().endswith((".", ":")) and "\n\n" not in text and "." not in text:
        yield Finding("docstring", subject, "its docstring is no sentence.", "say what it does, in a sentence")
    numbers = []
    for name, value in process.parameters.items():
        if not re.search(rf"\b{re.escape(name)}\b", text):
            yield Finding(
                "docstring", subject, f"its docstring does not say what `{name}` is.", f"add a line on `{name}`"
            )
        elif isinstance(value, int | float) and not isinstance(value, bool):
            numbers.append(name)
    if numbers and not UNITS.search(text):
        yield Finding(
            "docstring",
            subject,
            f"it does not say in what {', '.join(numbers)} {'are' if len(numbers) > 1 else 'is'} measured.",
            "name the unit of each number: seconds, keV, counts, or that it has none",
        )
    if process.tools and not SOURCES.search(text):
        yield Finding(
            "docstring",
            subject,
            "it runs external software, and does not say after which guide.",
            "name the reference: the thread, handbook or paper, with its address",
        )
