"""Chandra for DAXA."""
