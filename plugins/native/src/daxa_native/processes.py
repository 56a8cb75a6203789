"""The reduction that needs no mission software: a cleaned event list, images of it, and pictures of those.

Cleaning keeps the events the mission's standard filter accepts, in the good times the list itself names. An image
counts the cleaned events of one energy band on the mission's usual grid of sky pixels. A quick-look shows an image with
sky coordinates. Light curves count the cleaned events in time; flares of the background can be cut on one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from daxa.api import Call, DataId, Job, process
from daxa_native.bands import band_variant, default_bands, read_band, variant_band


@process(
    level="product",
    needs=["preprocessed_events"],
    produces={"events": "events/{name}-en-cleanevents.fits"},
    message="Cleaning event lists",
)
def clean_events(job: Job, filter: str = "standard", flares: bool = False) -> Call:
    """Keep good events in good times. ``filter`` is ``standard``, or ``none`` for the good times alone.

    ``flares=True`` cuts flares of the background as well, as ``flare_gti`` finds them by default.
    """
    return Call(
        "daxa_native:clean_events",
        events_path=str(job.input("events")),
        out_path=str(job.output("events")),
        filter=None if filter == "none" else filter,
        flares=flares,
    )


@process(
    level="product",
    needs=["preprocessed_events"],
    produces={"gti": "cleaning/{name}-noflares-gti.fits"},
    message="Finding good times without flares",
)
def flare_gti(
    job: Job, method: str = "sigma", sigma: float = 3.0, threshold: Any = None, binsize: Any = None, minlength: int = 3
) -> Call:
    """Find the good time without flares, on a light curve alone.

    ``method`` is ``sigma``, which leaves out bins more than ``sigma`` standard deviations above the quiet level, or
    ``threshold``. ``threshold`` is in counts a second, ``binsize`` in seconds; both have defaults of each instrument.
    Quiet times of fewer than ``minlength`` bins are left out.
    """
    return Call(
        "daxa_native:flare_gti",
        events_path=str(job.input("events")),
        out_path=str(job.output("gti")),
        method=method,
        sigma=sigma,
        threshold=threshold,
        binsize=binsize,
        minlength=minlength,
    )


@process(
    level="product",
    needs=[clean_events],
    produces={"lightcurve": "events/{name}-{variant}-lightcurve.fits"},
    message="Making light curves",
)
def light_curve(job: Job, bands: Any = None, binsize: float = 100.0, filter: str = "standard") -> Call:
    """Count cleaned events in bins of ``binsize`` seconds. ``bands`` and ``filter`` are as for images."""
    return Call(
        "daxa_native:light_curve",
        events_path=str(job.input("events")),
        out_path=str(job.output("lightcurve")),
        band=variant_band(job.variant),
        binsize=binsize,
        filter=None if filter == "none" else filter,
    )


@process(
    level="product",
    needs=[clean_events],
    produces={"image": "images/{name}-{variant}-image.fits"},
    message="Making images",
)
def image(job: Job, bands: Any = None, filter: str = "standard") -> Call:
    """Count cleaned events in sky pixels. ``bands`` is a list of pairs in keV; by default the mission's own.

    ``filter`` is as for ``clean_events``.
    """
    return Call(
        "daxa_native:image",
        events_path=str(job.input("events")),
        out_path=str(job.output("image")),
        band=variant_band(job.variant),
        filter=None if filter == "none" else filter,
    )


@process(
    level="product",
    needs=[image],
    produces={"quicklook": "images/{name}-{variant}-quicklook.png"},
    message="Drawing quick-looks",
)
def quicklook(job: Job, bands: Any = None) -> Call:
    """Draw an image with sky coordinates. ``bands`` is as for images."""
    return Call(
        "daxa_native:quicklook",
        image_path=str(job.input("image")),
        out_path=str(job.output("quicklook")),
        obs_id=job.data_id.obs_id,
    )


@image.variants
@light_curve.variants
@quicklook.variants
def _(data_id: DataId, params: Mapping[str, Any]) -> list[str]:
    """One task a band."""
    chosen = params.get("bands")
    bands = default_bands(data_id.mission, data_id.inst) if chosen is None else [read_band(band) for band in chosen]
    return [band_variant(band) for band in bands]
