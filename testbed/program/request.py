"""What a person asks of `gradwire run`, read and checked before anything starts."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from testbed.cell import Network
from testbed.errors import UserError
from testbed.specification.catalogue import check_network
from testbed.specification.expansion import network_at
from testbed.specification.reading import parse_block
from testbed.specification.rules import broken_network
from testbed.specification.sweep_file import Axes
from testbed.specification.units import parse_size

OPTIONS: Final = "run"  # names the options in errors, where a sweep file's path would be
RESERVED: Final = ("PMI_", "GRADWIRE_")  # beginnings of variables by which a rank finds its place
HIDDEN: Final = ("/dev", "/proc", "/sys")  # folders in whose place a guest has its own


@dataclass(frozen=True, kw_only=True)
class Request:
    """A program, the network that it is to run on, and what is wanted of both."""

    words: tuple[str, ...]  # program and arguments
    network: Network
    lab: str  # auto | virtual | host
    timeout_s: float | None = None  # of the lab's time
    patience_s: float = 60.0  # processor time of a rank, in the virtual lab, while emulated time stands still
    memory_bytes: int | None = None  # of the guest; None: by the number of ranks
    environment: Mapping[str, str]  # beyond, or in the place of, what it would be
    output: Path | None = None  # folder for the result
    label: bool = False  # whether each line of the program says its rank
    as_json: bool = False  # whether the report is a JSON document


def read_network(options: Mapping[str, Any]) -> Network:
    """The network that options ask for, by the keys of a sweep file; None stands for a key's default.

    UserError names key, value, rule and remedy.
    """
    # A zero needs no unit, also where a shell makes a text of it
    keys = {key: 0 if value == "0" else value for key, value in options.items() if value is not None}
    if "arity" in keys:
        keys["topology"] = {"name": keys.get("topology", "star"), "arity": keys.pop("arity")}
    block = parse_block(keys, OPTIONS)
    point = {key: (getattr(block, key) or [None])[0] for key in Axes.model_fields if key != "schedule"}
    for key, example in (("bandwidth", "100mbit"), ("latency", "20ms")):
        if point[key] is None:
            raise UserError(f"--{key} is missing: give one, such as --{key} {example}")
    network = network_at(point)
    if "trunk" in keys and network.topology != "tree":
        raise UserError(f"{OPTIONS}: trunk is given, but only a tree has links between switches: remove it")
    try:
        if sentence := broken_network(network):
            raise UserError(sentence)
        check_network(network, ())
    except (ValueError, UserError) as error:
        raise UserError(f"{OPTIONS}: {error}") from None
    return network


def read_environment(assignments: Sequence[str]) -> dict[str, str]:
    """Variables of `NAME=VALUE`; UserError for what is none, or is the launcher's."""
    found = {}
    for assignment in assignments:
        name, is_assigned, value = assignment.partition("=")
        if not name or not is_assigned:
            raise UserError(f"--env {assignment}: write NAME=VALUE")
        if name.startswith(RESERVED):
            raise UserError(f"--env {assignment}: {name} tells a rank its place and cannot be set: leave it out")
        found[name] = value
    return found


def read_memory(text: str | None) -> int | None:
    """Bytes of `4 GiB`; None where nothing is asked for."""
    if text is None:
        return None
    try:
        return parse_size(text)
    except ValueError as error:
        raise UserError(f"--memory {error}") from None


def require_program(words: Sequence[str], search_path: str) -> None:
    """UserError unless there is a program of that name."""
    if shutil.which(words[0], path=search_path) is None:
        raise UserError(f"program {words[0]} is not there, or may not be run: give its path, or put its folder on PATH")


def require_seen_in_guest(words: Sequence[str], folder: Path) -> None:
    """UserError where the program is to begin, or lies, in a folder that a guest has not."""
    for path in (folder, *(Path(word) for word in words if word.startswith("/"))):
        hidden = next((name for name in HIDDEN if path.is_relative_to(name) and path != Path("/dev/null")), None)
        if hidden is not None:
            raise UserError(
                f"{path} is not seen in lab virtual, whose guests have a {hidden} of their own: "
                "use another folder, or --lab host"
            )


def require_free(output: Path) -> None:
    """UserError unless a result can be put there: nothing is there yet, and the folder above it is."""
    if output.is_dir() and not any(output.iterdir()):
        return
    if output.exists():
        raise UserError(f"--output {output} is there already: name a folder that is not, or an empty one")
    if not output.absolute().parent.is_dir():
        raise UserError(f"--output {output}: the folder {output.absolute().parent} does not exist: make it first")
