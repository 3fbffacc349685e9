"""The time-line figure: levels where steps lie, marks where links changed."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pandas as pd
import pytest
from matplotlib.patches import StepPatch

from reports.figures import timeline
from reports.timeline import read
from reports.view import views

CHANGES = [
    {"text": "1 Mbit/s", "at_s": 2.0, "applied_s": [2.0, 2.2], "ended_s": []},
    {"text": "worker 1 down 3 s", "at_s": 4.0, "applied_s": [4.0, 4.0], "ended_s": [7.0, 7.5]},
]
MISSED = {"text": "loss 1 %", "at_s": 60.0, "applied_s": [None, None], "ended_s": []}


def text(step_s: float, *changes: dict[str, Any]) -> str:
    repetitions = [{"begins_s": 0.5, "step_s": [step_s, 2 * step_s]}, {"begins_s": 0.25, "step_s": [step_s, step_s]}]
    return json.dumps({"repetitions": repetitions, "changes": list(changes)})


def scheduled(tables, *changes: dict[str, Any], bandwidths: tuple[float, ...] = (5e6,)) -> Any:
    systems = [("allreduce", "fp32"), ("d-psgd", "fp32")]
    table = tables.make(systems=systems, bandwidths=bandwidths, latencies=[1e-3])
    table["timeline"] = [text(4.0 if name == "allreduce" else 2.0, *changes) for name in table["algorithm"]]
    table["schedule"], table["straggler"] = "2 s: 1 Mbit/s; 4 s: worker 1 down 3 s", "none"
    return table


def test_a_timeline_is_read_with_edges_and_mean_times() -> None:
    found = read(text(4.0, *CHANGES, MISSED))
    assert [run.edges_s for run in found.runs] == [(0.5, 4.5, 12.5), (0.25, 4.25, 8.25)]
    assert [run.step_s for run in found.runs] == [(4.0, 8.0), (4.0, 4.0)]
    assert [(mark.applied_s, mark.ended_s) for mark in found.marks] == [(2.1, None), (4.0, 7.25), (None, None)]


def test_every_repetition_of_every_system_is_drawn_and_each_change_marked(tables) -> None:
    (view,) = views(scheduled(tables, *CHANGES))
    (ax,) = tables.drawn(timeline.draw, view).axes
    stairs = [patch for patch in ax.patches if isinstance(patch, StepPatch)]
    assert [list(one.get_data()[0]) for one in stairs] == [[4.0, 8.0], [4.0, 4.0], [2.0, 4.0], [2.0, 2.0]]
    assert [one.get_label() for one in stairs[::2]] == ["allreduce fp32", "d-psgd fp32"]
    lines = [line for line in ax.lines if line.get_gid() == "change"]
    assert [line.get_xdata()[0] for line in lines] == pytest.approx([2.1, 4.0])
    (down,) = [patch for patch in ax.patches if patch.get_gid() == "down"]
    assert (down.get_x(), down.get_x() + down.get_width()) == pytest.approx((4.0, 7.25))
    labels = [label for label in ax.texts if label.get_gid() == "label"]
    assert [label.get_text() for label in labels] == ["1 Mbit/s", "worker 1 down 3 s"]
    assert ax.get_ylim()[0] < 2.0 and ax.get_ylim()[1] > 8.0


def test_a_change_that_came_too_late_has_no_mark_and_is_said(tables) -> None:
    (view,) = views(scheduled(tables, *CHANGES, MISSED))
    figure = tables.drawn(timeline.draw, view)
    assert "loss 1 %" not in [label.get_text() for label in figure.axes[0].texts]
    said = " ".join(one.get_text() for one in figure.texts).replace("\n", " ")
    assert "changes without a mark came after the last step" in said
    assert "without a mark" not in " ".join(
        one.get_text() for one in tables.drawn(timeline.draw, views(scheduled(tables, *CHANGES))[0]).texts
    )


def test_labels_of_changes_close_together_stand_apart(tables) -> None:
    close = [{"text": f"{n} Mbit/s", "at_s": 2.0, "applied_s": [2 + n / 100] * 2, "ended_s": []} for n in range(6)]
    (view,) = views(scheduled(tables, *close))
    (ax,) = tables.drawn(timeline.draw, view).axes
    feet = [label.get_position()[0] for label in ax.texts if label.get_gid() == "label"]
    gaps = [later - earlier for earlier, later in pairwise(feet)]
    assert min(gaps) >= timeline.LABEL_GAP_IN / timeline.PANEL_IN[0] - 1e-9


def test_each_network_has_a_panel_and_runs_without_a_schedule_no_figure(tables) -> None:
    (view,) = views(scheduled(tables, *CHANGES, bandwidths=(5e6, 1e9)))
    assert len(tables.drawn(timeline.draw, view).axes) == 2
    (plain,) = views(tables.make())
    assert timeline.draw(plain) is None


def test_views_tell_schedules_and_stragglers_apart(tables) -> None:
    changed = scheduled(tables, *CHANGES)
    plain = changed.assign(schedule="none", timeline="")
    slow = plain.assign(straggler="worker 1: compute x2")
    found = views(pd.concat([changed, plain, slow], ignore_index=True))
    assert sorted(view.name for view in found) == [
        "star, 8 workers, no straggler, no schedule",
        "star, 8 workers, no straggler, schedule 2 s: 1 Mbit/s and 1 more",
        "star, 8 workers, straggler worker 1: compute x2, no schedule",
    ]
    assert [timeline.draw(view) is not None for view in found] == [view.name.endswith("1 more") for view in found]
