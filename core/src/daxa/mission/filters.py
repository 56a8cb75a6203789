"""The filters of a mission. Each is a coroutine, all or nothing, and recorded when it was applied."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence, Sized
from typing import TYPE_CHECKING, Any

from daxa.exceptions import (
    InvalidParameterError,
    NoTargetSourceTypeInfo,
    ParameterTypeError,
)
from daxa.mission.joining import Joining
from daxa.mission.pending import filtering
from daxa.mission.taxonomy import check_target_types

if TYPE_CHECKING:
    from pandas import DataFrame


class Filters(Joining):
    """The part of a mission that selects."""

    @filtering
    async def filter_on_obs_ids(self, allowed_obs_ids: str | Sequence[str], invert: bool = False) -> None:
        """Select observations by ObsID.

        Parameters
        ----------
        allowed_obs_ids : str or sequence of str
            ObsIDs, with their leading zeros. Those that are not in the catalogue are passed over.
        invert : bool
            Whether these are the ones to leave out.

        Raises
        ------
        InvalidObsIDError
            If one has not the form of the mission's ObsIDs.
        NoObsAfterFilterError
            If none would be left.
        """
        from daxa.mission.inputs import as_flag

        wanted, invert = self.normalise_obs_ids(allowed_obs_ids), as_flag(invert, "invert")
        await self.load()
        mask = self._rows_of(wanted)
        self.apply(~mask if invert else mask, f"the ObsIDs {', '.join(wanted[:5])}{' ...' if len(wanted) > 5 else ''}")

    @filtering
    async def filter_on_rect_region(self, lower_left: Any, upper_right: Any) -> None:
        """Select observations whose centre lies in a rectangle; its edges belong to it.

        Parameters
        ----------
        lower_left, upper_right : SkyCoord or pair of float
            Corners: ``[ra, dec]`` in degrees in the mission's frame, or a SkyCoord; the edges then follow the
            coordinates of its frame. Where the first right ascension is the greater one, the narrower of the two
            possible rectangles is meant (across RA = 0, or with the corners swapped, which is warned about); a right
            ascension beyond 360 says it plainly.

        Raises
        ------
        ParameterTypeError, InvalidParameterError
            If a corner is not a position.
        NoObsAfterFilterError
            If none would be left.
        """
        from daxa.mission.regions import rectangle

        mask_of, swapped = rectangle(lower_left, upper_right, self.frame)
        if swapped:
            warnings.warn("The corners of the rectangle were swapped: the lower left one comes first.", stacklevel=2)
        await self.load()
        self.apply(mask_of(self._table), "the rectangle")

    @filtering
    async def filter_on_positions(
        self, positions: Any, search_distance: Any = None, return_pos_obs_info: bool = False
    ) -> DataFrame | None:
        """Select observations whose centre is near one of some positions.

        Parameters
        ----------
        positions : SkyCoord, list, ndarray, Table or DataFrame
            One position ``[ra, dec]`` or many, in degrees in the mission's frame, or a SkyCoord in any frame, or a
            table with columns ra and dec.
        search_distance : Quantity, float, str, sequence or Mapping, optional
            Greatest distance, in degrees where it has no unit: one for all, one for each position, or
            ``{instrument: distance}``. By default 1.2 times the field of view.
        return_pos_obs_info : bool
            Whether to return which observations belong to which position.

        Returns
        -------
        pandas.DataFrame or None
            Columns pos_ind (index of the position), pos_ra, pos_dec (degrees, in the mission's frame) and ObsIDs
            (joined by commas): one row for each position that has observations.

        Raises
        ------
        ParameterTypeError, InvalidParameterError
            If positions or distances cannot be understood; :class:`daxa.mission.inputs.NotAnAngleError` for a unit
            that is not an angle's.
        NoObsAfterFilterError
            If none would be left.
        """
        from daxa.mission.inputs import as_flag, as_positions

        given = as_positions(positions, self.frame)
        self._check_radii(search_distance, given)
        info = as_flag(return_pos_obs_info, "return_pos_obs_info")
        await self.load()
        return self._near(given, search_distance, info=info)

    @filtering
    async def filter_on_name(
        self,
        object_name: str | Sequence[str],
        search_distance: Any = None,
        parse_name: bool = False,
        return_pos_obs_info: bool = False,
    ) -> DataFrame | None:
        """Select observations near objects that a name service knows.

        Parameters
        ----------
        object_name : str or sequence of str
            Names of objects. Those that nobody knows are passed over with a warning, if any is known.
        search_distance : optional
            As for :meth:`filter_on_positions`; a sequence has one entry a name.
        parse_name : bool
            Whether a position that is part of a name is read from it.
        return_pos_obs_info : bool
            Whether to return which observations belong to which name; ``pos_ind`` is the index of the name.

        Returns
        -------
        pandas.DataFrame or None
            As :meth:`filter_on_positions`.

        Raises
        ------
        NameNotResolvedError
            If no name is known; it is astropy's ``NameResolveError`` as well.
        NoObsAfterFilterError
            If none would be left.
        """
        from daxa.mission.inputs import UnresolvedNameError, as_flag, as_positions
        from daxa.mission.names import resolve_names

        names = _names(object_name)
        parse, info = as_flag(parse_name, "parse_name"), as_flag(return_pos_obs_info, "return_pos_obs_info")
        by_name: Any = search_distance
        if _per_position(by_name) and len(by_name) != len(names):
            raise InvalidParameterError(
                f"{len(by_name)} search distances are given for {len(names)} names.",
                expected="one for all, or one for each name",
                remedy="correct the list",
            )
        if not _per_position(by_name):
            self._check_radii(by_name, as_positions([0.0, 0.0], self.frame))  # before anybody is asked
        resolved = await resolve_names(names, self.context, self.frame, parse=parse)
        lost = [name for name, one in zip(names, resolved, strict=True) if one is None]
        kept = [index for index, one in enumerate(resolved) if one is not None]
        if not kept:
            raise UnresolvedNameError(
                f"No name service knows {', '.join(map(repr, names))}.",
                expected="names that Sesame knows",
                remedy="check the spelling, or use filter_on_positions",
                value=names,
            )
        if lost:
            warnings.warn(f"No name service knows {', '.join(map(repr, lost))}; passed over.", stacklevel=2)
        await self.load()
        positions = as_positions([resolved[index] for index in kept], self.frame)
        if _per_position(by_name):
            every = list(by_name)
            by_name = [every[index] for index in kept]
            self._check_radii(by_name, positions)
        found = self._near(positions, by_name, info=info)
        if found is not None:
            found["pos_ind"] = [kept[index] for index in found["pos_ind"]]
        return found

    @filtering
    async def filter_on_time(self, start_datetime: Any, end_datetime: Any, over_run: bool = True) -> None:
        """Select observations by time; the ends of the window belong to it.

        Parameters
        ----------
        start_datetime, end_datetime : datetime, str or Time
            UTC; ISO text and ``astropy.time.Time`` are read, a naive ``datetime`` is UTC.
        over_run : bool
            Whether it is enough that a part of an observation lies in the window.

        Raises
        ------
        ParameterTypeError, InvalidParameterError
            If a time cannot be understood, or the window ends before it starts.
        NoObsAfterFilterError
            If none would be left.
        """
        from daxa.mission.inputs import as_flag, as_window
        from daxa.mission.selection import in_window

        window, over_run = as_window(start_datetime, end_datetime), as_flag(over_run, "over_run")
        await self.load()
        start, end = (self._table[name].to_numpy() for name in ("start", "end"))
        self.apply(in_window(start, end, window, over_run=over_run), f"the time from {window[0]} to {window[1]}")

    @filtering
    async def filter_on_target_type(self, target_type: str | Sequence[str]) -> None:
        """Select observations by the type of their target.

        Parameters
        ----------
        target_type : str or sequence of str
            Codes of the taxonomy, see :meth:`show_allowed_target_types`.

        Raises
        ------
        IllegalSourceType
            If a code is not in the taxonomy.
        NoTargetSourceTypeInfo
            If the mission's catalogue has no types.
        NoObsAfterFilterError
            If none would be left.
        """
        import numpy as np

        codes = check_target_types(target_type)
        await self.load()
        if "target_category" not in self._table.columns:
            raise NoTargetSourceTypeInfo(
                f"The catalogue of {self.pretty_name} has no types of target.",
                expected="a mission with the column target_category",
                remedy="filter by name or position",
                mission=self.name,
            )
        mask = np.asarray(self._table["target_category"].isin(codes), dtype=bool)
        self.apply(mask, f"the target types {', '.join(codes)}")

    @filtering
    async def filter_on_positions_at_time(
        self,
        positions: Any,
        start_datetimes: Any,
        end_datetimes: Any,
        search_distance: Any = None,
        return_obs_info: bool = False,
        over_run: bool = True,
    ) -> DataFrame | None:
        """Select observations near a position within that position's own window of time.

        Parameters
        ----------
        positions, search_distance
            As for :meth:`filter_on_positions`.
        start_datetimes, end_datetimes : datetime, str, Time, or a sequence of them
            One window for each position.
        return_obs_info : bool
            Whether to return which observations belong to which position.
        over_run : bool
            Whether it is enough that a part of an observation lies in the window.

        Returns
        -------
        pandas.DataFrame or None
            As :meth:`filter_on_positions`; only observations within the position's own window are listed.

        Raises
        ------
        ParameterTypeError, InvalidParameterError
            If something cannot be understood, or there is not one window for each position.
        NoObsAfterFilterError
            If none would be left.
        """
        import numpy as np

        from daxa.mission.inputs import as_flag, as_positions, as_times, as_window, is_one_time
        from daxa.mission.selection import in_window

        if is_one_time(start_datetimes) != is_one_time(end_datetimes):
            raise ParameterTypeError(
                "One of start and end is a single time, the other is not.",
                expected="both single, or both lists",
                remedy="give them alike",
            )
        given = as_positions(positions, self.frame)
        starts, ends = as_times(start_datetimes), as_times(end_datetimes)
        if not len(starts) == len(ends) == len(given):
            raise InvalidParameterError(
                f"{len(starts)} starts and {len(ends)} ends are given for {len(given)} positions.",
                expected="one window for each position",
                remedy="correct the lists",
            )
        windows = np.array([as_window(*pair) for pair in zip(starts, ends, strict=True)], dtype="M8[us]")
        self._check_radii(search_distance, given)
        over_run, info = as_flag(over_run, "over_run"), as_flag(return_obs_info, "return_obs_info")
        await self.load()
        start, end = (self._table[name].to_numpy() for name in ("start", "end"))

        def within(position: Any, row: Any) -> Any:
            window = (windows[position, 0], windows[position, 1])
            return in_window(start[row], end[row], window, over_run=over_run)

        pairs = self._pairs(given, search_distance, within)
        self.apply(pairs.row_mask(len(self._table)), f"{len(given)} positions with their times", of_rest=True)
        return self._associations(given, pairs) if info else None

    @filtering
    async def filter_on_region(self, region: Any) -> None:
        """Select observations whose centre lies in a region of the sky, or whose footprint does in part.

        Where the mission's catalogue has a column ``footprint`` (STC-S texts of the sky that each observation covers),
        it is enough that a part of the footprint lies in the region; otherwise the centre decides.

        Parameters
        ----------
        region : mocpy.MOC, str or regions.SkyRegion
            A MOC; the text of an STC-S circle or polygon, e.g. ``"POLYGON ICRS 10 0 12 0 11 2"``, or of a Union; or a
            circle, ellipse, rectangle, annulus or polygon of the package ``regions``, or several of them in a list:
            what lies in any of them.

        Raises
        ------
        ParameterTypeError, InvalidParameterError
            If the region cannot be understood.
        NoObsAfterFilterError
            If none would be left.
        """
        from daxa.mission.regions import region_of

        wanted = region_of(region)
        await self.load()
        self.apply(wanted.selects(self.ra_decs, self.footprints), "the region")

    @filtering
    async def exclude_proprietary(self) -> None:
        """Leave out observations that are not public today. ``download`` does so by itself.

        Raises
        ------
        NoObsAfterFilterError
            If none would be left.
        """
        import numpy as np

        await self.load()
        if "proprietary_usable" in self._table.columns:
            self.apply(np.asarray(self._table["proprietary_usable"], dtype=bool), "what is public")


def _names(given: Any) -> list[str]:
    names = [given] if isinstance(given, str) else list(given) if isinstance(given, Iterable) else []
    if not names or not all(isinstance(one, str) and one.strip() for one in names):
        raise ParameterTypeError(
            f"{given!r} does not name objects.", expected="a name, or a list of names", remedy="correct it"
        )
    return names


def _per_position(distance: Any) -> bool:
    """Whether search distances are several, one for each position."""
    if isinstance(distance, str | Mapping) or getattr(distance, "shape", None) == ():
        return False
    return isinstance(distance, Iterable) and isinstance(distance, Sized)
