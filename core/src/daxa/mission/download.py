"""What a download did, or would do: one result a file, one an observation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from attrs import field, frozen

from daxa.exceptions import DaxaError
from daxa.specs import RemoteFile, Want

FileState = Literal["fetched", "present", "failed", "absent"]
ObservationState = Literal["present", "complete", "partial", "absent"]


@frozen(kw_only=True)
class FileResult:
    """What became of one file.

    Parameters
    ----------
    mission, obs_id : str
        Which observation.
    url : str
        Address of the file, or of the directory that should list it.
    path : str
        Where it is kept, relative to the observation's directory.
    state : {"fetched", "present", "failed", "absent"}
        ``absent``: the archive does not have it.
    size : int
        Bytes as served.
    attempts : int
        Requests it took.
    seconds : float
        Time it took.
    cause : str, optional
        Why there is none.
    code : str, optional
        Code of the error.
    required : bool
        Whether the observation is incomplete without it.
    """

    mission: str
    obs_id: str
    url: str
    path: str = ""
    state: FileState
    size: int = 0
    attempts: int = 0
    seconds: float = 0.0
    cause: str | None = None
    code: str | None = None
    required: bool = True

    @property
    def missing(self) -> bool:
        """Whether something that is wanted is not here."""
        return self.state == "failed" or (self.state == "absent" and self.required)


@frozen(kw_only=True)
class ObservationResult:
    """What became of one observation.

    Parameters
    ----------
    mission, obs_id : str
        Which observation.
    state : {"present", "complete", "partial", "absent"}
        ``present``: nothing was missing before; ``absent``: the archive holds nothing for it.
    cause : str, optional
        Why it is not complete.
    seconds : float
        Time it took.
    files : tuple of FileResult
        Its files; empty if it was complete before.
    """

    mission: str
    obs_id: str
    state: ObservationState
    cause: str | None = None
    seconds: float = 0.0
    files: tuple[FileResult, ...] = ()


@frozen
class DownloadReport:
    """What a download did.

    Parameters
    ----------
    mission : str
        Internal name.
    want : Want
        What was wanted.
    observations : tuple of ObservationResult
        One an observation, in the order of the selection.
    """

    mission: str
    want: Want
    observations: tuple[ObservationResult, ...]

    @property
    def files(self) -> list[FileResult]:
        """Results of all files that were looked at."""
        return [file for one in self.observations for file in one.files]

    @property
    def failed(self) -> list[FileResult]:
        """Results of what is missing."""
        return [file for file in self.files if file.missing]

    @property
    def size(self) -> int:
        """Bytes fetched."""
        return sum(file.size for file in self.files if file.state == "fetched")

    @property
    def has_products(self) -> bool:
        """Whether the archive's own products were asked for, and some observation has some."""
        return self.want.products and any(one.state != "absent" for one in self.observations)


@frozen
class DownloadPlan:
    """What a download would fetch.

    Parameters
    ----------
    mission : str
        Internal name.
    files : tuple of RemoteFile
        Files that are missing.
    present : int
        Files, or whole observations, that are here already.
    absent : Mapping
        Causes, by ObsID, of observations that cannot be listed.
    """

    mission: str
    files: tuple[RemoteFile, ...]
    present: int = 0
    absent: Mapping[str, str] = field(factory=dict)

    @property
    def size(self) -> int:
        """Bytes to be fetched, as far as listings tell; some tell them rounded, see :attr:`rounded`."""
        return sum(_exact(file) or file.about or 0 for file in self.files)

    @property
    def rounded(self) -> int:
        """Number of files whose size is known from a listing that rounds it, to three figures or so."""
        return sum(_exact(file) is None and file.about is not None for file in self.files)

    @property
    def unknown(self) -> int:
        """Number of files whose size no listing tells."""
        return sum(_exact(file) is None and file.about is None for file in self.files)

    def __str__(self) -> str:
        about = "about " if self.rounded else ""
        parts = [f"{self.mission}: {len(self.files)} files, {about}{self.size / 1e6:.1f} MB"]
        if self.unknown:
            parts.append(f"and {self.unknown} of unknown size")
        if self.present:
            parts.append(f"{self.present} here already")
        if self.absent:
            parts.append(f"nothing to be had of {len(self.absent)} observation{'' if len(self.absent) == 1 else 's'}")
        return ", ".join(parts)


def _exact(file: RemoteFile) -> int | None:
    """Bytes of a file as served, where a listing tells them exactly."""
    return next((one.size for one in file.locations if one.size is not None), None)


@frozen
class FileCheck:
    """A downloaded file that was looked at again.

    Parameters
    ----------
    obs_id, path : str
        Which file.
    state : {"intact", "changed", "missing"}
        What it is now.
    """

    obs_id: str
    path: str
    state: Literal["intact", "changed", "missing"]


def cause_of(problem: BaseException) -> str:
    """Write an error as a cause, in one line."""
    if isinstance(problem, DaxaError):
        return problem.message
    return f"{type(problem).__name__}: {problem}"
