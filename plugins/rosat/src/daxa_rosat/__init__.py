"""ROSAT for DAXA: pointed observations, and the tiles of the all-sky survey."""
