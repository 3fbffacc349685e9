"""A trial that workers on an emulated network train: what they lost and counted is heard, and the rest is as ever."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from testbed.session.whole_training import worker_file
from testbed.training import kept
from testbed.training.trainer import Taken, Trainer


class Received(Trainer):
    """Takes the steps of an epoch that was heard of, whose last models it has from its first step on."""

    def hear(self, epoch: int, document: Mapping[str, Any], folder: Path) -> None:
        """An epoch, counted from 1, is over: testbed.session.whole_training's document, and a file of each worker."""
        self._first_step = (epoch - 1) * self.steps_per_epoch
        self._document = document
        files = (worker_file(folder, rank) for rank in range(self.trial.workers))
        self.restore(kept.together([kept.unpacked(file.read_bytes()) for file in files]))

    def step(self, step: int) -> Taken:
        """What happened in a step, counted from 0, of the epoch that was heard of last."""
        place = step - self._first_step
        return Taken(
            losses=self._document["losses"][place],
            handed_bytes=self._document["handed_bytes"][place],
            coded_bytes=self._document["coded_bytes"][place],
            coded_components=self._document["coded_components"][place],
            delta={},
        )
