from __future__ import annotations

import json
from pathlib import Path

from testbed.results import provenance


def test_says_what_ran_where_and_is_json() -> None:
    facts = provenance.collect("trial", {"virtual": {"kernel": "6.12"}})
    assert facts == json.loads(json.dumps(facts))
    assert facts["name"] == "trial" and facts["lab"] == "virtual"
    assert facts["labs"]["virtual"]["kernel"] == "6.12"
    assert facts["versions"]["torch"] and facts["machine"]["cores"]
    assert {"git_commit", "git_dirty", "date"} <= facts.keys()


def test_without_git_the_commit_is_unknown(tmp_path: Path) -> None:
    assert provenance._commit(tmp_path) == {"git_commit": None, "git_dirty": None}
