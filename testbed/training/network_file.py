"""The key `network` of a training file: a sweep file's own keys, less what the training says already."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from pydantic import Field, model_validator

from testbed.cell import Cell
from testbed.errors import UserError
from testbed.specification.choices import AlgorithmChoice, CodecChoice, PartitionChoice, StepsChoice, WorkloadChoice
from testbed.specification.expansion import cell_at
from testbed.specification.plan import checked
from testbed.specification.sweep_file import Block
from testbed.specification.values import Axis, Latency, Rate
from testbed.training.trial import Trial

KEYS: Final = (
    "lab", "containers", "topology", "bandwidth", "trunk", "latency", "jitter", "loss", "queue",
    "slow_start_after_idle", "device", "compute_scale", "straggler",
)  # fmt: skip


class NetworkChoice(Block):
    """`{bandwidth: 20 Mbit/s, latency: 5 ms}`, and more of a sweep file's keys."""

    bandwidth: Axis[Rate] = Field(description="rate of every link, in each direction")
    latency: Axis[Latency] = Field(description="round trip that the links' delays add between two neighbouring workers")

    @model_validator(mode="before")
    @classmethod
    def _has_keys_of_networks(cls, values: Any) -> Any:
        given = values if isinstance(values, Mapping) else {}
        if others := [key for key in given if key in cls.model_fields and key not in KEYS]:
            raise ValueError(f"has {others[0]}, which is no network's: its keys are {', '.join(KEYS)}")
        return values


def networks(choice: NetworkChoice) -> Iterator[Mapping[str, Any]]:
    """The product of a mapping's lists; None for a key without values. UserError for one that none can use."""
    if choice.trunk and all(topology.name != "tree" for topology in choice.topology):
        raise UserError("network.trunk is given, but only a tree has links between switches: remove it")
    values = {key: getattr(choice, key) for key in KEYS}
    for combination in itertools.product(*(axis or [None] for axis in values.values())):
        yield dict(zip(values, combination, strict=True))


def cell_of(trial: Trial, network: Mapping[str, Any], lab_when_auto: Callable[[], str]) -> Cell:
    """The cell that trains a trial on one of `networks`, but for its `training`.

    UserError or ValueError for what cannot be.
    """
    if trial.device != "cpu":
        raise UserError(
            f"device is {trial.device}, but with a network workers compute where the network's lab and device say: "
            "remove it, or write it as network.device"
        )
    training = {
        "workers": trial.workers,
        "algorithm": AlgorithmChoice(name=trial.algorithm, **trial.algorithm_options),
        "codec": CodecChoice(name=trial.codec, **trial.codec_options),
        "graph": trial.graph,
        "workload": WorkloadChoice(name=trial.workload, **trial.workload_options),
        "batch_size": trial.batch_size,
        "partition": PartitionChoice(name=trial.partition, alpha=trial.alpha),
        "gradients": "live",
        "steps": StepsChoice.model_validate({}),
        "full_epoch": False,
        "seed": trial.seed,
        "schedule": (),
        "capture": False,
    }
    return checked(cell_at({**network, **training}, lab_when_auto))
