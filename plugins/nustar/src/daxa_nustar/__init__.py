"""DAXA plugin nustar."""
