"""DAXA plugin native."""
