"""How Sphinx builds these pages: `make docs` writes them to build/docs, without a network, with warnings as errors."""

from __future__ import annotations

import tomllib
from pathlib import Path

_PROJECT = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]

project = "Gradwire"
author = "the Gradwire developers"
release = version = _PROJECT["version"]

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]  # napoleon: the docstrings' `Args:`
source_suffix = {".md": "markdown"}
myst_heading_anchors = 3  # as GitHub makes them, so that a link to a heading holds in both
nitpicky = False  # types of other projects in signatures have no page here
autodoc_typehints = "signature"
autodoc_member_order = "bysource"

html_theme = "pydata_sphinx_theme"
html_title = "Gradwire"
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "show_prev_next": True,
    "navigation_with_keys": False,
    "secondary_sidebar_items": ["page-toc"],
    "navbar_center": [],  # all pages are in the sidebar, under their captions
    "footer_start": [],
    "footer_end": [],
}
html_sidebars = {"**": ["globaltoc.html"]}
html_context = {"default_mode": "auto"}  # light or dark, as the reader's system is
# Only the theme's own font and icons, which it brings along: pages open from disk.
html_static_path: list[str] = []
