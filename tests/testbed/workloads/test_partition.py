from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.errors import UserError
from testbed.workloads.data import Batch, Indices
from testbed.workloads.partition import Batches, in_order


@dataclass(frozen=True, kw_only=True)
class Numbered:
    """Samples that are nothing but their numbers."""

    samples: int
    labels: npt.NDArray[np.int64] | None = None
    consecutive: bool = False
    name: str = "numbered"

    def batch(self, indices: Indices) -> Batch:
        return ()


def make(
    samples: int = 24,
    workers: int = 3,
    batch_size: int = 4,
    seed: int = 1,
    partition: str = "partitioned",
    classes: int = 1,
    alpha: float = 0.5,
) -> Batches:
    dataset = Numbered(samples=samples, labels=np.arange(samples) % classes)
    return Batches(dataset, workers=workers, batch_size=batch_size, seed=seed, partition=partition, alpha=alpha)


def epoch(batches: Batches, workers: int, number: int = 0) -> list[list[npt.NDArray[np.int64]]]:
    steps = range(number * batches.steps_per_epoch, (number + 1) * batches.steps_per_epoch)
    return [[batches.indices(worker, step) for step in steps] for worker in range(workers)]


def seen(batches: Batches, workers: int, number: int = 0) -> list[npt.NDArray[np.int64]]:
    """The samples of each worker in one epoch."""
    return [np.concatenate(worker) for worker in epoch(batches, workers, number)]


def test_partitioned_epoch_shows_every_sample_to_exactly_one_worker_once() -> None:
    assert sorted(np.concatenate(seen(make(), 3))) == list(range(24))


def test_shared_epoch_lets_every_worker_draw_from_all_samples() -> None:
    first, second = seen(make(48, 2, 4, partition="shared"), 2)
    assert len(set(first)) == len(set(second)) == 24
    assert set(first) & set(second)


@given(st.integers(1, 60), st.integers(1, 7), st.integers(1, 9))
def test_batches_are_full_and_an_epoch_has_the_contracts_steps(samples: int, workers: int, batch_size: int) -> None:
    batches = make(samples, workers, batch_size)
    assert batches.steps_per_epoch == -(-samples // (workers * batch_size))
    shares = epoch(batches, workers)
    assert {len(batch) for worker in shares for batch in worker} == {batch_size}
    assert set(np.concatenate([np.concatenate(worker) for worker in shares])) == set(range(samples))


def test_epochs_and_seeds_shuffle_anew_and_equal_seeds_agree() -> None:
    first, second = (np.concatenate(epoch(make(), 3, number)[0]) for number in (0, 1))
    assert not np.array_equal(first, second)
    assert not np.array_equal(first, np.concatenate(epoch(make(seed=2), 3)[0]))
    assert np.array_equal(first, np.concatenate(epoch(make(), 3)[0]))


@given(
    st.sampled_from(["sorted", "dirichlet"]),
    st.integers(30, 90),
    st.integers(1, 7),
    st.integers(1, 10),
    st.floats(1e-4, 100),
)
def test_partitions_by_class_give_every_sample_to_one_worker_for_good(
    partition: str, samples: int, workers: int, classes: int, alpha: float
) -> None:
    batches = make(samples, workers, 1, partition=partition, classes=classes, alpha=alpha)
    first = [set(worker) for worker in seen(batches, workers)]
    assert [set(worker) for worker in seen(batches, workers, 1)] == first
    assert set.union(*first) == set(range(samples)) and sum(map(len, first)) == samples
    assert max(map(len, first)) - min(map(len, first)) <= 1


@pytest.mark.parametrize("partition", ["sorted", "dirichlet"])
def test_partitions_by_class_follow_the_seed_and_shuffle_every_epoch(partition: str) -> None:
    def of(seed: int, number: int = 0) -> npt.NDArray[np.int64]:
        return seen(make(60, 3, 4, seed, partition, classes=5), 3, number)[0]

    assert np.array_equal(of(1), of(1))
    assert not np.array_equal(of(1), of(1, number=1))
    assert set(of(1)) != set(of(2))


def test_sorted_gives_each_worker_its_own_classes() -> None:
    batches = make(40, 4, 5, partition="sorted", classes=4)
    assert [set(worker % 4) for worker in seen(batches, 4)] == [{0}, {1}, {2}, {3}]


def test_a_small_alpha_makes_workers_differ_and_a_large_one_does_not() -> None:
    def largest_share(alpha: float) -> float:
        """The share of a worker's most frequent class, mean over the workers."""
        workers = seen(make(4000, 8, 10, partition="dirichlet", classes=10, alpha=alpha), 8)
        return float(np.mean([np.bincount(worker % 10).max() / len(worker) for worker in workers]))

    assert largest_share(1e4) < 0.15  # of 0.1, if all were alike
    assert 0.2 < largest_share(1) < 0.5
    assert largest_share(0.01) > 0.7


def stream(samples: int = 24, workers: int = 2, batch_size: int = 3, partition: str = "partitioned") -> Batches:
    dataset = Numbered(samples=samples, consecutive=True)
    return Batches(dataset, workers=workers, batch_size=batch_size, seed=1, partition=partition)


@pytest.mark.parametrize("partition", ["partitioned", "shared"])
def test_rows_of_consecutive_samples_go_on_where_they_were(partition: str) -> None:
    batches = stream(partition=partition)
    for worker in range(2):
        for step in range(1, batches.steps_per_epoch):
            before, now = batches.indices(worker, step - 1), batches.indices(worker, step)
            assert np.array_equal(now, (before + 1) % 24)


def test_streams_cover_the_data_once_and_begin_again_in_the_same_place() -> None:
    batches = stream()
    assert sorted(np.concatenate(seen(batches, 2))) == list(range(24))
    assert np.array_equal(batches.indices(1, 0), batches.indices(1, batches.steps_per_epoch))
    assert [step for step in range(9) if batches.starts_epoch(step)] == [0, 4, 8]


def test_shared_streams_begin_elsewhere_in_every_epoch() -> None:
    batches = stream(2400, partition="shared")
    assert not np.array_equal(batches.indices(1, 0), batches.indices(1, batches.steps_per_epoch))
    assert not np.array_equal(batches.indices(0, 0), batches.indices(1, 0))


@pytest.mark.parametrize("partition", ["sorted", "dirichlet"])
def test_consecutive_samples_and_samples_without_classes_are_not_parted_by_class(partition: str) -> None:
    with pytest.raises(UserError, match=rf"partition is '{partition}', .* consecutive: choose partitioned or shared"):
        stream(partition=partition)
    with pytest.raises(UserError, match=rf"partition is '{partition}', .*have none: choose partitioned or shared"):
        Batches(Numbered(samples=9), workers=3, batch_size=1, seed=1, partition=partition)


@pytest.mark.parametrize("alpha", [0.0, -1.0, float("nan"), float("inf")])
def test_alpha_is_positive(alpha: float) -> None:
    with pytest.raises(UserError, match=r"alpha is .*, must be above 0 and finite"):
        make(partition="dirichlet", alpha=alpha)


def test_in_order_shows_every_sample_once() -> None:
    assert [list(batch) for batch in in_order(Numbered(samples=5), 2)] == [[0, 1], [2, 3], [4]]
    whole = Numbered(samples=7, consecutive=True)
    assert [list(batch) for batch in in_order(whole, 2)] == [[0, 3], [1, 4], [2, 5]]  # 6 is the remainder


def test_unknown_partition_names_the_nearest() -> None:
    with pytest.raises(UserError, match=r"partition is 'share', must be one of .*, dirichlet: try shared"):
        make(partition="share")
