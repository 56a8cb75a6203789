"""Addresses as people may see them."""

from __future__ import annotations

import re
from typing import Final

_SECRET: Final = re.compile(r"(?i)\b(AIOUSER|AIOPWD|password|token)=[^&\s]*")
_USER: Final = re.compile(r"(?<=://)[^/@\s]+@")


def shown(url: object) -> str:
    """Write an address, or a text with addresses, without secrets."""
    return _USER.sub("***@", _SECRET.sub(r"\1=***", str(url)))
