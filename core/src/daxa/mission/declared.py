"""What a mission declares of itself, and what can be said of it without its catalogue."""

from __future__ import annotations

import re
import warnings
from collections.abc import Collection, Iterable, Mapping, Sequence
from numbers import Integral
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from daxa.exceptions import (
    InvalidObsIDError,
    InvalidParameterError,
    ParameterTypeError,
    PreProcessedNotSupportedError,
)
from daxa.mission.taxonomy import target_types_table

if TYPE_CHECKING:
    from astropy.units import Quantity

Template = str | Mapping[str, str | None] | None
Bands = Mapping[tuple[float, float], str]


def _is_whole(value: Any) -> bool:
    return isinstance(value, Integral) and str(value) not in ("True", "False")


class _Lengths:
    """Angles written as text at class level; they become Quantities when they are first looked at."""

    def __init__(self, declared: Any) -> None:
        self._declared = declared
        self._made: Any = None

    def __get__(self, instance: object, owner: type) -> Any:
        if self._made is None:
            from astropy.units import Quantity

            if isinstance(self._declared, Mapping):
                self._made = {inst: Quantity(text) for inst, text in self._declared.items()}
            else:
                self._made = Quantity(self._declared)
        if isinstance(instance, Declared) and instance.fov_caveat:
            warnings.warn(instance.fov_caveat, stacklevel=2)
        return dict(self._made) if isinstance(self._made, dict) else self._made


class _Unsaid:
    """A name that a mission's class must declare: empty there, and an error where a mission is asked for it."""

    def __get__(self, instance: object, owner: type) -> str:
        if instance is None:
            return ""
        raise InvalidParameterError(
            f"{owner.__name__} does not say what it is called.",
            expected="a class with the attribute pretty_name",
            remedy="declare pretty_name",
        )


