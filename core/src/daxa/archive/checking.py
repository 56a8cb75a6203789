"""Looking at an archive's products again, byte by byte."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from attrs import frozen

from daxa.archive.place import sha256
from daxa.store.records import ProductEntry


@frozen
class ProductCheck:
    """A product that was looked at again.

    Parameters
    ----------
    path : str
        Absolute path.
    state : {"intact", "changed", "missing", "unhashed"}
        What it is now; ``unhashed`` products have their recorded size, and no hash was taken when they were made.
    """

    path: str
    state: Literal["intact", "changed", "missing", "unhashed"]


def check_products(root: Path, products: Sequence[ProductEntry]) -> list[ProductCheck]:
    """Compare products with their recorded size and SHA-256.

    Parameters
    ----------
    root : Path
        Directory of the archive.
    products : sequence of ProductEntry
        What is recorded.
    """
    return [ProductCheck(str(root / product.path), _state(root / product.path, product)) for product in products]


def _state(path: Path, product: ProductEntry) -> Literal["intact", "changed", "missing", "unhashed"]:
    try:
        size = path.stat().st_size
    except OSError:
        return "missing"
    if size != product.size:
        return "changed"
    if product.sha256 is None:
        return "unhashed"
    return "intact" if sha256(path) == product.sha256 else "changed"
