"""Speed-ups over allreduce against the number of workers: the views of a run that differ in nothing else."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from reports.quantities import TIMES, printable
from reports.systems import System
from reports.view import NOTHING, Interval, Network, View, views


@dataclass(frozen=True, kw_only=True)
class Scaling:
    """Views by their numbers of workers, equal in everything else."""

    setting: Mapping[str, Any]  # without workers
    views: Mapping[int, View]

    @property
    def name(self) -> str:
        """Workload and compute time, in words."""
        kinds = dict.fromkeys(kind for view in self.views.values() for kind in view.facts["device_kind"])
        device = f"{self.setting['device']} ({'/'.join(kinds) or 'kind unknown'})"
        return printable(f"{self.setting['workload']}, {device}, compute {TIMES}{self.setting['compute_scale']:g}")

    @property
    def basis(self) -> str:
        """What a judgement rests on whose numbers lie in their targets."""
        return next(iter(self.views.values())).basis

    @property
    def origin(self) -> Sequence[str]:
        """For a figure's foot; the numbers of workers are along its axis."""
        batches = dict.fromkeys(batch for view in self.views.values() for batch in view.facts["batch_size"])
        first = next(iter(self.views.values()))
        return [*first.origin[:-1], f"batch {'/'.join(batches)} each"]

    def speedup(self, workers: int, algorithm: str, network: Network) -> Interval:
        """Of the one system with that algorithm; nothing where the run has none, or none that was measured."""
        view = self.views.get(workers)
        system = view and self.system(view, algorithm)
        return view.speedup(system, network) if view and system else NOTHING

    @staticmethod
    def system(view: View, algorithm: str) -> System | None:
        """The one system of a view with that algorithm."""
        found = [system for system in view.systems if system.algorithm == algorithm]
        return found[0] if len(found) == 1 else None


def scalings(table: pd.DataFrame) -> list[Scaling]:
    """A run's views put together, in order of their settings."""
    found: dict[str, dict[int, View]] = defaultdict(dict)
    settings: dict[str, Mapping[str, Any]] = {}
    for view in views(table):
        setting = {key: value for key, value in view.setting.items() if key not in ("workers", "batch_size")}
        key = str(sorted(setting.items(), key=lambda item: item[0]))
        settings[key] = setting
        found[key][int(view.setting["workers"])] = view
    return [Scaling(setting=settings[key], views=dict(sorted(of.items()))) for key, of in found.items()]


@dataclass(frozen=True, kw_only=True)
class Together:
    """Several of them in one figure."""

    scalings: Sequence[Scaling]

    @property
    def origin(self) -> Sequence[str]:
        """For the figure's foot: all that they come from, each once."""
        return list(dict.fromkeys(part for scaling in self.scalings for part in scaling.origin))
