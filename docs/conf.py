"""Configuration of the documentation."""

import importlib.metadata

project = "DAXA"
author = "The DAXA developers"
copyright = "2026, the DAXA developers"
release = importlib.metadata.version("daxa-core")
extensions = ["sphinx.ext.autodoc", "sphinx.ext.viewcode", "numpydoc", "myst_nb"]
nb_execution_mode = "force"  # every tutorial is run, against the offline sky
nb_execution_raise_on_error = True
nb_execution_timeout = 300
nb_execution_in_temp = True  # a tutorial may write where it stands
nb_merge_streams = True
exclude_patterns = ["_build"]
html_theme = "alabaster"
html_theme_options = {"description": "X-ray archives, from a name to clean data", "page_width": "1100px"}
autodoc_typehints = "none"
autodoc_member_order = "bysource"
autodoc_default_options = {"show-inheritance": True}
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False
