"""``eexpmap``: exposure at every pixel of an image."""

from __future__ import annotations

from array import array

from . import fits
from .evselect import identify


def eexpmap(task):
    """Make the map: the exposure of the events, less with the distance from the middle where vignetting is asked."""
    image = task.open(task["imageset"])[0]
    task.open_table(task["attitudeset"], "ATTHK")
    hdus, place = task.open_table(task["eventset"], "EVENTS")
    identify(task, hdus[place])
    task.calibration()
    if image.get("NAXIS") != 2 or image.get("CRPIX1") is None:
        task.fail("noGTI", f"{task['imageset']} is no image of the sky.")
    width, height = image.get("NAXIS1"), image.get("NAXIS2")
    times = [value for value in (hdus[place].get(f"LIVETI{ccd:02}") for ccd in range(1, 13)) if value is not None]
    if not times:
        task.warn("NoExpoExt", "Exposure extension not found")
    live, falling = max(times, default=0.0), task.true("withvignetting")
    x0, y0, step = image.get("CRPIX1"), image.get("CRPIX2"), abs(image.get("CDELT2")) * 60
    columns = [((x + 1 - x0) * step) ** 2 for x in range(width)]
    pixels = array("f")
    for y in range(height):
        up = ((y + 1 - y0) * step) ** 2
        pixels.extend(
            live * (1 - 0.7 * (along + up) / 225 if falling else 1) if along + up <= 225 else 0.0 for along in columns
        )
    pixels.byteswap()
    made = fits.HDU(image.cards, pixels.tobytes())
    made.set("BITPIX", -32)
    made.history("stand-in for eexpmap: generated")
    task.write(task["expimageset"], [made])
