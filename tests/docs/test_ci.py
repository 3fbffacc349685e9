"""The workflow in docs/ci.md, beyond what holds of every block: who may write, and what meets what."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest

from testbed.specification.reading import parse_yaml
from tests.docs.commands import UnfitError, commands_in, parse_gradwire, require_real
from tests.docs.pages import PAGES, fences

SOURCE = "docs/ci.md"


def workflow() -> dict[str, Any]:
    (page,) = (page for page in PAGES if page.name == "ci.md")
    (fence,) = (fence for fence in fences("yaml") if fence.page == page)
    found: dict[str, Any] = parse_yaml(fence.text, SOURCE)
    return found


def scripts(job: str) -> list[str]:
    return [step["run"] for step in workflow()["jobs"][job]["steps"] if "run" in step]


def gradwire(subcommand: str) -> list[dict[str, Any]]:
    """What each call of a command in the workflow asks for."""
    calls = [call for script in scripts("compare") for call in commands_in(script, SOURCE) if call.words]
    ours = [call.words[1:] for call in calls if call.words[0].endswith("/gradwire")]
    return [parse_gradwire(words).params for words in ours if words[0] == subcommand]


def test_what_runs_the_pull_request_may_not_write() -> None:
    found = workflow()
    assert found["permissions"] == {"contents": "read"}
    assert "permissions" not in found["jobs"]["compare"]
    assert found["jobs"]["comment"]["permissions"] == {"pull-requests": "write"}
    assert not any("gradwire" in script or "make" in script for script in scripts("comment"))


def test_nothing_from_outside_is_put_into_a_script() -> None:
    every = [*scripts("compare"), *scripts("comment")]
    assert every and not any("${{" in script for script in every)


@pytest.mark.parametrize("script", [*scripts("compare"), *scripts("comment")])
def test_every_script_is_a_shells(script: str) -> None:
    done = subprocess.run(["bash", "-n"], input=script, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_commands_fit_together() -> None:
    (compared,) = gradwire("compare")
    assert [swept["run"] for swept in gradwire("sweep")] == [compared["run_a"], compared["run_b"]]
    assert compared["bound"] == "5%"
    outputs = {call.output for script in scripts("compare") for call in commands_in(script, SOURCE)}
    kept = workflow()["jobs"]["compare"]["steps"][-1]["with"]["path"].split()
    assert kept == ["comparison.md", str(compared["html"])] and "comparison.md" in outputs
    assert "--body-file comparison.md" in scripts("comment")[0]


def test_an_option_that_does_not_exist_would_be_found() -> None:
    with pytest.raises(UnfitError, match="--fail-if-faster"):
        for command in commands_in("gradwire compare a b --fail-if-faster 5%", SOURCE):
            require_real(command)
