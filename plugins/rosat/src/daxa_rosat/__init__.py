"""DAXA plugin rosat."""
