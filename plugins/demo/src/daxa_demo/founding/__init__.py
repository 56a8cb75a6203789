"""The two archives of the tutorial that DAXA began with, made with an offline sky and stand-ins for SAS.

Catalogues hold what was recorded; files are generated, and say so.
"""
