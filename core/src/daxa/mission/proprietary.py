"""Observations that are not public yet: left out, or tried with credentials, and said until when."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from daxa.exceptions import AccessDeniedError
from daxa.mission.filters import Filters

if TYPE_CHECKING:
    from daxa.net.logins import Login


def public_from(obs: Mapping[str, Any]) -> str:
    """Say from when an observation is public, given its row of the catalogue; empty if nothing is known of it."""
    if "proprietary_end_date" not in obs:
        return ""
    date = obs["proprietary_end_date"]
    if date is None or date != date:
        return "no date is known from which it is public"
    return f"by the catalogue, it is public from {date:%Y-%m-%d} on"


def with_date(cause: str, obs: Mapping[str, Any]) -> str:
    """Add to the cause of a refusal from when the observation is public."""
    date = public_from(obs)
    return f"{cause.rstrip('.')}; {date}." if date else cause


class Proprietary(Filters):
    """The part of a mission that knows what is public."""

    async def _login(self, credentials: Any) -> Login | None:
        """Credentials for a service of the mission that takes some: the user's, or those of settings and netrc.

        Parameters
        ----------
        credentials : (str, str) or Mapping, optional
            What the user gave.

        Raises
        ------
        InvalidParameterError
            If that is no user name and password.
        DAXAConfigError
            If settings or netrc are broken.
        """
        if not self.has_proprietary:
            return None
        from daxa.net.logins import known_login

        return await known_login(self.context, self.services, credentials)

    def _account(self) -> str:
        """How those who have an account go on, where the mission's archive knows accounts."""
        specs = [self.context.registry.services.get(name) for name in self.services]
        names = [spec.name for spec in specs if spec is not None and spec.login]
        return f", or set DAXA_{names[0]}_USER and DAXA_{names[0]}_PASSWORD, or use ~/.netrc" if names else ""

    def _leave_out_proprietary(self, credentials: Any) -> None:
        """Leave out what is not public yet, with a warning; recorded, so that an update looks again.

        Parameters
        ----------
        credentials : optional
            What the user gave; if anything, it is said that it does not help.

        Raises
        ------
        AccessDeniedError
            If no selected observation is public yet.
        """
        import numpy as np

        if not self.has_proprietary or "proprietary_usable" not in self._table.columns:
            return
        public = np.asarray(self._table["proprietary_usable"], dtype=bool)
        closed = self._table[self._selected & ~public]
        if not len(closed):
            return
        first = closed["proprietary_end_date"].min()
        until = f"the first becomes public on {first:%Y-%m-%d}" if first == first else "no date is known"
        hint = " Credentials are of no use there." if credentials is not None else ""
        if not (self._selected & public).any():
            raise AccessDeniedError(
                f"No selected observation of {self.pretty_name} is public yet ({until}).{hint}",
                expected="public observations",
                remedy=f"select others, or wait{self._account()}",
                mission=self.name,
            )
        warnings.warn(
            f"{len(closed)} of {int(self._selected.sum())} selected observations of {self.pretty_name} are proprietary"
            f" and are left out ({until}).{hint}",
            stacklevel=3,
        )
        self.apply(public, "what is public")
        self.record("exclude_proprietary", {})
