"""Which distribution owns the package ``daxa`` here."""

from __future__ import annotations

import importlib.metadata

from daxa.exceptions import ConflictingInstallationError


def version() -> str:
    """Version of daxa-core."""
    try:
        return importlib.metadata.version("daxa-core")
    except importlib.metadata.PackageNotFoundError:
        return "0+unknown"


def refuse_conflict() -> None:
    """Stop if DAXA 0.3 is installed beside us: its files and ours lie in one directory, and neither would be whole.

    Raises
    ------
    ConflictingInstallationError
        If a distribution named ``daxa`` of a version below 1 is installed.
    """
    try:
        other = importlib.metadata.distribution("daxa")
    except importlib.metadata.PackageNotFoundError:
        return
    if other.version.split(".")[0] not in ("", "0"):
        return
    raise ConflictingInstallationError(
        f"The distribution daxa {other.version} is installed beside daxa-core {version()}; both own the package daxa.",
        expected="one of them",
        remedy="to use this version, `pip uninstall -y daxa` and then"
        " `pip install --force-reinstall --no-deps daxa-core`; to go back, `pip uninstall -y daxa-core` and then"
        f" `pip install --force-reinstall --no-deps daxa=={other.version}`",
        version=other.version,
    )
