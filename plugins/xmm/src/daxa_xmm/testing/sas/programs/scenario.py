"""What a test wants to go wrong: ``scenario.json`` in the directory of the installation."""

from __future__ import annotations

import os


class Scenario:
    """Rules of what happens to which data.

    Parameters
    ----------
    root : str
        Directory of the installation.
    """

    def __init__(self, root):
        self._path = os.path.join(root, "scenario.json")

    def rules(self, command, identifier, arguments):
        """Yield the rules for a command and the data it is about."""
        try:
            with open(self._path, "rb") as file:
                content = file.read()
        except OSError:
            return
        if command.encode() not in content:  # most starts are spared the import
            return
        import json

        for rule in json.loads(content)["rules"]:
            if rule["command"] != command or not identifier.startswith(rule.get("id", "")):
                continue
            if all(word in arguments for word in rule.get("when", ())):
                yield rule
