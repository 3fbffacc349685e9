"""The course of `gradwire run`: a lab made ready, the program on its network, what came of it told and kept."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import json
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO, Final

from testbed import clean
from testbed.errors import LabError
from testbed.interruption import stopping_on_signals
from testbed.labs import registry as labs
from testbed.program import result
from testbed.program.following import Following
from testbed.program.launch import CLOCK, RANKS, Launch, environment, search_path
from testbed.program.output import Output
from testbed.program.request import Request, require_free, require_program, require_seen_in_guest
from testbed.program.stations import Place, guest_bytes, place
from testbed.program.stillness import Stillness
from testbed.specification.delays import link_delay_s
from testbed.specification.rules import network_warnings

INTERRUPTED: Final = 130
SCHEMA: Final = 1


def run_program(request: Request) -> int:
    """Run the program and report; the exit status.

    That is the program's own, 124 where its time was up, 130 where a signal stopped it. UserError and LabError where
    there is nothing to report.
    """
    lab = _checked_lab(request)
    where, helpers = place(lab, _say)
    spool = clean.claim()
    stop = threading.Event()
    try:
        _launch(request, where, helpers).write(spool)
        try:
            with stopping_on_signals(stop):
                document = _run(request, where, helpers, spool, stop)
        except KeyboardInterrupt:  # a second signal
            return INTERRUPTED
        if document is None:
            return INTERRUPTED
        if request.output is not None:
            result.keep(document, spool / RANKS, request.output)
        _tell(request, document)
        return int(document["exit_status"])
    finally:
        clean.remove(spool)


def _checked_lab(request: Request) -> str:
    """The lab's name, once all that can be wrong with the request is known not to be."""
    name = request.lab
    if name == "auto":
        name, why = labs.auto()
        _say(f"lab: {name} ({why})")
    require_program(request.words, request.environment.get("PATH", search_path()))
    if name == "virtual":
        require_seen_in_guest(request.words, Path.cwd())
    if request.output is not None:
        require_free(request.output)
    for text in network_warnings([request.network]):
        _say(f"warning: {text}")
    clean.reap()
    return name


def _launch(request: Request, where: Place, helpers: Path) -> Launch:
    ranks = request.network.workers
    return Launch(
        words=request.words,
        folder=str(Path.cwd()),
        environment=environment(helpers, ranks, request.environment, in_guest=where.watched),
        network=request.network,
        timeout_s=request.timeout_s,
    )


def _run(request: Request, where: Place, helpers: Path, spool: Path, stop: threading.Event) -> dict[str, Any] | None:
    """The program's document; None where a signal stopped it."""
    ranks = request.network.workers
    output = Output(spool / RANKS, ranks, _stdout(request), sys.stderr.buffer, label=request.label)
    station = where.start(spool, helpers, request.memory_bytes or guest_bytes(ranks))
    try:
        following = Following(station, spool, output, _say)
        watched = Stillness(station.pid, spool / CLOCK, request.patience_s, ranks) if where.watched else None
        following.until_end(stop, watched)
    finally:
        station.stop()
    if stop.is_set():
        return None
    if following.document is None:
        raise LabError(f"{station.word} ended without a result; the end of what it said: {station.last_words()}")
    return _document(request, where, following)


def _document(request: Request, where: Place, following: Following) -> dict[str, Any]:
    """What docs/run.md tells of: what was asked for, then what was found."""
    assert following.document is not None
    return {
        "schema": SCHEMA,
        "gradwire": importlib.metadata.version("gradwire"),
        "program": list(request.words),
        "lab": where.name,
        "time_is": where.time,
        "note": where.note,
        "network": dataclasses.asdict(request.network),
        "link_delay_s": link_delay_s(request.network),
        **following.document,
        "facts": following.facts,
    }


def _stdout(request: Request) -> BinaryIO:
    """Where the program's standard output goes: a document there would not be one with it."""
    return sys.stderr.buffer if request.as_json else sys.stdout.buffer


def _tell(request: Request, document: Mapping[str, Any]) -> None:
    if request.as_json:
        print(json.dumps(document, indent=1, allow_nan=False))
    else:
        print(result.report(document), file=sys.stderr)


def _say(text: str) -> None:
    """On standard error, as standard output is the program's."""
    print(f"gradwire: {text}", file=sys.stderr, flush=True)
