"""Every error DAXA raises on purpose.

One tree under :class:`DaxaError`. Each class has a stable ``code`` (kept over versions, safe to test against and to
send over a network), and also inherits the built-in exception a caller would expect. A message names the value, what
was expected, and what to do about it. The names of DAXA 0.3's exceptions are kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar


class DaxaError(Exception):
    """Base of all errors of the project.

    Parameters
    ----------
    message : str
        What is wrong, for a person.
    expected : str, optional
        What was expected instead.
    remedy : str, optional
        What to do about it.
    **context
        Values a program may want: ``value``, ``mission``, ``obs_id``, ``path``, ``url`` ...

    Attributes
    ----------
    code : str
        Stable identifier of the kind of error.
    """

    code: ClassVar[str] = "daxa"

    def __init__(self, message: str, *, expected: str | None = None, remedy: str | None = None, **context: Any) -> None:
        self.message = message
        self.expected = expected
        self.remedy = remedy
        self.context = context
        super().__init__(message)

    def __str__(self) -> str:
        parts = [self.message]
        if self.expected:
            parts.append(f"Expected: {self.expected}.")
        if self.remedy:
            parts.append(f"Remedy: {self.remedy}.")
        return " ".join(parts)

    def __reduce__(self) -> tuple[Any, ...]:
        return (_rebuild, (type(self), self.message, self.expected, self.remedy, self.context))


def _rebuild(
    cls: type[DaxaError], message: str, expected: str | None, remedy: str | None, context: dict[str, Any]
) -> DaxaError:
    """Make an error anew on the other side of a process boundary."""
    return cls(message, expected=expected, remedy=remedy, **context)


def first_of(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the first error of a group, so that callers of what works side by side need not know that it does."""
    problem = group.exceptions[0]
    return first_of(problem) if isinstance(problem, BaseExceptionGroup) else problem


# --- configuration, plugins, environment ---------------------------------------------------------------------------


class DAXAConfigError(DaxaError, ValueError):
    """A setting has a value that cannot be used."""

    code = "config"


class ConflictingInstallationError(DaxaError, ImportError):
    """PyPI's ``daxa`` 0.3 is installed beside daxa-core: both own the package ``daxa``."""

    code = "conflicting-installation"


class MissingPluginError(DaxaError, ImportError):
    """A mission, process or tool is asked for whose plugin is not installed."""

    code = "missing-plugin"


class PluginError(DaxaError, RuntimeError):
    """A plugin breaks the contract of :mod:`daxa.api`."""

    code = "plugin"


class MissingToolError(DaxaError, FileNotFoundError):
    """External software that a process needs cannot be found."""

    code = "missing-tool"


class ToolVersionError(MissingToolError):
    """External software is here, but in a version that is too old."""

    code = "tool-version"


# Names of DAXA 0.3. Which software it is about stands in ``context["tool"]``.
BackendSoftwareError = MissingToolError
SASNotFoundError = MissingToolError
eSASSNotFoundError = MissingToolError  # noqa: N816 - it is the name of that software
CIAONotFoundError = MissingToolError
NuSTARDASNotFoundError = MissingToolError
SASVersionError = ToolVersionError
DAXADeveloperError = PluginError


class EventLoopInUseError(DaxaError, RuntimeError):
    """One archive is used from two event loops at the same time."""

    code = "event-loop-in-use"


class NotAwaitedError(DaxaError, RuntimeError):
    """A call that returns an awaitable was made, but never awaited."""

    code = "not-awaited"


# --- input ---------------------------------------------------------------------------------------------------------


class InvalidNameError(DaxaError, ValueError):
    """A name would leave its directory, or cannot be a name at all."""

    code = "invalid-name"


class InvalidObsIDError(DaxaError, ValueError):
    """An ObsID does not have the form its mission uses."""

    code = "invalid-obsid"


class InvalidParameterError(DaxaError, ValueError):
    """A parameter has a value outside what is allowed."""

    code = "invalid-parameter"


class ParameterTypeError(DaxaError, TypeError):
    """A parameter has a type that cannot be used."""

    code = "parameter-type"


class UnknownNameError(DaxaError, KeyError):
    """A mission, process, instrument or archive of that name is not known."""

    code = "unknown-name"

    __str__ = DaxaError.__str__  # KeyError would show the repr


class MissingFileError(DaxaError, FileNotFoundError):
    """A file or directory that is named, or should be there, is not."""

    code = "missing-file"


class NameNotResolvedError(DaxaError, LookupError):
    """No name service knows the object."""

    code = "name-not-resolved"


# --- missions and selection ----------------------------------------------------------------------------------------


class CatalogueNotLoadedError(DaxaError, RuntimeError):
    """A table was read before its catalogue was loaded."""

    code = "catalogue-not-loaded"


class CatalogueError(DaxaError, RuntimeError):
    """A catalogue could not be had, or the answer is not the catalogue it should be."""

    code = "catalogue"


class NoSelectionError(DaxaError, RuntimeError):
    """A mission on which no filter was applied is to be downloaded or archived."""

    code = "no-selection"


class MissionLockedError(DaxaError, RuntimeError):
    """The mission belongs to an archive, its selection cannot be changed."""

    code = "mission-locked"


class NoObsAfterFilterError(DaxaError, LookupError):
    """A filter would leave no observation; the selection is unchanged."""

    code = "no-obs-after-filter"


class IllegalSourceType(DaxaError, ValueError):
    """A target type is not part of the taxonomy."""

    code = "illegal-source-type"


