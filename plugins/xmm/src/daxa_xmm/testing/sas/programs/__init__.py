"""The programs themselves, and nothing but the standard library in them: `install` copies this directory.

They are started by the thousand, so they import as little as they can: no ``re``, ``json``, ``pathlib``, ``datetime``.
"""
