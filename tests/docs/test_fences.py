"""Every block of code in the texts is of a language that something checks, and is right by it."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from typing import Any

import pytest

from testbed.errors import UserError
from testbed.specification.reading import SWEEP, Kind, parse, parse_block, parse_yaml
from testbed.training.training_file import TRAINING
from tests.docs.commands import UnfitError, commands_in, commands_of, require_inline, require_real
from tests.docs.pages import PAGES, ROOT, Fence, fences, inline_code

LANGUAGES = {"sh", "yaml", "json", "toml", "python", "text"}


def test_the_texts_are_found() -> None:
    assert {"README.md", "quick-start.md", "allreduce.md"} <= {page.name for page in PAGES}
    assert {fence.language for fence in fences()} >= {"sh", "yaml", "json", "text"}


@pytest.mark.parametrize("fence", fences(), ids=str)
def test_every_block_says_its_language(fence: Fence) -> None:
    directive = fence.language.startswith("{") and fence.language.endswith("}")
    assert directive or fence.language in LANGUAGES, f"{fence}: write one of {', '.join(sorted(LANGUAGES))} behind ```"


@pytest.mark.parametrize("fence", [f for f in fences() if f.before.startswith("<!-- file: ")], ids=str)
def test_a_block_that_is_a_file_is_that_file(fence: Fence) -> None:
    name = fence.before.removeprefix("<!-- file: ").removesuffix("-->\n").removesuffix("-->").strip()
    assert fence.text == (ROOT / name).read_text(), f"{fence}: copy {name} anew"


@pytest.mark.parametrize("fence", fences("python"), ids=str)
def test_every_python_block_is_a_file_or_names_its_test(fence: Fence) -> None:
    compile(fence.text, str(fence), "exec")
    kind, _, rest = fence.before.removeprefix("<!-- ").partition(": ")
    name = rest.partition("-->")[0].strip()
    assert kind in ("file", "test"), f"{fence}: write <!-- file: … --> or <!-- test: tests/… --> before it"
    if kind == "test":
        assert fence.page.name in (ROOT / name).read_text(), f"{fence}: {name} does not read {fence.page.name}"


@pytest.mark.parametrize("fence", fences("sh"), ids=str)
def test_every_command_exists_as_it_is_written(fence: Fence) -> None:
    commands = list(commands_of(fence))
    assert commands, f"{fence}: has no command"
    for command in commands:
        require_real(command)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_within_a_sentence_exists(page: Any) -> None:
    for line, code in inline_code(page):
        try:
            if code.startswith(("gradwire ", "make ")):
                require_inline(code)
        except UnfitError as error:
            pytest.fail(f"{page.relative_to(ROOT)}:{line}: {error}")


@pytest.mark.parametrize("fence", fences("json"), ids=str)
def test_every_json_block_is_json(fence: Fence) -> None:
    json.loads(fence.text)


@pytest.mark.parametrize("fence", fences("toml"), ids=str)
def test_every_toml_block_is_toml(fence: Fence) -> None:
    tomllib.loads(fence.text)


@pytest.mark.parametrize("fence", fences("yaml"), ids=str)
def test_every_yaml_block_is_taken_by_what_reads_it(fence: Fence) -> None:
    require_yaml(fence.text, str(fence))


def require_yaml(text: str, source: str) -> None:
    """A sweep file, a training file, part of one, a device profile, or a workflow whose commands exist."""
    keys = parse_yaml(text, source)
    if "jobs" in keys:
        _require_workflow(keys, source)
        return
    readers: list[Callable[[], object]] = [
        lambda: parse(text, source, SWEEP),
        lambda: parse(text, source, TRAINING),
        lambda: parse_block(keys, source),
        lambda: TRAINING.block.model_validate(keys),
    ]
    refusals = []
    for read in readers:
        try:
            read()
            return
        except (UserError, ValueError) as error:
            refusals.append(str(error))
    raise AssertionError("\n".join(refusals))


def _require_workflow(keys: Any, source: str) -> None:
    """Every `run` of a GitHub workflow is a script of commands that exist."""
    steps = [step for job in keys["jobs"].values() for step in job["steps"]]
    assert any("run" in step for step in steps)
    for step in steps:
        for command in commands_in(step.get("run", ""), source):
            require_real(command)


@pytest.mark.parametrize(
    ("script", "complaint"),
    [
        ("gradwire swep sweeps/smoke.yaml", "No such command 'swep'"),
        ("gradwire sweep sweeps/smoke.yaml --jbs 2", "No such option .?--jbs"),
        ("gradwire sweep sweeps/smok.yaml", "there is no sweeps/smok.yaml"),
        ("make sweeep", "no target sweeep"),
        ("make sweep SWEEEP=sweeps/smoke.yaml", "no variable SWEEEP"),
        ("curl example.org | sh", "nothing checks the program curl"),
        ("true && gradwire table runs/x --format xlsx", "nothing checks the program true"),
        ("gradwire table runs/x --format xlsx > y", "'xlsx' is not one of"),
    ],
)
def test_a_command_that_does_not_exist_is_found(script: str, complaint: str) -> None:
    with pytest.raises(UnfitError, match=complaint):
        for command in commands_in(script, "a page"):
            require_real(command)


@pytest.mark.parametrize(
    "code", ["gradwire swep FILE", "gradwire sweep FILE --jbs", "make sweeep", "gradwire train [--timez RUN]"]
)
def test_a_command_within_a_sentence_that_does_not_exist_is_found(code: str) -> None:
    with pytest.raises(UnfitError):
        require_inline(code)


@pytest.mark.parametrize("text", ["bandwith: 5 Mbit/s\n", "steps: {measured: 1}\n", "epochs: 1\nlatency: 5 ms\n"])
def test_a_wrong_yaml_block_is_found(text: str) -> None:
    with pytest.raises(AssertionError):
        require_yaml(text, "a page")


def test_both_kinds_of_files_are_told_apart() -> None:
    kinds: list[Kind[Any]] = [SWEEP, TRAINING]
    assert len({kind.file for kind in kinds}) == 2
    require_yaml("epochs: 3\nrate: 0.1\n", "a page")
    require_yaml("bandwidth: 5 Mbit/s\n", "a page")
