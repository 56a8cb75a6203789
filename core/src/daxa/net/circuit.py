"""Hosts that are down: after some requests in a row that were given up, a host is left alone for a while."""

from __future__ import annotations

import time

from attrs import define, field

from daxa.exceptions import NetworkError
from daxa.hosts import origin
from daxa.net.addresses import shown


@define
class Circuit:
    """What is known of the health of hosts.

    Parameters
    ----------
    most : int
        Requests given up in a row after which a host is left alone.
    cooling : float
        Seconds for which it is; then one request may ask, and an answer ends it.
    """

    most: int
    cooling: float
    _failed: dict[str, int] = field(init=False, factory=dict)
    _until: dict[str, float] = field(init=False, factory=dict)

    def check(self, url: str) -> None:
        """Stop before a request to a host that is down.

        Raises
        ------
        NetworkError
            At once.
        """
        host, now = origin(url), time.monotonic()
        failed = self._failed.get(host, 0)
        if failed < self.most:
            return
        if now < self._until[host]:
            raise NetworkError(
                f"{shown(url)} was not asked for: {host} is left alone after {failed} failures in a row.",
                remedy="try again later; the service may be down",
                url=shown(url),
                cause=f"{host} is down",
            )
        self._until[host] = now + self.cooling  # this one asks; the others wait for its answer

    def failed(self, url: str) -> None:
        """Note that a request was given up."""
        host = origin(url)
        self._failed[host] = self._failed.get(host, 0) + 1
        self._until[host] = time.monotonic() + self.cooling

    def answered(self, url: str) -> None:
        """Note that a host gave an answer, whatever it was."""
        self._failed.pop(origin(url), None)
