"""The Chandra X-ray Center's footprints: which public observations cover a position, as CIAO's own tools ask."""

from __future__ import annotations

import math
from typing import Final
from xml.sax.saxutils import escape

from aiohttp import web
from attrs import astuple, define, field, frozen

COLUMNS: Final = ("obsid", "s_ra", "s_dec", "instrument", "target_name", "s_region")


@frozen
class Footprint:
    """A footprint: what was observed, its centre in degrees, and its corners as an STC-S polygon."""

    obs_id: str
    ra: float
    dec: float
    instrument: str
    target: str
    region: str


@define
class Footprints:
    """The service; several rows an observation, one a chip."""

    held: list[Footprint] = field(factory=list)

    async def answer(self, request: web.Request) -> web.Response:
        """Answer ``footprints?POS=ra,dec&SIZE=degrees``."""
        try:
            ra, dec = (float(part) for part in request.query["POS"].split(","))
            size = float(request.query["SIZE"])
        except (KeyError, ValueError):
            return web.Response(text=_document([], status="ERROR", message="POS and SIZE are required"))
        wanted = {one for one in request.query.get("INST", "").split(",") if one}
        found = [
            one
            for one in self.held
            if (not wanted or one.instrument in wanted)
            and abs(one.dec - dec) <= size
            and abs((one.ra - ra + 180) % 360 - 180) * math.cos(math.radians(dec)) <= size
        ]
        return web.Response(text=_document(found), content_type="application/x-votable+xml")


def _document(found: list[Footprint], status: str = "OK", message: str = "") -> str:
    """A VOTable of version 1.1; a table of nothing does not tell its number of rows."""
    number = f' nrows="{len(found)}"' if found else ""
    fields = "".join(f'<FIELD name="{name}" datatype="char" arraysize="*"/>' for name in COLUMNS)
    rows = "".join(
        "<TR>" + "".join(f"<TD>{escape(str(cell))}</TD>" for cell in astuple(one)) + "</TR>" for one in found
    )
    return (
        '<?xml version="1.0"?>\n<VOTABLE version="1.1" xmlns="http://www.ivoa.net/xml/VOTable/v1.1">'
        f'<RESOURCE type="results"><INFO name="QUERY_STATUS" value="{status}">{escape(message)}</INFO>'
        f'<TABLE name="SIAP_KEYWORDS"{number}>{fields}<DATA><TABLEDATA>{rows}</TABLEDATA></DATA></TABLE>'
        "</RESOURCE></VOTABLE>"
    )


__all__ = ["Footprint", "Footprints"]
