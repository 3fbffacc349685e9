from __future__ import annotations

import base64

from matplotlib.figure import Figure

from reports.templates import render, svg_source


def test_values_are_escaped() -> None:
    text = render("page.html.j2", title="<b>&", foot='"<i>')
    assert "<title>&lt;b&gt;&amp;</title>" in text and "<i>" not in text


def test_equal_figures_give_equal_sources() -> None:
    def source() -> str:
        figure = Figure()
        figure.add_subplot().plot([1, 2])
        return svg_source(figure)

    assert source() == source()
    svg = base64.b64decode(source().removeprefix("data:image/svg+xml;base64,"))
    assert svg.startswith(b"<?xml") and b"<dc:date>" not in svg
