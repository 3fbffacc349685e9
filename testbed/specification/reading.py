"""From a file's text to the checked keys; every mistake becomes one sentence that names file and key."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails
from ruamel.yaml import YAML
from ruamel.yaml.constructor import DuplicateKeyError
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from testbed.errors import UserError
from testbed.specification.choices import ContainersChoice, PartitionChoice, StepsChoice, Strict, TopologyChoice
from testbed.specification.dynamics import ChangeChoice, StragglerChoice
from testbed.specification.sweep_file import Block, SweepFile

_WORDING: Final = {
    "missing": "is missing: give it a value or a list of values",
    "too_short": "is an empty list: give at least one value, or leave the key out for its default",
    "greater_than_equal": "is {input!r}: it must be at least {ge}",
    "greater_than": "is {input!r}: it must be above {gt}",
    "literal_error": "is {input!r}: it must be {expected}",
    "int_type": "is {input!r}: it must be a whole number",
    "float_type": "is {input!r}: it must be a number",
    "finite_number": "is {input!r}: it must be a finite number",
    "bool_type": "is {input!r}: it must be true or false",
    "string_type": "is {input!r}: it must be a name",
    "string_pattern_mismatch": "is {input!r}: use letters and digits, then also dots and hyphens",
    "list_type": "is {input!r}: it must be a list of mappings",
    "model_type": "is {input!r}: it must be a mapping",
}
File = TypeVar("File", bound=Strict)


@dataclass(frozen=True, kw_only=True)
class Kind(Generic[File]):
    """A kind of file.

    Attributes:
        name: what it is called.
        example: the path of one.
        line: a line that one has.
        file: its keys.
        block: the keys of part of it.
        nested: those of mappings within.
    """

    name: str
    example: str
    line: str
    file: type[File]
    block: type[Strict]
    nested: Mapping[str, type[Strict]]


SWEEP: Final = Kind(
    name="sweep file",
    example="sweeps/smoke.yaml",
    line="bandwidth: 5 Mbit/s",
    file=SweepFile,
    block=Block,
    nested={
        "containers": ContainersChoice,
        "partition": PartitionChoice,
        "steps": StepsChoice,
        "topology": TopologyChoice,
        "straggler": StragglerChoice,
        "schedule": ChangeChoice,
    },
)


def read_text(path: Path, kind: Kind[Any] = SWEEP) -> str:
    """The file's text; UserError where there is none to read."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UserError(f"{kind.name} {path} does not exist: give the path of a file such as {kind.example}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{kind.name} {path} cannot be read ({error}): give a text file in YAML") from None


def parse(text: str, source: str, kind: Kind[File]) -> File:
    """The checked keys of a file's text; `source` names it in errors."""
    keys = parse_yaml(text, source)
    if not isinstance(keys, Mapping):
        raise UserError(f"{source} holds no mapping: a {kind.name} has lines such as `{kind.line}`")
    try:
        return kind.file.model_validate({str(key): value for key, value in keys.items()})
    except ValidationError as error:
        raise UserError(f"{source}: {_sentence(error, kind)}") from None


def parse_block(keys: Mapping[str, Any], source: str) -> Block:
    """The checked keys of part of a sweep."""
    try:
        return Block.model_validate(dict(keys))
    except ValidationError as error:
        raise UserError(f"{source}: {_sentence(error, SWEEP)}") from None


def parse_yaml(text: str, source: str) -> Any:
    """Plain values of a YAML document; a mapping with the same key twice is refused."""
    try:
        return YAML(typ="safe", pure=True).load(text)
    except DuplicateKeyError as error:
        problem = str(error.problem).partition(" with value")[0].replace("found ", "")
        raise UserError(f"{source}{_place(error)}: {problem}; keep one of the two") from None
    except MarkedYAMLError as error:
        raise UserError(f"{source}{_place(error)}: not YAML ({error.problem}); correct that line") from None
    except YAMLError as error:
        raise UserError(f"{source}: not YAML ({' '.join(str(error).split())})") from None


def _place(error: MarkedYAMLError) -> str:
    return f", line {error.problem_mark.line + 1}" if error.problem_mark else ""


def _sentence(error: ValidationError, kind: Kind[Any]) -> str:
    """One sentence for the first mistake; an unknown key comes first, since it explains a missing one."""
    details = sorted(error.errors(), key=lambda detail: detail["type"] != "extra_forbidden")[0]
    if details["type"] == "extra_forbidden":
        return _unknown_key(details["loc"], kind)
    key = _dotted(details["loc"])
    if details["type"] == "value_error":  # our own rules; their sentences begin with the value
        return f"{key} {details['ctx']['error']}"
    return f"{key} {_worded(details)}"


def _worded(details: ErrorDetails) -> str:
    wording = _WORDING.get(details["type"])
    if wording is None:
        return f"is {details['input']!r}: {details['msg'].lower()}"
    return wording.format(input=details["input"], **details.get("ctx", {}))


def _unknown_key(place: tuple[int | str, ...], kind: Kind[Any]) -> str:
    nested = next((kind.nested[str(part)] for part in reversed(place[:-1]) if part in kind.nested), None)
    model: type[Strict] = nested or (kind.file if len(place) == 1 else kind.block)
    near = difflib.get_close_matches(str(place[-1]), model.model_fields, n=1)
    remedy = f"did you mean {near[0]}?" if near else f"the keys are {', '.join(model.model_fields)}"
    return f"unknown key {_dotted(place)}: {remedy}"


def _dotted(place: tuple[int | str, ...]) -> str:
    """`exclude[0].bandwidth`; a place in a list of values is left out, since the sentence shows the value."""
    parts: list[str] = []
    for part in place:
        if isinstance(part, str):
            parts.append(part)
        elif parts and parts[-1] in ("exclude", "include", "schedule"):
            parts[-1] += f"[{part}]"
    return ".".join(parts)
