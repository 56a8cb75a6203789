"""Arguments of filters as JSON and back: in DAXA's manner, and for what DAXA could not write in the same spirit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

_TIME: Final = "%Y-%m-%d %H:%M:%S.%f"

_LENGTHS: Final = (
    "radius", "width", "height", "angle", "inner_radius", "outer_radius", "inner_width", "outer_width", "inner_height",
    "outer_height",
)  # fmt: skip
_PLACES: Final = ("center", "vertices")
_SHAPES: Final = (
    "CircleSkyRegion", "EllipseSkyRegion", "RectangleSkyRegion", "PolygonSkyRegion", "CircleAnnulusSkyRegion",
    "EllipseAnnulusSkyRegion", "RectangleAnnulusSkyRegion",
)  # fmt: skip


# --- to JSON -------------------------------------------------------------------------------------------------------


def encode(value: Any) -> Any:
    """Turn an argument of a filter into JSON, as DAXA does, and what DAXA could not write in the same manner."""
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, datetime):
        return {"datetime": _naive(value).strftime(_TIME)}
    if isinstance(value, Mapping):
        return {str(key): encode(one) for key, one in value.items()}
    if isinstance(value, tuple | set | frozenset):
        value = list(value)
    if isinstance(value, list):
        if value and all(isinstance(one, datetime) for one in value):
            return {"datetime_list": [_naive(one).strftime(_TIME) for one in value]}
        return [encode(one) for one in value]
    if hasattr(value, "contains_skycoords"):  # a mocpy.MOC
        return {"moc": value.to_string(format="ascii")}
    if type(value).__name__ in ("Regions", "CompoundSkyRegion"):
        from daxa.mission.regions import parts_of

        return encode(parts_of(value))
    if type(value).__name__.endswith("SkyRegion"):
        return {"region": _encode_region(value)}
    return _encode_arrays(value)


def _naive(value: datetime) -> datetime:
    return value if value.tzinfo is None else value.astimezone(UTC).replace(tzinfo=None)


def _encode_region(region: Any) -> dict[str, Any]:
    parts = {name: encode(getattr(region, name)) for name in (*_PLACES, *_LENGTHS) if hasattr(region, name)}
    return {"shape": type(region).__name__, **parts}


def _encode_arrays(value: Any) -> Any:
    import numpy as np
    from astropy.coordinates import SkyCoord
    from astropy.time import Time
    from astropy.units import Quantity

    from daxa.mission.inputs import as_skycoord, as_table, with_unit

    value = with_unit(value)

    if isinstance(value, Quantity):
        if value.isscalar:
            return {"quantity": f"{float(value.value)!r} {value.unit}".strip()}
        return {"quantity": {"value": value.value.tolist(), "unit": str(value.unit)}}
    if as_table(value) is not None:  # in the mission's frame, as numbers without a frame are
        places = as_skycoord(value, "icrs")
        return {"ndarray": np.stack([places.ra.deg, places.dec.deg], axis=-1).tolist()}
    if isinstance(value, SkyCoord):
        return {"skycoord": _encode_skycoord(value)}
    if isinstance(value, Time):
        return encode(value.utc.to_datetime().tolist() if not value.isscalar else value.utc.to_datetime())
    if isinstance(value, np.datetime64):
        return encode(value.astype("M8[us]").item())
    if isinstance(value, np.ndarray):
        if value.dtype.kind == "M":
            return encode(value.astype("M8[us]").tolist())
        if value.dtype == object and value.size and isinstance(value.flat[0], datetime):
            return encode(value.tolist())
        return {"ndarray": encode(value.tolist())}
    if isinstance(value, np.generic):
        return encode(value.item())
    if hasattr(value, "tolist"):
        return encode(value.tolist())
    return str(value)


def _encode_skycoord(value: Any) -> dict[str, Any]:
    """Write positions as DAXA does; those of another frame than it knows with their own coordinates beside.

    The edges of a rectangle, and the axes of an ellipse, follow the frame they were given in.
    """
    import numpy as np

    if value.name == "icrs" or (value.name == "fk5" and value.equinox.value == "J2000.000"):
        ra, dec = (np.asarray(one.deg).tolist() for one in (value.ra, value.dec))
        return {"ra": ra, "dec": dec, "frame": value.name}
    plain = value.icrs
    ra, dec = (np.asarray(one.deg).tolist() for one in (plain.ra, plain.dec))
    return {"ra": ra, "dec": dec, "frame": "icrs", **_in_own_frame(value)}


def _in_own_frame(value: Any) -> dict[str, Any]:
    import numpy as np
    from astropy.time import Time

    marks = {}
    for name in value.frame.frame_attributes:
        given = getattr(value.frame, name)
        if value.frame.is_frame_attr_default(name):
            continue
        if not isinstance(given, Time) or not given.isscalar:
            return {}  # a frame on the ground, or of a spacecraft: as ICRS
        marks[name] = [float(given.jd1), float(given.jd2), given.scale]
    sphere = value.spherical
    lon, lat = (np.asarray(one.deg).tolist() for one in (sphere.lon, sphere.lat))
    return {"own": {"lon": lon, "lat": lat, "frame": value.name, **marks}}


# --- back ----------------------------------------------------------------------------------------------------------


def decode(value: Any) -> Any:
    """Turn JSON back into an argument of a filter."""
    if isinstance(value, list):
        return [decode(one) for one in value]
    if not isinstance(value, Mapping):
        return value
    if len(value) == 1:
        ((mark, inner),) = value.items()
        reader = _READERS.get(mark)
        if reader is not None:
            return reader(inner)
    return {key: decode(one) for key, one in value.items()}


def _read_time(text: str) -> datetime:
    return datetime.strptime(text, _TIME)


def _read_quantity(inner: Any) -> Any:
    from astropy.units import Quantity

    if isinstance(inner, Mapping):
        return Quantity(inner["value"], inner["unit"])
    text = str(inner).strip()
    if text.startswith("["):  # DAXA writes arrays as text and cannot read them again
        numbers, _, unit = text[1:].partition("]")
        if "..." in numbers:
            raise ValueError(f"{text[:60]!r}, as DAXA writes long arrays, leaves numbers out")
        return Quantity([float(one) for one in numbers.replace(",", " ").split()], unit.strip())
    return Quantity(text)


def _read_skycoord(inner: Mapping[str, Any]) -> Any:
    from astropy.coordinates import SkyCoord
    from astropy.time import Time

    own = inner.get("own")
    if own is None:
        return SkyCoord(inner["ra"], inner["dec"], unit="deg", frame=inner["frame"])
    marks = {
        name: Time(one[0], one[1], format="jd", scale=one[2])
        for name, one in own.items()
        if name not in ("lon", "lat", "frame")
    }
    return SkyCoord(own["lon"], own["lat"], unit="deg", frame=own["frame"], **marks)


def _read_array(inner: Any) -> Any:
    import numpy as np

    return np.array(decode(inner))


def _read_moc(text: str) -> Any:
    try:
        from mocpy import MOC
    except ImportError:
        return {"moc": text}  # the selection is of use without it; the filter, applied again, says what is missing
    return MOC.from_string(text, format="ascii")


def _read_region(inner: Mapping[str, Any]) -> Any:
    import regions

    if inner["shape"] not in _SHAPES:
        raise ValueError(f"{inner['shape']!r} is none of {', '.join(_SHAPES)}")
    parts = {name: decode(one) for name, one in inner.items() if name in (*_PLACES, *_LENGTHS)}
    return getattr(regions, inner["shape"])(**parts)


_READERS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "datetime": _read_time,
    "datetime_list": lambda inner: [_read_time(one) for one in inner],
    "quantity": _read_quantity,
    "skycoord": _read_skycoord,
    "ndarray": _read_array,
    "moc": _read_moc,
    "region": _read_region,
}
