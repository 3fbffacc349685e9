from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from reports.comparison import Side, compare
from reports.comparison.forest import draw


def test_a_point_with_its_interval_for_each_cell(side: Callable[..., Side]) -> None:
    figure = draw(compare(side(), side("runs/b", {0: 1.2, 1: 0.9}, noise=(0.99, 1.02, 1.01))), 0.05)
    assert figure is not None
    (ax,) = figure.axes
    points = [line for line in ax.lines if line.get_gid() in ("slower", "faster", "no change")]
    assert [line.get_gid() for line in points] == ["slower", "faster", *["no change"] * 4]
    assert ax.get_yticklabels()[0].get_text() == "5 Mbit/s, 20 ms, allreduce fp32"
    bars = [line for line in ax.lines if not line.get_gid()][:6]
    low, high = np.asarray(bars[0].get_xdata(), dtype=float)
    assert low < 0.2 < high
    (bound,) = [line for line in ax.lines if line.get_gid() == "bound"]
    assert np.asarray(bound.get_xdata()).tolist() == [0.05, 0.05]
    ax.figure.canvas.draw()
    assert {"-10.0 %", "+0.0 %", "+20.0 %"} <= {text.get_text() for text in ax.get_xticklabels()}


def test_nothing_is_drawn_of_nothing(side: Callable[..., Side]) -> None:
    def failed(table: pd.DataFrame) -> None:
        table["status"] = "failed"

    assert draw(compare(side(), side("runs/b", change=failed))) is None
