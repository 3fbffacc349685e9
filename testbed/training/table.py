"""A training as a table: one row per trial and epoch, or, with times, per trial, network and epoch; in SI units."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from testbed.results.gap import spectral_gap
from testbed.results.limits import limit
from testbed.training.folder import FAILED, TrainingFolder
from testbed.training.times import MEASURED, network_of
from testbed.training.trial import Trial

if TYPE_CHECKING:
    import pandas as pd

_OF_WORKLOAD: Final = ("dataset", "samples", "held_out_samples", "parameters")
_LOSSES: Final = ("rate", "train_loss", "held_out_loss", "metric", "consensus_distance", "bits_per_component")
_FORMULA: Final = "formula_bits_per_component"
_OF_BYTES: Final = ("handed_bytes_per_worker", "handed_bytes_most", "handed_bytes_so_far")
_OF_TIME: Final = (
    "cell", "lab", "containers", "topology", "arity", "bandwidth_bit_per_s", "trunk_bit_per_s", "latency_s",
    "jitter_s", "packet_loss", "slow_start_after_idle", "straggler", "schedule", "emulated_device", "compute_scale",
    "timing", "faithful", "epoch_s", "epoch_ci95_s", "emulated_s", "emulated_ci95_s",
)  # fmt: skip

Row = dict[str, Any]


def table(folder: TrainingFolder) -> pd.DataFrame:
    """All epochs of all trials, in the order of declaration; a row without numbers for what has none.

    LabError where a document is damaged.
    """
    import pandas as pd  # slow to import

    times = folder.times().get("trials", {})
    rows = [row for trial in folder.declared() for row in trial_rows(trial, folder, times.get(trial.id, ()))]
    return pd.DataFrame(rows)


def trial_rows(trial: Trial, folder: TrainingFolder, times: Sequence[Mapping[str, Any]]) -> Iterator[Row]:
    """A trial's rows: its epochs, and the one that it diverged in; once for each of `times`."""
    record = folder.record(trial)
    whole = _declared(trial) | _standing(record, folder.failure(trial))
    if trial.network is not None:
        on_network = _on_network(trial, record)
        for epoch in _epochs(record):
            yield whole | epoch | on_network(epoch["epoch"])
        return
    for time in times or ({},):
        for epoch in _epochs(record):
            yield whole | epoch | _timed(time, epoch["epoch"])


def _on_network(trial: Trial, record: Mapping[str, Any] | None) -> Callable[[int], Row]:
    """The network's columns of a trial's epoch, by its number, and the times that it measured of it."""
    from testbed.results.table import row  # with pandas

    cell = trial.cell()
    found = record.get("network") if record else None
    steps = record["steps_per_epoch"] if record else 1
    epochs = {epoch["epoch"]: epoch for epoch in record["epochs"]} if record else {}
    of_steps = [{"step_s": [epoch["epoch_s"] / steps]} for epoch in epochs.values()]
    limited = limit(cell, {**found, "repetitions": of_steps}) if found and of_steps else None
    time = network_of(cell, row(cell, None)) | {
        "timing": limited[0] if limited else MEASURED,
        "faithful": found["probe"]["faithful"] if found else None,
    }

    def columns(number: int) -> Row:
        known = {} if limited else epochs.get(number, {})
        nothing = dict.fromkeys(("epoch_ci95_s", "emulated_ci95_s"), math.nan)
        own = {key: known.get(key, math.nan) for key in ("epoch_s", "emulated_s")}
        return {key: time.get(key) for key in _OF_TIME} | nothing | own

    return columns


def _declared(trial: Trial) -> Row:
    """The trial's own columns; options are JSON text, for every format can hold text."""
    own = trial.alone.to_json()
    options = ("workload_options", "algorithm_options", "codec_options", "rate", "density_warmup")
    texts = {key: json.dumps(own.pop(key), sort_keys=True) for key in options}
    renamed = {"rate_schedule": texts.pop("rate"), "epochs_declared": own.pop("epochs")}
    gap = spectral_gap(trial.algorithm, trial.graph, trial.workers)
    return {"trial": trial.id, **own, "spectral_gap": gap, **texts, **renamed}


def _standing(record: Mapping[str, Any] | None, failure: str | None) -> Row:
    """`status` is ok, diverged, failed, running or missing."""
    if record is None:
        missing: Row = dict.fromkeys(_OF_WORKLOAD, math.nan) | {"dataset": None, "metric_name": None}
        missing |= {"steps_per_epoch": math.nan, _FORMULA: math.nan, "status": "missing", "reason": "not trained yet"}
        return missing | ({} if failure is None else {"status": FAILED, "reason": failure})
    workload = record["workload"]
    return {
        **{key: workload[key] for key in _OF_WORKLOAD},
        "metric_name": workload["metric"],
        "steps_per_epoch": record["steps_per_epoch"],
        _FORMULA: record.get(_FORMULA, math.nan),  # younger than the first records
        "status": record["status"] if failure is None else FAILED,
        "reason": record["reason"] if failure is None else failure,
    }


def _epochs(record: Mapping[str, Any] | None) -> Iterator[Row]:
    so_far = 0.0
    for epoch in record["epochs"] if record else ():
        by_worker = epoch["handed_bytes"]
        mean = sum(by_worker) / len(by_worker)
        so_far += mean
        yield {
            "epoch": epoch["epoch"],
            "step": epoch["step"],
            **{key: math.nan if epoch[key] is None else epoch[key] for key in _LOSSES},
            **dict(zip(_OF_BYTES, (mean, max(by_worker), so_far), strict=True)),
            "delta": json.dumps(epoch["delta"]) if epoch["delta"] else "",
        }
    if record is None or record["diverged"] or not record["epochs"]:
        diverged = record["diverged"] if record and record["diverged"] else {"epoch": 0, "step": 0}
        nothing = dict.fromkeys((*_LOSSES, *_OF_BYTES), math.nan)
        yield {"epoch": diverged["epoch"], "step": diverged["step"], **nothing, "delta": ""}


def _timed(time: Mapping[str, Any], epochs: int) -> Row:
    """The network's columns, and when so many epochs are over. Their interval is the mean epoch's, which all share."""
    row: Row = {key: time.get(key) for key in _OF_TIME}
    for total, each in (("emulated_s", "epoch_s"), ("emulated_ci95_s", "epoch_ci95_s")):
        row[each] = math.nan if time.get(each) is None else time[each]
        row[total] = epochs * row[each]
    return row
