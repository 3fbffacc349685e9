"""A trial: one training of a training file, resolved, and the identity under which its records are kept."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from testbed.cache import content_key
from testbed.cell import Cell, WholeTraining
from testbed.training.rate import RateSchedule

DIVERGENCE = 1000.0  # many times what even codecs that spoil a training add to its loss


@dataclass(frozen=True, kw_only=True)
class Trial:
    """All that the numbers of a training depend on. Equal trials have equal `id`s, whatever file declared them."""

    workload: str
    workload_options: Mapping[str, Any] = field(default_factory=dict)
    algorithm: str
    algorithm_options: Mapping[str, Any] = field(default_factory=dict)  # momentum and weight decay among them
    codec: str
    codec_options: Mapping[str, Any] = field(default_factory=dict)
    graph: str
    workers: int
    batch_size: int  # per worker
    epochs: int
    partition: str
    alpha: float | None = None  # of partition dirichlet
    seed: int  # of the first parameters, of the order of samples, and of what codecs draw
    rate: RateSchedule
    clip_norm: float | None = None  # local gradients that are longer are scaled to it
    density_warmup: tuple[float, ...] = ()  # densities of the first epochs, of algorithms that have them
    evaluate_every: int = 1  # epochs
    divergence: float = DIVERGENCE  # times the first step's loss, above which a training has diverged
    device: str = "cpu"  # cpu | cuda, of this machine
    network: Cell | None = None  # a lab's cell that trains it, but for its `training`; None: in one process

    def to_json(self) -> dict[str, Any]:
        """The trial as plain JSON values; `from_json` restores an equal one. Without a network it has no such key."""
        plain = dataclasses.asdict(dataclasses.replace(self, network=None))
        rate = plain["rate"] | {"drops_after": list(self.rate.drops_after)}
        network = {} if self.network is None else {"network": self.network.to_json()}
        del plain["network"]
        return plain | {"rate": rate, "density_warmup": list(self.density_warmup)} | network

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Trial:
        """The trial that `to_json` wrote."""
        rate = dict(values["rate"]) | {"drops_after": tuple(values["rate"]["drops_after"])}
        restored: dict[str, Any] = {"rate": RateSchedule(**rate), "density_warmup": tuple(values["density_warmup"])}
        if "network" in values:
            restored["network"] = Cell.from_json(values["network"])
        return cls(**dict(values) | restored)

    @property
    def alone(self) -> Trial:
        """The same training in one process: the same losses."""
        return dataclasses.replace(self, network=None)

    def cell(self, after_epochs: int = 0, checkpoint: str | None = None) -> Cell:
        """The cell that trains it; for a trial with a network. Where it goes on, `checkpoint` has what there is."""
        assert self.network is not None
        training = WholeTraining(trial=self.alone.to_json(), after_epochs=after_epochs, checkpoint=checkpoint)
        return dataclasses.replace(self.network, training=training)

    @property
    def id(self) -> str:
        """Sixteen hexadecimal digits of the trial's content: the name of its files.

        Of a network it has the cell's, which keeps its own when cells come to have more keys.
        """
        network = {} if self.network is None else {"network": self.network.id}
        return content_key(json.dumps(self.alone.to_json() | network, sort_keys=True))


def describe(trial: Trial) -> str:
    """A trial in one line: `resnet20, 8 workers, dcd-psgd qsgd, rate 0.1, seed 1`."""
    from testbed.specification.wording import describe_network  # with the sweep file, which workers do not need

    words = [trial.workload, f"{trial.workers} workers", f"{trial.algorithm} {trial.codec}"]
    words += [] if trial.partition == "partitioned" else [trial.partition]
    words += [] if trial.network is None else [describe_network(trial.network)]
    return ", ".join([*words, f"rate {trial.rate.rate:g}", f"seed {trial.seed}"])
