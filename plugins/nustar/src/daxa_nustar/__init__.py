"""NuSTAR for DAXA."""
