"""Runs that are killed, filled up and disturbed, at length: ``nox -s stress``; the suite runs their short forms."""
