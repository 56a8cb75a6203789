"""Directory pages of the eROSITA-DE archive: a table of its own, with exact sizes and links around it."""

from __future__ import annotations

import html
from typing import Final
from urllib.parse import quote

from daxa_testing.apache import MADE, Tree

ROOT: Final = "/erodat/data/download"
OLD_ROOT: Final = "/dr1/erodat/"
"""Where the archive was until 2026; it redirects from there to what does not exist."""


def moved(path: str) -> str | None:
    """Where a path of the old archive redirects to; None for any other."""
    return f"/erodat/dr1/{path[len(OLD_ROOT) :]}" if path.startswith(OLD_ROOT) else None


def erodat_page(tree: Tree, path: str) -> str:
    """Write the page of a directory; the cell of a file's date is left open, as the archive does."""
    shown = html.escape(path.removeprefix(ROOT) or "/")
    rows = [
        '<tr class="isdir"><td><a href="../">Parent directory</a></td><td>Directory</td>'
        f"<td>{MADE:%Y-%m-%d %H:%M:%S}</td><td></td></tr>"
    ]
    for name in sorted(tree.directories[path]):
        if name.endswith("/"):
            rows.append(
                f'<tr class="isdir"><td><a href="{quote(name)}">{html.escape(name.rstrip("/"))}</a></td>'
                f"<td>Directory</td><td>{MADE:%Y-%m-%d %H:%M:%S}</td><td></td></tr>"
            )
        else:
            stored = tree.files[path + name]
            rows.append(
                f'<tr class="isfile"><td><a href="{quote(name)}" class=\'matomo_download\'>{html.escape(name)}</a></td>'
                f"<td>File</td><td>{stored.modified:%Y-%m-%d %H:%M:%S}<td>{stored.size}</td></tr>"
            )
    return "\n".join(
        [
            "<!DOCTYPE html>",
            '<html lang="en">',
            "<head>",
            f"  <title>Directory listing for {shown} | eRODat</title>",
            '  <link rel="stylesheet" href="/erodat/static/erodat.css">',
            "</head>",
            "<body>",
            '<div><a href="/erodat/">eRODat</a> <a href="/erodat/data/search/">Search</a></div>',
            f"<h1>Directory listing for {shown}</h1>",
            '<table id="files" class="display">',
            "<thead><tr><th>Name</th><th>Type</th><th>Modified</th><th>Size</th></tr></thead>",
            "<tbody>",
            *rows,
            "</tbody>",
            "</table>",
            '<footer><a href="https://www.mpe.mpg.de/">MPE</a></footer>',
            "</body>",
            "</html>",
            "",
        ]
    )
