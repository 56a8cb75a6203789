"""DAXA plugin testing."""
