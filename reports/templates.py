"""The pages' templates, in which every value is escaped, and figures inside of pages."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import jinja2
from matplotlib.figure import Figure

_PAGES = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).with_name("pages")),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def render(template: str, **values: object) -> str:
    """The template of that name with these values, every one of them escaped."""
    return _PAGES.get_template(template).render(**values)


def svg_url(content: bytes) -> str:
    """An SVG as a data URL: within img none of its scripts run, and no two SVGs' identifiers meet."""
    return "data:image/svg+xml;base64," + base64.b64encode(content).decode("ascii")


def svg_source(figure: Figure) -> str:
    """A figure as such a URL; equal figures give equal ones."""
    from reports.canvas import style

    content = io.BytesIO()
    with style():
        figure.savefig(content, format="svg", metadata={"Date": None, "Creator": None})
    return svg_url(content.getvalue())
