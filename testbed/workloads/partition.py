"""Which samples each worker sees at each step: pure functions of the seed, registered by name."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from testbed.errors import UserError
from testbed.workloads.data.dataset import Dataset, Indices, Labels

DIRICHLET_ALPHA = 0.5  # between Hsu et al.'s 0.1, almost one class a worker, and 1; a choice


@dataclass(frozen=True, kw_only=True)
class Deal:
    """What is to be dealt out for one epoch.

    Attributes:
        samples: of the data set.
        labels: the class of each, int64 [samples]; None where they have none.
        workers: who get samples.
        steps: of the epoch.
        batch_size: samples per worker and step.
        seed: of the shuffles.
        epoch: counted from 0.
        alpha: of `dirichlet`.
    """

    samples: int
    labels: Labels | None
    workers: int
    steps: int
    batch_size: int
    seed: int
    epoch: int
    alpha: float

    @property
    def per_worker(self) -> int:
        """Samples of each worker in the epoch."""
        return self.steps * self.batch_size


Partition = Callable[[Deal], Indices]  # -> indices [workers, steps * batch size], a worker's batches one by one


def partitioned(deal: Deal) -> Indices:
    """Each epoch's shuffle is dealt out, no sample to two workers: independent, identically distributed."""
    shuffled = np.random.default_rng((deal.seed, deal.epoch)).permutation(deal.samples)
    # np.resize starts the shuffle again where the last step of the epoch would otherwise have short batches
    return np.resize(shuffled, (deal.per_worker, deal.workers)).T


def shared(deal: Deal) -> Indices:
    """Every worker draws from all the samples, by a shuffle of its own."""
    return np.stack([_shuffled(np.arange(deal.samples), deal, worker) for worker in range(deal.workers)])


def by_label(deal: Deal) -> Indices:
    """Sorted by class and cut into equal parts, one for each worker and for good: the hardest case.

    Tang 2018 and others call it unshuffled data. A worker shuffles its own part every epoch.
    """
    labels = _labels(deal)
    order = np.random.default_rng(deal.seed).permutation(deal.samples)
    order = order[np.argsort(labels[order], kind="stable")]
    parts = np.array_split(order, deal.workers)
    return np.stack([_shuffled(part, deal, worker) for worker, part in enumerate(parts)])


def dirichlet(deal: Deal) -> Indices:
    """Every worker has a mixture of classes of its own, drawn from Dirichlet(alpha), and equally many samples.

    Hsu et al. 2019, arXiv:1909.06335, section 3.1. Each sample goes to one worker, for good: who comes last, in
    a random order, takes what is left. A worker shuffles its own part every epoch.
    """
    parts = _mixtures(_labels(deal), deal.workers, deal.alpha, np.random.default_rng(deal.seed))
    return np.stack([_shuffled(part, deal, worker) for worker, part in enumerate(parts)])


def streams(deal: Deal) -> Indices:
    """Every row of every worker's batches reads a stretch of its own, one sample after the other, from the same start
    in every epoch; the last ones go on at the beginning of the data where these do not divide evenly.
    """
    rows = np.arange(deal.workers * deal.batch_size).reshape(deal.workers, 1, deal.batch_size)
    steps = np.arange(deal.steps).reshape(1, -1, 1)
    # [workers, steps, batch size] -> [workers, steps * batch size]
    return ((rows * deal.steps + steps) % deal.samples).reshape(deal.workers, -1)


def shared_streams(deal: Deal) -> Indices:
    """As `streams`, but every row begins anywhere in the data, drawn anew for every epoch."""
    random = np.random.default_rng((deal.seed, deal.epoch))
    starts = random.integers(deal.samples, size=(deal.workers, 1, deal.batch_size))
    steps = np.arange(deal.steps).reshape(1, -1, 1)
    return ((starts + steps) % deal.samples).reshape(deal.workers, -1)


SHARED = "shared"
PARTITIONS: dict[str, Partition] = {
    "partitioned": partitioned,
    SHARED: shared,
    "sorted": by_label,
    "dirichlet": dirichlet,
}
STREAMS: dict[str, Partition] = {"partitioned": streams, SHARED: shared_streams}  # of consecutive samples


OF_CLASSES = ("sorted", "dirichlet")  # by the samples' classes, which not every data set has


def alpha_of(partition: str, alpha: float | None) -> float | None:
    """The concentration of `dirichlet`, by default 0.5; None of another partition, which UserError says has none."""
    if partition == "dirichlet":
        return DIRICHLET_ALPHA if alpha is None else alpha
    if alpha is not None:
        raise UserError(f"partition: alpha is {alpha:g}, but {partition} has none: remove it, or choose dirichlet")
    return None


