"""The conventions of each telescope's event lists, one module a mission."""
