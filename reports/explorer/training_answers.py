"""What a training answers, in sentences: what each system ends with, and who is there first on a network."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean

from reports.convergence import AS_FAST
from reports.emulated import Emulated, epochs_until, network_text
from reports.quantities import TIMES, seconds_text
from reports.systems import System
from reports.training import Training, over_seeds
from reports.view import Interval, Network

LOSS = "training loss"
NEAR = AS_FAST.high  # times a loss, within which papers' claims count losses as equal


def answers(training: Training, timed: Sequence[Emulated]) -> list[str]:
    """Sentences about a training and the networks that it has times of, the one that says most first."""
    ended = {system: over_seeds(losses) for system in training.systems if _ended(losses := _lasts(training, system))}
    if not ended:
        return [f"Of {training.name} no system has ended, so that nothing can be said.", *_diverged(training)]
    best = min(ended, key=lambda system: ended[system].value)
    found = [_first_there(shown, network, len(timed) > 1) for shown in timed for network in shown.epoch_s]
    faster = [sentence for _, sentence in sorted((one for one in found if one), key=lambda one: -one[0])]
    return [*faster[:1], _lowest(training, ended, best), *_metric(training), *_diverged(training), *faster[1:]]


def _lasts(training: Training, system: System) -> list[float]:
    """The training loss of each seed's last epoch; infinite where it diverged, nan where it has not ended."""
    course = training.courses[system]
    return [course.last(seed, "train_loss") if seed in course.status else math.nan for seed in training.seeds]


def _ended(losses: Sequence[float]) -> bool:
    return bool(losses) and all(math.isfinite(loss) for loss in losses)


def _lowest(training: Training, ended: dict[System, Interval], best: System) -> str:
    also = [system.label for system in ended if system != best and ended[system].overlaps(ended[best])]
    ties = f"; so may {', '.join(also)}, whose seeds overlap" if also else ""
    return f"On {training.name}, {best.label} ends with the lowest {LOSS}, {_range(training, ended[best])}{ties}."


def _metric(training: Training) -> list[str]:
    """The metric of every system in its last epoch, where it was evaluated."""
    name = "/".join(training.facts["metric_name"])
    found = {
        system: over_seeds([training.courses[system].last(seed, "metric") for seed in training.seeds])
        for system in training.systems
        if set(training.seeds) <= training.courses[system].status.keys()
    }
    words = [f"{system.label} {value.value:.3g}" for system, value in found.items() if math.isfinite(value.value)]
    return [f"Held-out {name or 'metric'} at the end, mean over seeds: {', '.join(words)}."] if words else []


def _diverged(training: Training) -> list[str]:
    counts = {
        system.label: (len(course.diverged), len(course.status))
        for system, course in training.courses.items()
        if course.diverged
    }
    return [f"{label} diverged in {some} of {all_} seeds." for label, (some, all_) in counts.items()]


def _first_there(shown: Emulated, network: Network, several: bool) -> tuple[float, str] | None:
    """How many times as fast, and who, is first on a network at about the loss with which allreduce in fp32 ends."""
    training = shown.training
    base = training.of("allreduce", "fp32")
    if base is None or base not in shown.epoch_s[network] or not _ended(_lasts(training, base)):
        return None
    times = _times(shown, network, [NEAR * loss for loss in _lasts(training, base)])
    base_s = times.pop(base)
    where = f"On {shown.name if several else training.name}, at {network_text(network)}, "
    goal = f"{NEAR:g}{TIMES} the {LOSS} that {base.label} ends with"
    if not times or min(times.values()) >= base_s:
        return 1.0, where + f"nothing is sooner than {base.label} at {goal}."
    best = min(times, key=lambda system: times[system])
    times_s = f"{seconds_text(times[best])}, {base.label} in {seconds_text(base_s)}"
    return base_s / times[best], where + f"{best.label} is at {goal} in {times_s}."


def _times(shown: Emulated, network: Network, goals: Sequence[float]) -> dict[System, float]:
    """Mean seconds until each seed's goal, of the systems all of whose seeds get there."""
    training, found = shown.training, {}
    for system, epoch_s in shown.epoch_s[network].items():
        course = training.courses[system]
        epochs = [epochs_until(course, seed, goal) for seed, goal in zip(training.seeds, goals, strict=True)]
        if all(math.isfinite(count) for count in epochs):
            found[system] = epoch_s.value * fmean(epochs)
    return found


def _range(training: Training, interval: Interval) -> str:
    count = len(training.seeds)
    if count < 2:
        return f"{interval.value:.3g}"
    return f"{interval.value:.3g} ({interval.low:.3g} to {interval.high:.3g} over {count} seeds)"