class Declared:
    """Declarations of a mission.

    Attributes
    ----------
    name, pretty_name : str
        Internal and display name.
    id_pattern : str
        Regular expression of an ObsID.
    frame : {"fk5", "icrs"}
        Frame of the catalogue's positions.
    instruments, default_instruments : tuple of str
        All instruments, and those that are chosen where the user chooses none.
    instrument_aliases : Mapping
        Other names of instruments.
    fov : str or Mapping
        Radius, or half the longest side, of the field of view, e.g. ``"15 arcmin"``; by instrument where they differ.
        Read as a Quantity.
    fov_caveat : str
        Warning given whenever the field of view is asked for.
    levels : tuple of str
        How far the mission's data are divided.
    product_level : {"inst", "exp"}
        At which level its products are kept.
    columns : tuple of str
        Columns beyond :data:`daxa.mission.catalogue.CORE_COLUMNS` that the catalogue must have.
    column_order : tuple of str
        Order of all columns.
    one_inst_per_obs : bool
        Whether an observation is of one instrument, named in the column ``instrument``.
    has_proprietary : bool
        Whether the catalogue tells which observations are public: columns ``proprietary_usable`` and
        ``proprietary_end_date``.
    instruments_merged : bool
        Whether the archive's files hold all instruments together.
    services : tuple of str
        Services used; the first is the catalogue's, unless the plugin brings that along.
    catalogue_included : bool
        Whether the plugin brings the catalogue along; it is then not kept in the cache.
    bands : Mapping
        Energy bands of the archive's images, ``{inst: {(lo, hi): token}}`` in keV; token is the band in file names.
    templates : Mapping
        Where a product lies below an observation's directory, by kind (``events``, ``image``, ``expmap``,
        ``backmap``): text, or text by instrument. ``{oi}`` is the ObsID in lower case, ``{i}`` the instrument's token,
        ``{eb}`` the band's; ``*`` is a wildcard.
    instrument_tokens : Mapping
        Instruments in file names.
    products_by_default : bool
        Whether ``download`` fetches the archive's own products when it is not told.
    product_kinds : tuple of str
        Kinds of products that were chosen, for missions whose users may choose: :attr:`daxa.api.Want.kinds`.
    integer_obs_ids : bool
        Whether users may give ObsIDs as whole numbers.
    """

    name: ClassVar[str] = ""
    pretty_name: ClassVar[str] = _Unsaid()  # type: ignore[assignment]
    id_pattern: str = r"[A-Za-z0-9]+"
    frame: ClassVar[Literal["fk5", "icrs"]] = "fk5"
    instruments: ClassVar[tuple[str, ...]] = ()
    default_instruments: ClassVar[tuple[str, ...]] = ()
    instrument_aliases: ClassVar[Mapping[str, str]] = {}
    fov: ClassVar[Any] = None
    fov_caveat: ClassVar[str] = ""
    levels: ClassVar[tuple[str, ...]] = ("obs", "inst")
    product_level: ClassVar[Literal["inst", "exp"]] = "inst"
    columns: ClassVar[tuple[str, ...]] = ()
    column_order: ClassVar[tuple[str, ...]] = ()
    one_inst_per_obs: ClassVar[bool] = False
    instruments_merged: ClassVar[bool] = False
    has_proprietary: ClassVar[bool] = False
    services: ClassVar[tuple[str, ...]] = ()
    catalogue_included: ClassVar[bool] = False
    bands: ClassVar[Mapping[str, Bands | None] | None] = None
    templates: ClassVar[Mapping[str, Template]] = {}
    instrument_tokens: ClassVar[Mapping[str, str]] = {}
    products_by_default: ClassVar[bool] = True
    product_kinds: ClassVar[tuple[str, ...]] = ()
    integer_obs_ids: ClassVar[bool] = False

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        declared = cls.__dict__.get("fov")
        if isinstance(declared, str | Mapping):
            cls.declared_fov = declared
            cls.fov = _Lengths(declared)

    declared_fov: ClassVar[str | Mapping[str, str] | None] = None

    # --- names and frames -------------------------------------------------------------------------------------------

    @property
    def id_regex(self) -> str:
        """Regular expression of the mission's ObsIDs."""
        return self.id_pattern

    @property
    def coord_frame(self) -> Any:
        """Class of the astropy frame of the mission's positions."""
        from astropy.coordinates import FK5, ICRS

        return ICRS if self.frame == "icrs" else FK5

    @property
    def all_mission_instruments(self) -> list[str]:
        """Names of all instruments."""
        return list(self.instruments)

    @staticmethod
    def show_allowed_target_types(table_format: str = "fancy_grid") -> None:
        """Print the taxonomy of target types.

        Parameters
        ----------
        table_format : {"fancy_grid", "grid", "github", "simple", "plain"}
            How the table looks.

        Raises
        ------
        InvalidParameterError
            If there is no such format.
        """
        print(target_types_table(table_format))  # noqa: T201 - printing is its purpose

    # --- ObsIDs -----------------------------------------------------------------------------------------------------

    def check_obsid_pattern(self, obs_id: Any) -> bool:
        """Whether a value is a text in the form of the mission's ObsIDs."""
        return isinstance(obs_id, str) and re.fullmatch(self.id_regex, obs_id) is not None

    def normalise_obs_ids(self, obs_ids: Any) -> list[str]:
        """Return ObsIDs as the catalogue writes them.

        Parameters
        ----------
        obs_ids : str or iterable of str
            One ObsID or several.

        Raises
        ------
        ParameterTypeError
            If one is not text.
        InvalidObsIDError
            If one has another form; it names all of them.
        """
        single = isinstance(obs_ids, str) or _is_whole(obs_ids)
        if not single and (not isinstance(obs_ids, Iterable) or isinstance(obs_ids, Mapping)):
            raise ParameterTypeError(
                f"{obs_ids!r} is not a list of ObsIDs.", expected="an ObsID or several, as text", remedy="correct it"
            )
        found = []
        for one in [obs_ids] if single else list(obs_ids):
            if self.integer_obs_ids and _is_whole(one):
                found.append(str(int(one)))
            elif isinstance(one, str):
                found.append(str(one).upper())
            else:
                raise ParameterTypeError(
                    f"{one!r} is not an ObsID of {self.pretty_name}.",
                    expected="text, with its leading zeros",
                    remedy="give it in quotes",
                    value=one,
                )
        bad = [one for one in found if not self.check_obsid_pattern(one)]
        if bad:
            raise InvalidObsIDError(
                f"{', '.join(map(repr, bad))} cannot be {'an ObsID' if len(bad) == 1 else 'ObsIDs'}"
                f" of {self.pretty_name}.",
                expected=f"the form {self.id_regex}",
                remedy="check the ObsID; leading zeros belong to it",
                value=bad,
            )
        return found

    # --- instruments ------------------------------------------------------------------------------------------------

    def check_inst_names(
        self, insts: str | Sequence[str], error_on_bad_inst: bool = True, show_warn: bool = True
    ) -> list[str]:
        """Return instruments by their own names, each once.

        Parameters
        ----------
        insts : str or sequence of str
            Names or aliases, in any case.
        error_on_bad_inst : bool
            Whether an unknown name is an error; otherwise it is left out.
        show_warn : bool
            Whether a warning is given when an alias was used.

        Raises
        ------
        ParameterTypeError
            If a name is not text.
        InvalidParameterError
            If no name is given, or one is unknown.
        """
        given: Any = [insts] if isinstance(insts, str) else insts
        if not isinstance(given, Collection) or not all(isinstance(one, str) for one in given):
            raise ParameterTypeError(
                f"{insts!r} does not name instruments of {self.pretty_name}.",
                expected="text, or a list of it",
                remedy=f"name some of {', '.join(self.instruments)}",
                value=insts,
            )
        known = {one.upper(): one for one in self.instruments}
        aliases = {alias.upper(): inst for alias, inst in self.instrument_aliases.items()}
        names = [aliases.get(one.upper(), known.get(one.upper())) for one in given]
        unknown = [one for one, name in zip(given, names, strict=True) if name is None]
        if not given or (unknown and error_on_bad_inst):
            raise InvalidParameterError(
                f"{', '.join(map(repr, unknown)) or 'Nothing'} is not an instrument of {self.pretty_name}.",
                expected=f"some of {', '.join(self.instruments)}",
                remedy="correct the name",
                value=list(given),
            )
        found = list(dict.fromkeys(name for name in names if name is not None))
        if show_warn and any(one.upper() in aliases for one in given):
            warnings.warn(
                f"Some instruments of {self.pretty_name} were given by another name; they are {', '.join(found)}.",
                stacklevel=2,
            )
        return found

    # --- products ---------------------------------------------------------------------------------------------------

    def choose_products(self, kinds: str | Sequence[str]) -> None:
        """Choose which kinds of products are downloaded; missions whose users may choose override it.

        Raises
        ------
        InvalidParameterError
            If there is no such kind, or nothing to choose.
        """
        raise InvalidParameterError(
            f"{self.pretty_name} leaves no choice of products.",
            expected="a mission whose products are of several kinds",
            remedy="leave products= out",
            value=kinds,
        )

    # --- energy bands -----------------------------------------------------------------------------------------------

    def bands_of(self, inst: str) -> Bands | None:
        """Energy bands of an instrument's downloaded images, with their tokens; None if there are none."""
        return (self.bands or {}).get(inst)

    def bands_quantity(self, insts: Sequence[str]) -> dict[str, Quantity]:
        """Energy bands as Quantities of shape (n, 2) in keV, by instrument.

        Raises
        ------
        PreProcessedNotSupportedError
            If the mission has no bands.
        """
        from astropy.units import Quantity

        if not self.bands:
            raise PreProcessedNotSupportedError(
                f"The archive of {self.pretty_name} has no images in energy bands.",
                expected="a mission whose archive has images",
                remedy="make images with `arch.process()`",
            )
        found = {inst: self.bands_of(inst) for inst in insts}
        return {inst: Quantity(list(bands), "keV") for inst, bands in found.items() if bands}
