"""Epoch times of a sweep's cells, for trials with the same algorithm: what the loss of an epoch is set against.

Training the numbers and measuring the time apart is exact in this: neither depends on the other. A cell's time per
step holds for a data set of any size, so that an epoch of a trial takes its own number of steps times that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from pathlib import Path
from typing import Any, Final, Self

from algorithms.algorithm import ALGORITHMS
from algorithms.decentralized import Decentralized
from testbed.cell import Cell
from testbed.errors import UserError
from testbed.results.run_folder import RunFolder
from testbed.specification import select
from testbed.training.trial import Trial
from testbed.workloads.workload import TIMELESS as TIMELESS_OF_WORKLOADS

# Options that no time depends on, or only that of the first epochs.
TIMELESS: Final = frozenset({"momentum", "weight_decay", "warmup_steps", "warmup_densities"})
_SHOWN: Final = (
    "lab", "topology", "arity", "bandwidth_bit_per_s", "trunk_bit_per_s", "latency_s", "jitter_s",
    "slow_start_after_idle", "straggler", "schedule", "compute_scale", "containers",
)  # fmt: skip

COMPOSED: Final = "composed"  # how an epoch's time came: of a sweep's steps; or measured, as the training took it
MEASURED: Final = "measured"

Time = dict[str, Any]  # of one cell: plain JSON values


class EpochTimes:
    """What a sweep measured."""

    def __init__(self, run: Path, rows: Sequence[tuple[Cell, Mapping[str, Any]]]) -> None:
        self.run = run
        self._rows = rows

    @classmethod
    def of_run(cls, path: Path, only: Sequence[str]) -> Self:
        """The cells of a sweep's run, or those that all of `only` keep; UserError where that is none."""
        run = RunFolder.existing(path)
        from testbed.results.table import row  # with pandas, which a mistake need not wait for

        cells = run.declared()
        chosen = select(cells, only) if only else cells
        rows = [(cell, row(cell, run.document(cell))) for cell in chosen]
        if not any(values["status"] == "ok" for _, values in rows):
            raise UserError(f"--times {path}: none of its cells that --only keeps was measured: run the sweep first")
        return cls(path, rows)

    def of(self, trial: Trial, steps_per_epoch: int) -> list[Time]:
        """Each measured cell with the trial's algorithm, and what an epoch of the trial takes there."""
        return [
            _time(cell, row, steps_per_epoch)
            for cell, row in self._rows
            if row["status"] == "ok" and not _differences(trial, cell)
        ]

    def why_none(self, trial: Trial) -> str:
        """Why no cell's time is the trial's: in what the most similar one differs."""
        alike = [cell for cell, _ in self._rows if not _differences(trial, cell)]
        if alike:
            return f"its cells in {self.run} have no times: see their reasons in `gradwire table {self.run}`"
        nearest = min((_differences(trial, cell) for cell, _ in self._rows), key=len)
        return f"no cell of {self.run} has its {' and '.join(nearest)}: measure one that has"


def _time(cell: Cell, row: Mapping[str, Any], steps_per_epoch: int) -> Time:
    """An epoch of a trial on a cell's network, in seconds, with its 95 % interval."""
    factor = steps_per_epoch / row["steps_per_epoch"]
    interval_s = row["epoch_ci95_s"] * factor
    return {
        **network_of(cell, row),
        "timing": COMPOSED,
        "faithful": row["faithful"],
        "epoch_s": row["epoch_s"] * factor,
        "epoch_ci95_s": None if interval_s != interval_s else interval_s,  # nan: too few repetitions
    }


def network_of(cell: Cell, row: Mapping[str, Any]) -> Time:
    """A cell's network in the columns of a training's table; `row`: the cell's in a sweep's."""
    shown = {key: row[key] for key in _SHOWN}
    return {"cell": cell.id, **shown, "packet_loss": cell.network.loss, "emulated_device": cell.device}


def _differences(trial: Trial, cell: Cell) -> list[str]:
    """The keys in which a cell is not the trial, of those that its time depends on."""
    pairs: dict[str, tuple[object, object]] = {
        "workload": (trial.workload, cell.workload),
        "workload's options": (
            _timely(trial.workload_options, TIMELESS_OF_WORKLOADS),
            _timely(cell.workload_options, TIMELESS_OF_WORKLOADS),
        ),
        "algorithm": (trial.algorithm, cell.algorithm),
        "algorithm's options": (_timely(trial.algorithm_options, TIMELESS), _timely(cell.algorithm_options, TIMELESS)),
        "codec": (trial.codec, cell.codec),
        "codec's options": (dict(trial.codec_options), dict(cell.codec_options)),
        "workers": (trial.workers, cell.network.workers),
        "batch_size": (trial.batch_size, cell.batch_size),
    }
    if issubclass(ALGORITHMS.find(trial.algorithm), Decentralized):
        pairs["graph"] = (trial.graph, cell.graph)
    return [key for key, (own, others) in pairs.items() if own != others]


def _timely(options: Mapping[str, Any], timeless: Set[str]) -> dict[str, Any]:
    return {key: value for key, value in options.items() if key not in timeless}
