from __future__ import annotations

import json
from typing import Any

import pandas as pd

from reports.systems import systems


def labels(*codec_options: dict[str, Any]) -> list[str]:
    rows = [{"algorithm": "qsgd", "codec": "qsgd", "codec_options": json.dumps(given)} for given in codec_options]
    return [system.label for system in systems(pd.DataFrame(rows))]


def test_an_option_that_was_not_given_is_in_no_label():
    assert labels({"bits": 8, "q": None}, {"bits": None, "q": 1.0}) == ["qsgd qsgd 8 bit", "qsgd qsgd q=1.0"]


def test_an_option_in_which_none_differ_is_in_no_label_but_it_is_where_they_do():
    assert labels({"norm": "l2"}, {"norm": "l2"}) == ["qsgd qsgd"] * 2
    assert labels({"norm": "l2"}, {"norm": "max"}) == ["qsgd qsgd norm=l2", "qsgd qsgd norm=max"]
