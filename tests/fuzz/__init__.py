"""Parsers, fed made-up input: a few examples each in the suite, 100,000 with ``nox -s fuzz``."""
