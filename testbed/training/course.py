"""The course of a trial: steps become epochs, with what was lost, sent and reached in each, until its end."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from testbed.training.trainer import Taken, Trainer
from testbed.workloads.gradients import DivergedError

FLOAT32_BITS = 32.0

Record = dict[str, Any]  # of one epoch: plain JSON values


@dataclass
class Sums:
    """Of the epoch under way."""

    steps: int = 0
    loss: float = 0.0  # of the means over workers
    handed_bytes: list[int] = field(default_factory=list)  # by worker
    coded_bytes: int = 0
    coded_components: int = 0
    delta: dict[str, float | None] = field(default_factory=dict)  # of the last step that has one

    def add(self, taken: Taken) -> None:
        """One step more."""
        self.steps += 1
        self.loss += _mean(taken.losses)
        self.handed_bytes = [
            so_far + now
            for so_far, now in zip(self.handed_bytes or [0] * len(taken.losses), taken.handed_bytes, strict=True)
        ]
        self.coded_bytes += taken.coded_bytes
        self.coded_components += taken.coded_components
        self.delta = dict(taken.delta)

    @property
    def bits_per_component(self) -> float | None:
        """Of what codecs made; 32 where values are sent as they are, None where it is not known."""
        if not self.coded_components:
            return FLOAT32_BITS
        return 8 * self.coded_bytes / self.coded_components if self.coded_bytes else None


class Course:
    """A trial on its way, a step at a time.

    Attributes:
        step: steps taken.
        epochs: a record of each epoch that is over.
        diverged: the epoch in which it ended early, after how many steps, and why; None while it did not.
    """

    def __init__(self, trainer: Trainer, saved: Mapping[str, Any] | None = None) -> None:
        """`saved` is another course's `save`, to go on from."""
        self._trainer = trainer
        self._trial = trainer.trial
        self.step = 0
        self.epochs: list[Record] = []
        self.diverged: dict[str, Any] | None = None
        self._sums = Sums()
        self._first_loss: float | None = None
        if saved is not None:
            self.step, self.epochs, self._first_loss = saved["step"], list(saved["epochs"]), saved["first_loss"]
            self._sums = Sums(**saved["sums"])
            trainer.restore(saved["trainer"])

    @property
    def steps(self) -> int:
        """Of the whole trial."""
        return self._trial.epochs * self._trainer.steps_per_epoch

    @property
    def is_over(self) -> bool:
        """Whether no step is left to take."""
        return self.diverged is not None or self.step == self.steps

    def save(self) -> dict[str, Any]:
        """All that the next step and the records depend on: tensors and plain values, no copies."""
        return {
            "step": self.step,
            "epochs": self.epochs,
            "first_loss": self._first_loss,
            "sums": dataclasses.asdict(self._sums),
            "trainer": self._trainer.save(),
        }

    def advance(self) -> bool:
        """Take a step; whether an epoch, or the trial, ended with it."""
        try:
            taken = self._trainer.step(self.step)
            self._require_bounded(_mean(taken.losses))
            self.step += 1
            self._sums.add(taken)
            if self.step % self._trainer.steps_per_epoch:
                return False
            self.epochs.append(self._record())
        except DivergedError as error:
            self.diverge(str(error))
        self._sums = Sums()
        return True

    def diverge(self, reason: str) -> None:
        """The trial ends in the epoch under way."""
        self.diverged = {"epoch": len(self.epochs) + 1, "step": self.step, "reason": reason}

    def _require_bounded(self, loss: float) -> None:
        """DivergedError for a loss that is not finite, or far above the first."""
        first = self._first_loss = loss if self._first_loss is None else self._first_loss
        if not math.isfinite(loss):
            raise DivergedError(f"the loss of step {self.step + 1} is {loss}")
        if loss > self._trial.divergence * first:
            raise DivergedError(
                f"the loss of step {self.step + 1} is {loss:.3g}, above {self._trial.divergence:g} times that of the "
                f"first step, {first:.3g}"
            )

    def _record(self) -> Record:
        epoch, sums = len(self.epochs) + 1, self._sums
        record: Record = {
            "epoch": epoch,
            "step": self.step,
            "rate": self._trial.rate.at(self.step - 1, self._trainer.steps_per_epoch),
            "train_loss": sums.loss / sums.steps,
            "held_out_loss": None,
            "metric": None,
            "consensus_distance": None,
            "handed_bytes": sums.handed_bytes,
            "bits_per_component": sums.bits_per_component,
            "delta": sums.delta,
        }
        if epoch % self._trial.evaluate_every == 0 or self.step == self.steps:
            record |= self._standing()
        return record

    def _standing(self) -> Record:
        standing = self._trainer.standing()
        evaluation = standing.evaluation
        values = {
            "held_out_loss": evaluation.loss,
            "metric": evaluation.metric,
            "consensus_distance": standing.consensus_distance,
        }
        for name, value in values.items():
            if not math.isfinite(value):
                raise DivergedError(f"the {name.replace('_', ' ')} after step {self.step} is {value}")
        return values


def _mean(losses: Sequence[float]) -> float:
    return math.fsum(losses) / len(losses)
