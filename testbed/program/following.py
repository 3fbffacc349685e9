"""A station of `gradwire run` followed from outside: what it says, what the program prints, whether time goes on."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from testbed.errors import LabError
from testbed.labs.spool import EventReader
from testbed.labs.station_process import StationProcess
from testbed.program.launch import EVENTS
from testbed.program.output import Output
from testbed.program.stillness import Stillness

LOOK_EVERY_S: Final = 0.1
STILLNESS_EVERY_S: Final = 1.0
READY_WITHIN_S: Final = 300.0  # of silence, until the program begins
LEAVE_S: Final = 10.0  # from the last event to the station's end

Say = Callable[[str], None]


class Following:
    """Follows one station to its end. A LabError says what went wrong there."""

    def __init__(self, station: StationProcess, spool: Path, output: Output, say: Say) -> None:
        self._station = station
        self._events = EventReader(spool / EVENTS)
        self._output = output
        self._say = say
        self._began = False
        self._heard_s = time.monotonic()
        self.facts: dict[str, Any] = {}
        self.document: dict[str, Any] | None = None

    def until_end(self, stop: threading.Event, stillness: Stillness | None) -> None:
        """Follow until the station has ended, or `stop` is set; `stillness` looks whether time stands still."""
        looked_s = time.monotonic()
        while not stop.wait(LOOK_EVERY_S):
            ended = self._station.ended()
            self._output.pass_on()
            if self._hear():
                self._output.pass_on(all_of_it=True)
                self._station.wait(LEAVE_S)
                return
            if ended:
                word, said = self._station.word, self._station.last_words()
                raise LabError(f"{word} died; the end of what it said: {said or 'nothing'}")
            if self._began and stillness is not None and time.monotonic() - looked_s > STILLNESS_EVERY_S:
                looked_s = time.monotonic()
                self._judge(stillness)
            if not self._began and time.monotonic() - self._heard_s > READY_WITHIN_S:
                raise LabError(
                    f"{self._station.word} made no progress for {READY_WITHIN_S:.0f} s before the program began"
                )

    def _judge(self, stillness: Stillness) -> None:
        if (ranks := stillness.look()) is not None:
            self._output.pass_on(all_of_it=True)
            raise LabError(
                f"{ranks} used the processor for {stillness.patience_s:g} s while emulated time stood still. A program "
                "that waits by looking again and again (spinning) never ends in lab virtual: let it block or sleep "
                "while it waits, or use --lab host; if it only computes for so long, give --patience"
            )

    def _hear(self) -> bool:
        """Take what has come; whether the station has said that it ends."""
        ends = False
        for event in self._events.new():
            kind = event.pop("event")
            self._heard_s = time.monotonic()
            match kind:
                case "note":
                    self._say(event["text"])
                case "facts":
                    self.facts |= event
                case "began":
                    self._began = True
                case "ended":
                    self.document = event["document"]
                case "failed":
                    self._output.pass_on(all_of_it=True)
                    raise LabError(event["reason"])
            ends |= kind == "end"
        return ends
