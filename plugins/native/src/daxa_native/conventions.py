"""What a telescope's event lists look like: the records that the modules of `daxa_native.missions` fill in.

Nothing here is a fact of one mission. A convention says which columns hold what, which events are good, which table
says when, and on which grid images are made; what the file says of itself always comes first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Literal

import numpy as np
from attrs import field, frozen

from daxa_native.subspace import Component, format_bits

if TYPE_CHECKING:
    from daxa_native.events import EventList


@frozen(kw_only=True)
class Energy:
    """How a column tells the photon energy: E[keV] = offset + step * value.

    Parameters
    ----------
    column : str
        Name of the column.
    step, offset : float
        In keV.
    low, high : float
        First and last value that is an energy, where the column has no TLMIN and TLMAX.
    top : float, optional
        Values above it are no energies whatever TLMAX says: a channel that collects all that overflows.
    """

    column: str
    step: float
    offset: float = 0.0
    low: float
    high: float
    top: float | None = None


Test = Callable[[Mapping[str, np.ndarray]], np.ndarray]


@frozen(kw_only=True)
class Cut:
    """A condition an event must meet.

    Parameters
    ----------
    text : str
        The condition, for people.
    columns : tuple of str
        Columns it looks at.
    test : callable
        Values of these columns, by the names given here, to an array of bool.
    recorded : Component, optional
        The condition as the data subspace writes it.
    optional : bool
        Whether a list without the columns is used all the same, with a caveat. False for what only some lists can have.
    """

    text: str
    columns: tuple[str, ...]
    test: Test
    recorded: Component | None = None
    optional: bool = True


@frozen(kw_only=True)
class Grid:
    """The pixels images are made of by default.

    Parameters
    ----------
    bin : int
        Sky units a pixel.
    shape : (int, int), optional
        (ny, nx); None for what the events need.
    origin : {"reference", "edge", "low", "events"}
        Where the grid lies: shape // 2 pixels below the reference pixel, whose value is the first of its pixel
        (``reference``) or the edge between two pixels (``edge``); beginning at the lowest value allowed; or the
        bounding box of the events and `margin` pixels around it.
    margin : int
        For ``events``.
    low, high : float
        Lowest and highest value of the sky columns, where they have no TLMIN and TLMAX.
    physical : (str, float or None)
        Letter of the physical WCS, and the pixel coordinate it is given at; None for CRPIX.
    dtype : str
        Type of the pixels in the file.
    """

    bin: int
    shape: tuple[int, int] | None
    origin: Literal["reference", "edge", "low", "events"]
    margin: int = 0
    low: float
    high: float
    physical: tuple[str, float | None] = ("P", 0.5)
    dtype: str = ">i4"


@frozen(kw_only=True)
class Quiet:
    """The light curve on which flares of the background are looked for, unless another is asked for.

    Parameters
    ----------
    kev : (float, float), optional
        Energy band in keV; None for all energies.
    cuts : callable, optional
        EventList to the cuts of its events; None for those of the standard filter.
    seconds : float
        Length of a bin.
    threshold : float, optional
        Rate in counts a second above which the background is usually called flared; to be judged by the curve.
    """

    kev: tuple[float, float] | None = None
    cuts: Callable[[EventList], list[Cut]] | None = None
    seconds: float = 100.0
    threshold: float | None = None


@frozen(kw_only=True)
class Convention:
    """The event lists of one kind of instrument.

    Parameters
    ----------
    name : str
        For messages and HISTORY.
    title : str
        The telescope, for pictures.
    energies : tuple of Energy
        Best first; empty where there are none to speak of.
    cuts : callable
        EventList to the cuts of the standard filter.
    grid : Grid
        Default pixels.
    quiet : Quiet
        Where flares of the background show.
    unit : str, optional
        Column of the detector unit (CCD, telescope module) by which good times differ.
    good_times : {"subspace", "modules", "single"}
        Which table says when: the one the data subspace names; ``GTIn`` of module n; or the only one.
    fallback : str
        For ``subspace``: beginning of the name of the tables that hold for a list without one.
    exposure : str
        Which rule of `daxa_native.exposure` holds.
    central : int, optional
        Unit whose times stand for the whole instrument.
    unit_keywords : tuple of str
        Names of the keywords of a unit's on time, live time and exposure.
    frame : str
        RADESYS for lists that do not say.
    header_exposure : callable
        EventList to whether a list without good times may be used with the exposure its header says.
    no_image : callable
        EventList to the reason why it cannot be imaged, empty if it can.
    caveats : callable
        EventList to caveats (code, message) that hold whatever is done.
    """

    name: str
    title: str
    energies: tuple[Energy, ...]
    cuts: Callable[[EventList], list[Cut]]
    grid: Grid
    quiet: Quiet = Quiet()
    unit: str | None = None
    good_times: Literal["subspace", "modules", "single"] = "single"
    fallback: str = ""
    exposure: Literal["frames", "ratio", "modules"] = "ratio"
    central: int | None = None
    unit_keywords: tuple[str, ...] = ()
    frame: str = "FK5"
    header_exposure: Callable[[EventList], bool] = field(default=lambda events: False)
    no_image: Callable[[EventList], str] = field(default=lambda events: "")
    caveats: Callable[[EventList], list[tuple[str, str]]] = field(default=lambda events: [])


# --- the kinds of cuts ---------------------------------------------------------------------------------------------


def at_most(column: str, limit: int) -> Cut:
    """Values up to and including a limit."""
    return Cut(
        text=f"{column} <= {limit}",
        columns=(column,),
        test=lambda values: values[column] <= limit,
        recorded=Component(column, f":{limit}"),
    )


def within(column: str, low: int, high: int) -> Cut:
    """Values in a range, both ends included."""
    return Cut(
        text=f"{low} <= {column} <= {high}",
        columns=(column,),
        test=lambda values: (values[column] >= low) & (values[column] <= high),
        recorded=Component(column, f"{low}:{high}"),
    )


def one_of(column: str, allowed: tuple[int, ...]) -> Cut:
    """Values of a short list."""
    return Cut(
        text=f"{column} in {','.join(map(str, allowed))}",
        columns=(column,),
        test=lambda values: np.isin(values[column], allowed),
        recorded=Component(column, ",".join(f"{one}:{one}" for one in allowed)),
    )


def bits_clear(column: str, mask: int) -> Cut:
    """No bit of a mask is set, in a 32-bit column that may be held as signed."""
    return Cut(
        text=f"({column} & 0x{mask:x}) == 0",
        columns=(column,),
        test=lambda values: (values[column].astype(np.uint32, copy=False) & np.uint32(mask)) == 0,
        recorded=Component(column, format_bits(mask), form="X"),
    )


def zero(column: str) -> Cut:
    """Zero, or in a column of bits no bit set."""
    return Cut(
        text=f"{column} == 0",
        columns=(column,),
        test=lambda values: (values[column] == 0) if values[column].ndim == 1 else ~values[column].any(axis=1),
        recorded=Component(column, "0"),
    )


# --- which convention ----------------------------------------------------------------------------------------------

Finder = Callable[[str, str], Convention | None]
