"""DAXA plugin chandra."""
