"""A process that trains trials beside others: they come on its input, and on its output it says what becomes of them.

Started as `python -m testbed.training.job FOLDER SESSION THREADS`. A line of input is a trial, or STOP: the one under
way is then kept as it stands. A line of output is a word and a text, as JSON. The process ends with its input, and so
with whoever writes that, also after kill -9.
"""

from __future__ import annotations

import json
import os
import queue
import sys
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from testbed.errors import LabError
from testbed.training.folder import TrainingFolder
from testbed.training.session import Session
from testbed.training.trial import Trial

STOP: Final = "stop"
SAY, SHOW, FAULT, ENDED = "say", "show", "fault", "ended"

Tell = Callable[[str, str], None]


def main(folder: str, session: str, threads: str) -> None:
    """Train what comes until nothing can come any more."""
    tell = _teller()
    stop = threading.Event()
    trials: queue.SimpleQueue[Trial] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(sys.stdin, stop, trials), daemon=True).start()
    kept = Session(
        TrainingFolder(Path(folder)),
        int(session),
        stop,
        say=lambda text: tell(SAY, text),
        show=lambda text: tell(SHOW, text),
        threads=int(threads),
    )
    while True:
        _train(kept, trials.get(), tell)


def _train(session: Session, trial: Trial, tell: Tell) -> None:
    try:
        session.train(trial)
    except LabError as error:
        tell(FAULT, str(error))
    tell(ENDED, "")


def _listen(lines: Iterable[str], stop: threading.Event, trials: queue.SimpleQueue[Trial]) -> None:
    for line in lines:
        if line.strip() == STOP:
            stop.set()
        else:
            trials.put(Trial.from_json(json.loads(line)))
    os._exit(0)  # nobody is left to train for: what is under way goes on from its checkpoint


def _teller() -> Tell:
    """Writes to what is standard output now; what libraries print from here on goes to standard error."""
    output = os.fdopen(os.dup(sys.stdout.fileno()), "w", buffering=1)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())

    def tell(word: str, text: str) -> None:
        try:
            output.write(json.dumps([word, text]) + "\n")
        except BrokenPipeError:
            os._exit(0)

    return tell


if __name__ == "__main__":
    main(*sys.argv[1:])
