"""A run as a table: one row per declared cell, finished, failed or missing, in SI units."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pandas as pd

from testbed.cell import Cell
from testbed.errors import UserError
from testbed.results import atomic
from testbed.results.gap import spectral_gap
from testbed.results.limits import limit, overrun_share
from testbed.results.run_folder import RunFolder
from testbed.results.spread import (
    epochs_from_steps,
    epochs_measured,
    half_interval,
    mean_over_steps,
    steps_per_epoch,
)
from testbed.results.timeline import missed, timeline
from testbed.specification.wording import describe_schedule, describe_straggler

PARTS: Final = ("step", "compute", "encode", "communicate", "decode", "apply")
FORMATS: Final = ("csv", "parquet", "markdown")
NONE: Final = "none"  # no straggler, no schedule, no options of the workload
_LISTS: Final = ("timeline", "epochs_s")  # JSON, too long for a document
# Columns of numbers, which a row without a result leaves empty (nan).
_NUMBERS: Final = (
    "steps_measured",
    "repetitions",
    "warmup_steps",
    "steps_per_epoch",
    "epoch_s",
    "epoch_ci95_s",
    *(f"{part}_s" for part in PARTS),
    "wire_bytes_per_step",
    "declared_bytes_per_step",
    "handed_bytes_per_step",
    "socket_bytes_per_step",
    "mpi_header_bytes_per_step",
    "unexplained_bytes_per_step",
    "rtt_probe_s",
    "rtt_expected_s",
    "goodput_probe_bit_per_s",
    "goodput_expected_bit_per_s",
    "samples",
    "parameters",
    "changes_missed",
    "overrun_share",
    "emulated_s",
    "wall_s",
)


def table(run: RunFolder) -> pd.DataFrame:
    """One row per declared cell, in the order of declaration. LabError where a document is damaged."""
    return pd.DataFrame([row(cell, run.document(cell)) for cell in run.declared()])


def row(cell: Cell, document: Mapping[str, Any] | None) -> dict[str, Any]:
    """A cell's row: what was declared, then what was measured.

    `status` is ok, failed, saturated, overrun or missing.
    """
    nothing: dict[str, Any] = dict.fromkeys(_NUMBERS, math.nan) | dict.fromkeys(
        ("dataset", "device_kind", "profile_digest", "faithful", "settled")
    )
    nothing |= {"timeline": "", "epochs_s": ""}
    if document is None:
        result = nothing | {"status": "missing", "reason": "not measured yet"}
    elif document["status"] == "failed":
        result = nothing | {"status": "failed", "reason": document["reason"]}
    elif limited := limit(cell, document):  # what is measured is not the network's, so the row has no numbers
        result = nothing | dict(zip(("status", "reason"), limited, strict=True))
    else:
        result = nothing | _measured(cell, document)
    result["session"] = (document or {}).get("session", math.nan)
    return _declared(cell) | result


def _declared(cell: Cell) -> dict[str, Any]:
    """The cell's own columns. Options are JSON text, and what is a list is in words, for every format can hold text."""
    own = cell.to_json()
    network = {key: value for key, value in own["network"].items() if key != "own_links"}
    options = {
        key: json.dumps(own[key], sort_keys=True) if own[key] else "" for key in ("algorithm_options", "codec_options")
    }
    same = ("algorithm", "codec", "graph", "workload", "batch_size", "device", "compute_scale", "gradients",
            "full_epoch", "seed", "capture", "partition", "alpha")  # fmt: skip
    slow = {"straggler": describe_straggler(cell) or NONE, "schedule": describe_schedule(cell.schedule) or NONE}
    return {
        "cell": cell.id,
        "lab": cell.lab,
        "containers": NONE if cell.containers is None else cell.containers.words,
        **network,
        **{key: own[key] for key in same},
        "spectral_gap": spectral_gap(cell.algorithm, cell.graph, cell.network.workers),
        "workload_options": json.dumps(own["workload_options"], sort_keys=True) if own["workload_options"] else NONE,
        **options,
        **slow,
    }


