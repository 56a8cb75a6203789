"""eROSITA for DAXA."""
