"""What a training recorded, against the emulated time of networks on which a sweep measured its epochs."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from reports.claims import Finding, Target, Untested
from reports.convergence import last_losses, require_off_chance
from reports.quantities import TIMES, bandwidth_text, latency_text, printable
from reports.systems import System
from reports.training import Course, Training, over_seeds, with_rows
from reports.view import Interval, Network, by_setting, phrase, plain

# What tells emulations apart; bandwidth and latency are a panel's.
SETTING = (
    "lab", "containers", "topology", "arity", "trunk_bit_per_s", "jitter_s", "packet_loss", "slow_start_after_idle",
    "straggler", "schedule", "emulated_device", "compute_scale",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Emulated:
    """A training, and what an epoch takes on each network of a sweep that are alike but for bandwidth and latency."""

    training: Training
    setting: Mapping[str, Any]
    varied: tuple[str, ...]  # the setting's keys in which those of the training differ
    epoch_s: Mapping[Network, Mapping[System, Interval]]

    @property
    def name(self) -> str:
        """The training's, and whatever else tells it from the table's others."""
        return ", ".join([self.training.name, *(phrase(key, self.setting[key]) for key in self.varied)])

    @property
    def basis(self) -> str:
        """What a judgement rests on whose numbers lie in their targets."""
        return self.training.basis

    @property
    def times(self) -> str:
        """Where epoch times are from, in words."""
        s = self.setting
        return printable(
            f"{s['lab']} lab, {s['topology']}, device {s['emulated_device']}, compute {TIMES}{s['compute_scale']:g}"
        )

    @property
    def origin(self) -> list[str]:
        """For a figure's foot."""
        return [*self.training.origin, f"times of epochs: {self.times}"]

    def epoch(self, system: System, network: Network) -> Interval:
        """The system's epoch there, in seconds; Untested without one."""
        if system not in self.epoch_s.get(network, {}):
            raise Untested(f"no time of {system.label} at {network_text(network)} was measured")
        return self.epoch_s[network][system]


def emulated(table: pd.DataFrame) -> list[Emulated]:
    """Every training of the table with every kind of network that it has times of."""
    found = []
    for training, rows in with_rows(table):
        timed = rows[rows["emulated_s"].notna()] if "emulated_s" in rows.columns else rows.iloc[:0]
        if timed.empty:
            continue
        groups, varied = by_setting(timed, [key for key in SETTING if key in timed.columns])
        found += [
            Emulated(training=training, setting=setting, varied=varied, epoch_s=_epochs(group))
            for setting, group in groups
        ]
    return found


def _epochs(group: pd.DataFrame) -> Mapping[Network, Mapping[System, Interval]]:
    """By network, the slower last within a latency."""
    found: dict[Network, dict[System, Interval]] = defaultdict(dict)
    for row in group.to_dict("records"):
        network = (plain(row["bandwidth_bit_per_s"]), plain(row["latency_s"]))
        value, half = row["epoch_s"], 0.0 if pd.isna(row["epoch_ci95_s"]) else row["epoch_ci95_s"]
        found[network][row["_system"]] = Interval(value, value - half, value + half)
    return {network: found[network] for network in sorted(found, key=lambda n: (n[1], -n[0]))}


def network_text(network: Network) -> str:
    """Its bandwidth and latency."""
    return f"{bandwidth_text(network[0])}, {latency_text(network[1])}"


def until(shown: Emulated, network: Network, ours: System, other: System, target: Target) -> Finding:
    """Our emulated time until the loss that the worse of the two ends with, over the other's; infinite if diverged."""
    training = shown.training
    require_off_chance(training, other)
    own_s, others_s = (shown.epoch(system, network).value for system in (ours, other))
    quotients = []
    for seed, *lasts in zip(training.seeds, last_losses(training, ours), last_losses(training, other), strict=True):
        own, others = (epochs_until(training.courses[system], seed, max(lasts)) for system in (ours, other))
        quotients.append(math.inf if math.isinf(max(lasts)) else own * own_s / (others * others_s))
    return Finding(f"time to the same loss, {ours.label} : {other.label}", network, over_seeds(quotients), target)


def epochs_until(course: Course, seed: int, loss: float) -> float:
    """Epochs until the training loss is not above `loss`, on straight lines between the ends of epochs; else nan."""
    last, above = 0, math.inf
    for epoch, value in sorted(course.values(seed, "train_loss").items()):
        if value <= loss:
            share = 1.0 if math.isinf(above) else (above - loss) / (above - value)
            return last + share * (epoch - last)
        last, above = epoch, value
    return math.nan


def speedup(shown: Emulated, network: Network, ours: System, other: System, target: Target) -> Finding:
    """How many times as long the other system takes for as many epochs."""
    ratio = shown.epoch(other, network).over(shown.epoch(ours, network))
    return Finding(f"speed-up of {ours.label} over {other.label}", network, ratio, target)
