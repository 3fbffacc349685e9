from __future__ import annotations

import json
from typing import Any

import pandas as pd

from reports.systems import System, names, systems


def labels(*codec_options: dict[str, Any]) -> list[str]:
    rows = [{"algorithm": "qsgd", "codec": "qsgd", "codec_options": json.dumps(given)} for given in codec_options]
    return [system.label for system in systems(pd.DataFrame(rows))]


def test_an_option_that_was_not_given_is_in_no_label():
    assert labels({"bits": 8, "q": None}, {"bits": None, "q": 1.0}) == ["qsgd qsgd 8 bit", "qsgd qsgd q=1.0"]


def test_an_option_in_which_none_differ_is_in_no_label_but_it_is_where_they_do():
    assert labels({"norm": "l2"}, {"norm": "l2"}) == ["qsgd qsgd"] * 2
    assert labels({"norm": "l2"}, {"norm": "max"}) == ["qsgd qsgd norm=l2", "qsgd qsgd norm=max"]


def test_a_legend_leaves_out_what_all_its_variants_share():
    plain = System("allreduce", "fp32")
    small, large = (System("qsgd", "qsgd", variant=f"bucket={size} coding=fixed") for size in (256, 1024))
    shown = names([plain, small, large])
    assert list(shown.values()) == ["allreduce fp32", "qsgd qsgd bucket=256", "qsgd qsgd bucket=1024"]
    assert names([plain, small])[small] == "qsgd qsgd bucket=256 coding=fixed"
