"""DAXA plugin xmm."""
