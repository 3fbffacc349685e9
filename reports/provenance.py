"""Where a figure comes from, in one line: for its foot."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reports.quantities import TIMES, printable
from reports.view import View


def line(view: View, provenance: Mapping[str, Any]) -> str:
    """Run, lab, workload and data set, device and whether it was measured, workers, batch, commit, date."""
    setting = view.setting
    kind = "/".join(view.facts["device_kind"]) or "kind unknown"
    datasets = "/".join(view.facts["dataset"]) or "unknown data"
    gradients = "/".join(view.facts["gradients"])
    parts = [
        f"run {run_name(provenance)}",
        f"{setting['lab']} lab",
        f"{setting['workload']} on {datasets}" + (f", {gradients} gradients" if gradients else ""),
        f"device {setting['device']} ({kind}), compute {TIMES}{setting['compute_scale']:g}",
        f"{setting['workers']} workers, batch {'/'.join(view.facts['batch_size']) or 'unknown'} each",
        _commit(provenance),
        str(provenance.get("date") or "date unknown"),
    ]
    return printable(" | ".join(parts))


def page_line(provenance: Mapping[str, Any]) -> str:
    """The run's name, commit and date, for a page's foot."""
    parts = [
        "Gradwire",
        f"run {run_name(provenance)}",
        _commit(provenance),
        str(provenance.get("date") or ""),
    ]
    return printable(" | ".join(part for part in parts if part))


def run_name(provenance: Mapping[str, Any]) -> str:
    """The run's name."""
    return printable(provenance.get("name") or "unnamed")


def _commit(provenance: Mapping[str, Any]) -> str:
    """The program's commit, and whether its files had been changed since."""
    changed = " with changes" if provenance.get("git_dirty") else ""
    return f"commit {str(provenance.get('git_commit') or 'unknown')[:12]}{changed}"
