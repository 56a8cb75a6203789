"""Hosts that are down: after some requests in a row that were given up, a host is left alone for a while.

What is known of a host belongs to its limits, and so to the context; a session brings its patience.
"""

from __future__ import annotations

from attrs import frozen

from daxa.exceptions import NetworkError
from daxa.hosts import HostLimits, origin
from daxa.net.addresses import shown


@frozen
class Circuit:
    """What a session asks before a request, and tells after it.

    Parameters
    ----------
    hosts : HostLimits
        Those of the context.
    most : int
        Requests given up in a row after which a host is left alone, whoever made them.
    cooling : float
        Seconds for which it is; then one request may ask, and an answer ends it.
    """

    hosts: HostLimits
    most: int
    cooling: float

    def check(self, url: str) -> None:
        """Stop before a request to a host that is down.

        Raises
        ------
        NetworkError
            At once.
        """
        failures = self.hosts.left_alone(url, self.most, self.cooling)
        if failures:
            host = origin(url)
            raise NetworkError(
                f"{shown(url)} was not asked for: {host} is left alone after {failures} failures in a row.",
                remedy="try again later; the service may be down",
                url=shown(url),
                cause=f"{host} is down",
            )

    def failed(self, url: str) -> None:
        """Note that a request was given up."""
        self.hosts.gave_up(url, self.cooling)

    def answered(self, url: str) -> None:
        """Note that a host gave an answer, whatever it was."""
        self.hosts.answered(url)