class NoTargetSourceTypeInfo(DaxaError, LookupError):
    """The mission's catalogue has no target types."""

    code = "no-target-types"


class IncompatibleSaveError(DaxaError, ValueError):
    """A saved state belongs to another mission."""

    code = "incompatible-save"


class PreProcessedNotSupportedError(DaxaError, LookupError):
    """The mission's archive has no such product."""

    code = "preprocessed-not-supported"


class PreProcessedNotAvailableError(DaxaError, LookupError):
    """The product exists for other energy bands or observations, not for the one asked for."""

    code = "preprocessed-not-available"


# --- network and downloads -----------------------------------------------------------------------------------------


class NetworkError(DaxaError, OSError):
    """A request failed for good; the message names URL and cause."""

    code = "network"


class OfflineError(NetworkError):
    """Something is needed from the network, and the network is switched off."""

    code = "offline"


class NotAtArchiveError(NetworkError, FileNotFoundError):
    """The remote archive does not have the file or directory."""

    code = "not-at-archive"


class AccessDeniedError(NetworkError, PermissionError):
    """The remote archive refuses access: proprietary data, or wrong credentials."""

    code = "access-denied"


class BadReplyError(NetworkError):
    """The reply is not what was asked for: an error page, a truncated body, a table without a column."""

    code = "bad-reply"


class ServiceError(NetworkError):
    """A service answered with an error of its own, such as QUERY_STATUS=ERROR."""

    code = "service"


class UnsafeArchiveError(DaxaError, ValueError):
    """A tar, zip or listing names a path outside its directory, a device, or unpacks to far too much."""

    code = "unsafe-archive"


class DAXADownloadError(DaxaError, OSError):
    """Files could not be fetched; everything else was. ``results`` holds one record a file.

    Attributes
    ----------
    results : list
        One record a file, with mission, ObsID, URL, attempts and cause.
    """

    code = "download"

    @classmethod
    def of(cls, results: Sequence[Any]) -> DAXADownloadError:
        """Make the error of files that could not be fetched; each result has mission, obs_id, url and cause."""
        first = results[0]
        more = f", and {len(results) - 1} more" if len(results) > 1 else ""
        return cls(
            f"Not everything could be fetched: {first.mission} {first.obs_id}: {first.cause} ({first.url}){more}.",
            expected="every file whole",
            remedy="call download again, it fetches what is missing; the error's `results` name every file",
            results=list(results),
        )

    @property
    def results(self) -> list[Any]:
        """Per-file results of the call."""
        return list(self.context.get("results", []))


class DAXANotDownloadedError(DaxaError, RuntimeError):
    """Data are asked for that have not been downloaded."""

    code = "not-downloaded"


class StorageError(DaxaError, OSError):
    """The disk is full, read-only, or refuses a write."""

    code = "storage"


# --- archive and records -------------------------------------------------------------------------------------------


class ArchiveNotOpenError(DaxaError, RuntimeError):
    """An archive is used before it was awaited or entered, or after it was closed."""

    code = "archive-not-open"


class ArchiveNotFoundError(DaxaError, FileNotFoundError):
    """No archive of that name exists under the output directory."""

    code = "archive-not-found"


class ArchiveExistsError(DaxaError, FileExistsError):
    """An archive of that name exists already, with other missions."""

    code = "archive-exists"


class ArchiveInUseError(DaxaError, RuntimeError):
    """Another process is writing to the archive."""

    code = "archive-in-use"


class DamagedRecordError(DaxaError, RuntimeError):
    """The record of an archive cannot be read."""

    code = "damaged-record"


class NewerSchemaError(DaxaError, RuntimeError):
    """The record of an archive was written by a newer version."""

    code = "newer-schema"


class DuplicateMissionError(DaxaError, ValueError):
    """A mission is given twice."""

    code = "duplicate-mission"


class MissionNotAssociatedError(DaxaError, KeyError):
    """The archive does not hold that mission."""

    code = "mission-not-associated"

    __str__ = DaxaError.__str__


class ObsNotAssociatedError(DaxaError, KeyError):
    """The archive does not hold that observation."""

    code = "obs-not-associated"

    __str__ = DaxaError.__str__


class NoRegionsAssociatedError(DaxaError, ValueError):
    """The observation has no source regions."""

    code = "no-regions"


class NoProcessingError(DaxaError, LookupError):
    """Nothing has been processed yet."""

    code = "no-processing"


class NoDependencyProcessError(DaxaError, LookupError):
    """A process is asked about that has not been run, or has not succeeded."""

    code = "no-dependency-process"


class NoValidMissionsError(DaxaError, LookupError):
    """No mission of the archive can use that process."""

    code = "no-valid-missions"


# --- reduction -----------------------------------------------------------------------------------------------------


class TaskError(DaxaError, RuntimeError):
    """A task cannot do its work; becomes its outcome's cause."""

    code = "task"


class BadEventListError(TaskError, ValueError):
    """An event list is damaged, or lacks what the work needs."""

    code = "bad-event-list"


class NoCelestialWCSError(BadEventListError):
    """The sky columns of an event list carry no celestial world coordinate system that can be trusted."""

    code = "no-celestial-wcs"


class NoGoodTimeError(BadEventListError):
    """No good time is left, or the list does not say which time is good."""

    code = "no-good-time"


class EmptyBandError(TaskError, ValueError):
    """An energy band holds no channel of the list, or its limits are swapped."""

    code = "empty-band"
