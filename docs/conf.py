"""Configuration of the documentation."""

import importlib.metadata

project = "DAXA"
author = "The DAXA developers"
copyright = "2026, the DAXA developers"
release = importlib.metadata.version("daxa-core")
extensions = ["sphinx.ext.autodoc", "sphinx.ext.autosummary", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
exclude_patterns = ["_build"]
html_theme = "alabaster"
html_theme_options = {"description": "X-ray archives, from a name to clean data", "page_width": "1100px"}
autodoc_typehints = "none"
autodoc_member_order = "bysource"
nitpicky = False
