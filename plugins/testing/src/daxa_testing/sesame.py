"""The name service: a plain-text answer with a ``%J`` line, or without one for a name nobody knows."""

from __future__ import annotations

from urllib.parse import unquote_plus

from aiohttp import web
from attrs import define, field


def _key(name: str) -> str:
    return "".join(name.lower().split())


@define
class Names:
    """Names with their positions in degrees, ICRS. Case and blanks do not count."""

    positions: dict[str, tuple[str, float, float]] = field(factory=dict)

    def add(self, name: str, ra: float, dec: float) -> None:
        """Add a name."""
        self.positions[_key(name)] = (name, ra, dec)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer ``.../nph-sesame/SNV?NAME``."""
        name = unquote_plus(request.raw_path.partition("?")[2])
        lines = [f"# {name}\t#Q{abs(hash(name)) % 10**8}", "#=S=Simbad (via url):    1"]
        known = self.positions.get(_key(name))
        if known is None:
            lines = [
                f"# {name}",
                "#=S=Simbad (via url):    0",
                "#!SIMBAD: No known catalog could be found",
                "#====Done====",
            ]
        else:
            title, ra, dec = known
            lines += [f"%J {ra:.8f} {dec:+.8f} = {ra / 15:.5f} {dec:+.5f}", f"%I.0 {title}", "#====Done===="]
        return web.Response(text="\n".join([*lines, ""]), content_type="text/plain")
