"""What a terminal shows."""

import re


def screen(written: str) -> list[str]:
    """Lines of a terminal after some text with carriage returns, line feeds and upward moves."""
    lines, row, column = [""], 0, 0
    for token in re.findall(r"\x1b\[[0-9;?]*[A-Za-z]|[\r\n]|[^\r\n\x1b]+", written):
        if token == "\r":
            column = 0
        elif token == "\n":
            row += 1
        elif token == "\x1b[A":
            row = max(row - 1, 0)
        elif not token.startswith("\x1b"):
            lines += [""] * (row + 1 - len(lines))
            old = lines[row].ljust(column)
            lines[row] = old[:column] + token + old[column + len(token) :]
            column += len(token)
    return [line.rstrip() for line in lines if line.strip()]