class Batches:
    """Every worker's batches, full ones only; an epoch has ceil(samples / (workers * batch size)) steps.

    Args:
        dataset: whose samples are dealt out; only their number and labels are looked at.
        workers: number of workers, at least 1.
        batch_size: samples per worker and step, at least 1.
        seed: of the shuffles.
        partition: a name in `PARTITIONS`.
        alpha: concentration of partition `dirichlet`, above 0: small ones make workers differ; None: its default.
    """

    def __init__(
        self,
        dataset: Dataset,
        *,
        workers: int,
        batch_size: int,
        seed: int,
        partition: str = "partitioned",
        alpha: float | None = None,
    ) -> None:
        if workers < 1 or batch_size < 1:
            raise UserError(f"workers and batch_size must be at least 1, got {workers} and {batch_size}")
        alpha = DIRICHLET_ALPHA if alpha is None else alpha
        if not 0 < alpha < math.inf:
            raise UserError(f"alpha is {alpha:g}, must be above 0 and finite: 0.1 makes workers differ, 100 hardly")
        self.batch_size = batch_size
        self._dataset = dataset
        self._workers = workers
        self._seed = seed
        self._alpha = alpha
        self._partition = _find(partition, dataset)
        self._epoch: tuple[int, Indices] | None = None  # the last epoch asked for, and who sees what in it

    @property
    def steps_per_epoch(self) -> int:
        """Steps until every sample was seen once by some worker (partitioned)."""
        return math.ceil(self._dataset.samples / (self._workers * self.batch_size))

    def starts_epoch(self, step: int) -> bool:
        """Whether the data begin again at that step."""
        return step % self.steps_per_epoch == 0

    def indices(self, worker: int, step: int) -> Indices:
        """The samples of one worker's batch, int64 [batch size]; steps count from 0 through all epochs."""
        epoch, within = divmod(step, self.steps_per_epoch)
        start = within * self.batch_size
        return self._shares(epoch)[worker, start : start + self.batch_size]

    def _shares(self, epoch: int) -> Indices:
        if self._epoch is None or self._epoch[0] != epoch:
            deal = Deal(
                samples=self._dataset.samples,
                labels=self._dataset.labels,
                workers=self._workers,
                steps=self.steps_per_epoch,
                batch_size=self.batch_size,
                seed=self._seed,
                epoch=epoch,
                alpha=self._alpha,
            )
            self._epoch = (epoch, self._partition(deal))
        return self._epoch[1]


def in_order(dataset: Dataset, batch_size: int) -> Iterator[Indices]:
    """Every sample once, for evaluation: the last batch is what is left.

    Consecutive samples are read as `batch_size` streams, and the few at the end that do not fill a step of all of
    them are left out.
    """
    if dataset.consecutive:
        steps = dataset.samples // batch_size
        yield from np.arange(batch_size * steps).reshape(batch_size, steps).T
    else:
        yield from (
            np.arange(start, min(start + batch_size, dataset.samples))
            for start in range(0, dataset.samples, batch_size)
        )


def require_known(name: str) -> None:
    """UserError for what is no partition's name."""
    if name not in PARTITIONS:
        near = difflib.get_close_matches(name, PARTITIONS, n=1) or list(PARTITIONS)
        raise UserError(f"partition is {name!r}, must be one of {', '.join(PARTITIONS)}: try {near[0]}")


def _find(name: str, dataset: Dataset) -> Partition:
    require_known(name)
    known = STREAMS if dataset.consecutive else PARTITIONS
    if name not in known:
        raise UserError(
            f"partition is {name!r}, which deals out single samples, but those of {dataset.name} are consecutive: "
            f"choose {' or '.join(known)}"
        )
    if name in OF_CLASSES and dataset.labels is None:
        raise UserError(
            f"partition is {name!r}, which goes by the classes of samples, but those of {dataset.name} have none: "
            "choose partitioned or shared"
        )
    return known[name]


def _labels(deal: Deal) -> Labels:
    assert deal.labels is not None  # or the partition had not been found
    return deal.labels


def _shuffled(part: Indices, deal: Deal, worker: int) -> Indices:
    """A worker's own samples in the order of one epoch, again from the start where there are too few of them."""
    order = np.random.default_rng((deal.seed, deal.epoch, worker)).permutation(len(part))
    return np.resize(part[order], deal.per_worker)


def _mixtures(labels: Labels, workers: int, alpha: float, random: np.random.Generator) -> list[Indices]:
    """Every sample to one worker, sizes differing by one at most, each worker's classes by its own mixture."""
    pools = [random.permutation(np.flatnonzero(labels == label)) for label in np.unique(labels)]
    mixtures = random.dirichlet(np.full(len(pools), alpha), size=workers)
    sizes = [len(part) for part in np.array_split(labels, workers)]
    parts: list[Indices] = [np.empty(0, np.int64)] * workers
    for worker in random.permutation(workers):
        taken: list[Indices] = []
        missing = sizes[worker]
        while missing:
            for label, count in enumerate(random.multinomial(missing, _left(mixtures[worker], pools))):
                taken.append(pools[label][:count])
                pools[label] = pools[label][count:]
            missing = sizes[worker] - sum(map(len, taken))
        parts[worker] = np.concatenate(taken)
    return parts


def _left(mixture: np.ndarray[tuple[int], np.dtype[np.float64]], pools: list[Indices]) -> list[float]:
    """The mixture over the classes that are left; their own shares where it gives them nothing."""
    sizes = np.array([len(pool) for pool in pools], float)
    weights = np.where(sizes > 0, mixture, 0.0)
    weights = weights if weights.sum() > 0 else sizes
    shares: list[float] = (weights / weights.sum()).tolist()
    return shares
