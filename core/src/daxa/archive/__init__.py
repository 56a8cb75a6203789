"""Archives: observations with everything that happened to them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from daxa.archive.archive import Archive
    from daxa.archive.assemble import assemble_archive_from_positions
    from daxa.archive.running import RunSummary


def __getattr__(name: str) -> Any:
    """Import the classes when they are first used."""
    if name == "Archive":
        from daxa.archive.archive import Archive

        return Archive
    if name == "RunSummary":
        from daxa.archive.running import RunSummary

        return RunSummary
    if name == "assemble_archive_from_positions":
        from daxa.archive.assemble import assemble_archive_from_positions

        return assemble_archive_from_positions
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = ["Archive", "RunSummary", "assemble_archive_from_positions"]
