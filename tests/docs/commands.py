"""The commands in blocks of shell: found, and held against the real command line, Makefile and packages.

A simple command that this module does not know is an error: a text may not tell what nobody has checked.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

import click

from testbed.cli import cli
from tests.docs.pages import ROOT, Fence

_SEPARATORS: Final = frozenset({"|", "||", "&&", ";", "&"})
_ASSIGNMENT: Final = re.compile(r"[A-Za-z_]\w*=.*")
_ORDINARY: Final = frozenset(
    {"cd", "git", "less", "cat", "mkdir", ".", "export", "mpicc", "sudo", "tshark", "exit", "echo", "gh"}
)
_FILES: Final = re.compile(r"(?:sweeps|trainings|examples|docs|tests)/[\w./-]*")


class UnfitError(AssertionError):
    """A documented command that does not exist so."""


@dataclass(frozen=True)
class Command:
    """One simple command of a block, without its redirections."""

    words: tuple[str, ...]
    source: str
    output: str | None = None  # the file that its output goes to

    def __str__(self) -> str:
        return f"{self.source} {shlex.join(self.words)}"


def commands_of(fence: Fence) -> Iterator[Command]:
    """The simple commands of a block, in order."""
    yield from commands_in(fence.text, str(fence))


def commands_in(text: str, source: str) -> Iterator[Command]:
    """The simple commands of a script."""
    for line in text.replace("\\\n", " ").splitlines():
        words: list[str] = []
        for word in [*_words(line), ";"]:
            if word not in _SEPARATORS:
                words.append(word)
            elif words:
                yield _command(words, source)
                words = []


def _words(line: str) -> list[str]:
    lexer = shlex.shlex(line, posix=True, punctuation_chars="();<>|&")
    lexer.whitespace_split = True
    return list(lexer)


def _command(words: list[str], source: str) -> Command:
    output = None
    for redirection in (">", ">>"):
        if redirection in words:
            place = words.index(redirection)
            output = words[place + 1]
            words = words[:place] + words[place + 2 :]
    while words and _ASSIGNMENT.fullmatch(words[0]):  # of the environment
        words = words[1:]
    return Command(tuple(words), source, output)


def require_real(command: Command) -> None:
    """Raise UnfitError unless the command's program, options and files exist."""
    if not command.words:
        return
    program, *arguments = command.words
    name = program.rpartition("/")[2]
    check = _CHECKS.get(name)
    if check is None and name not in _ORDINARY:
        raise UnfitError(f"{command}: nothing checks the program {name}; see tests/docs/commands.py")
    for word in arguments:
        if _FILES.fullmatch(word) and not (ROOT / word).exists():
            raise UnfitError(f"{command}: there is no {word}")
    if check is not None:
        check(arguments)


def parse_gradwire(arguments: Sequence[str]) -> click.Context:
    """The context of the subcommand, parsed and not invoked; click's own errors for what it does not take."""
    if arguments and arguments[0].startswith("-"):
        return cli.make_context("gradwire", list(arguments))
    context = click.Context(cli, info_name="gradwire")
    name, command, rest = cli.resolve_command(context, list(arguments))
    assert command is not None
    return command.make_context(name, rest, parent=context)


def _gradwire(arguments: Sequence[str]) -> None:
    try:
        parse_gradwire(arguments)
    except click.exceptions.Exit:  # --help, --version
        return
    except click.ClickException as error:
        raise UnfitError(f"gradwire {shlex.join(arguments)}: {error.format_message()}") from None


@cache
def makefile() -> tuple[frozenset[str], frozenset[str]]:
    """Its targets and its variables."""
    text = (ROOT / "Makefile").read_text()
    targets = re.findall(r"^([a-z][\w-]*):", text, re.MULTILINE)
    variables = re.findall(r"^([A-Z_]+) *[?:]?=", text, re.MULTILINE)
    return frozenset(targets), frozenset(variables)


def _make(arguments: Sequence[str]) -> None:
    targets, variables = makefile()
    for word in arguments:
        variable, is_assigned, _ = word.partition("=")
        if is_assigned and variable not in variables:
            raise UnfitError(f"make {shlex.join(arguments)}: the Makefile has no variable {variable}")
        if not is_assigned and word not in targets:
            raise UnfitError(f"make {shlex.join(arguments)}: the Makefile has no target {word}")


def _apt_get(arguments: Sequence[str]) -> None:
    listed = (ROOT / "setup" / "debian-packages.txt").read_text().splitlines()
    for word in arguments:
        if word not in ("install", "update") and not word.startswith("-") and word not in listed:
            raise UnfitError(f"apt-get {shlex.join(arguments)}: {word} is not in setup/debian-packages.txt")


def _python(arguments: Sequence[str]) -> None:
    if arguments[:1] == ["-m"] and arguments[1] not in ("pip", "pytest", "venv"):
        raise UnfitError(f"python {shlex.join(arguments)}: nothing checks the module {arguments[1]}")


_CHECKS: Final[dict[str, Callable[[Sequence[str]], None]]] = {
    "gradwire": _gradwire,
    "make": _make,
    "apt-get": _apt_get,
    "python": _python,
    "python3": _python,
    "pip": lambda _: None,
}


def require_inline(code: str) -> None:
    """Raise UnfitError unless an inline `gradwire …` or `make …` names what exists; placeholders are let be."""
    program, *words = code.replace("[", " ").replace("]", " ").split()
    if program == "make" and words and words[0].islower() and words[0] not in makefile()[0]:
        raise UnfitError(f"{code}: the Makefile has no target {words[0]}")
    if program != "gradwire" or not words or not words[0].islower():
        return
    command = cli.commands.get(words[0])
    if command is None:
        raise UnfitError(f"{code}: gradwire has no command {words[0]}")
    options = {option for parameter in command.params for option in parameter.opts} | {"--help"}
    program_of_users = words.index("--") if "--" in words else len(words)
    for word in words[:program_of_users]:
        if word.startswith("--") and word.partition("=")[0] not in options:
            raise UnfitError(f"{code}: gradwire {words[0]} has no option {word}")