def _measured(cell: Cell, document: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "status": document["status"],
        "reason": document["reason"],
        "warmup_steps": document["warmup"]["steps"],
        "settled": document["warmup"]["settled"],
        **_times(cell, document),
        **_bytes(document["bytes"]),
        **_probe(document["probe"]),
        "dataset": document["workload"]["dataset"],
        "samples": document["workload"]["samples"],
        "parameters": document["workload"]["parameters"],
        "device_kind": document["profile"]["kind"],
        "profile_digest": document["profile"]["digest"],
        "changes_missed": missed(document),
        "timeline": timeline(cell, document),
        "overrun_share": overrun_share(document),
        "emulated_s": document["emulated_s"],
        "wall_s": document["wall_s"],
    }


def _times(cell: Cell, document: Mapping[str, Any]) -> dict[str, Any]:
    """Epoch with its interval over repetitions, each repetition's as JSON, and the mean step with its parts."""
    repetitions = document["repetitions"]
    step_s = [repetition["step_s"] for repetition in repetitions]
    in_epoch = steps_per_epoch(document["workload"]["samples"], cell.network.workers, cell.batch_size)
    epochs_s = epochs_measured(step_s) if cell.full_epoch else epochs_from_steps(step_s, in_epoch)
    parts = {f"{part}_s": mean_over_steps([repetition[f"{part}_s"] for repetition in repetitions]) for part in PARTS}
    return {
        "steps_measured": sum(len(steps) for steps in step_s),
        "repetitions": len(repetitions),
        "steps_per_epoch": in_epoch,
        "epoch_s": sum(epochs_s) / len(epochs_s),
        "epoch_ci95_s": half_interval(epochs_s),
        "epochs_s": json.dumps(epochs_s),
        **parts,
    }


def _bytes(counted: Mapping[str, Any]) -> dict[str, Any]:
    kinds = ("wire", "declared", "handed", "socket", "mpi_header")
    columns = {f"{kind}_bytes_per_step": counted[f"{kind}_per_step"] for kind in kinds}
    return columns | {"unexplained_bytes_per_step": counted["interface"]["unexplained"]}


def _probe(probe: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "rtt_probe_s": probe["rtt_s"],
        "rtt_expected_s": probe["rtt_expected_s"],
        "goodput_probe_bit_per_s": probe["goodput_bit_per_s"],
        "goodput_expected_bit_per_s": probe["goodput_expected_bit_per_s"],
        "faithful": probe["faithful"],
    }


def export(frame: pd.DataFrame, kind: str) -> bytes:
    """The table as a file of one of `FORMATS`; as markdown, without the lists."""
    if kind not in FORMATS:
        raise UserError(f"format is {kind!r}, must be one of {', '.join(FORMATS)}")
    if kind == "parquet":
        content = io.BytesIO()
        frame.to_parquet(content, index=False)
        return content.getvalue()
    text = frame.to_csv(index=False) if kind == "csv" else _markdown(frame.drop(columns=list(_LISTS), errors="ignore"))
    return text.encode()


def write_parquet(frame: pd.DataFrame, path: Path) -> None:
    """The table in the run folder, whole or not at all."""
    atomic.write_bytes(path, export(frame, "parquet"))


def _markdown(frame: pd.DataFrame) -> str:
    """A table for a document: six significant digits, `|` escaped, empty for what is not known."""
    rows = [list(frame.columns), ["---"] * len(frame.columns)]
    rows += [[_cell_text(value) for value in values] for values in frame.itertuples(index=False)]
    return "".join(f"| {' | '.join(values)} |\n" for values in rows)


def _cell_text(value: Any) -> str:
    if value is None or value != value:  # nan is the one value that differs from itself
        return ""
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return " ".join(text.replace("|", "\\|").split())
