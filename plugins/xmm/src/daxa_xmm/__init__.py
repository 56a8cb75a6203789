"""XMM-Newton for DAXA."""
