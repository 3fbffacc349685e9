import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.errors import UserError
from testbed.workloads.partition import Batches


def make(
    samples: int = 24, workers: int = 3, batch_size: int = 4, seed: int = 1, partition: str = "partitioned"
) -> Batches:
    labels = np.zeros(samples, np.int64)
    return Batches(labels, workers=workers, batch_size=batch_size, seed=seed, partition=partition)


def epoch(batches: Batches, workers: int, number: int = 0) -> list[list[npt.NDArray[np.int64]]]:
    steps = range(number * batches.steps_per_epoch, (number + 1) * batches.steps_per_epoch)
    return [[batches.indices(worker, step) for step in steps] for worker in range(workers)]


def test_partitioned_epoch_shows_every_sample_to_exactly_one_worker_once() -> None:
    seen = np.concatenate([np.concatenate(worker) for worker in epoch(make(), 3)])
    assert sorted(seen) == list(range(24))


def test_shared_epoch_lets_every_worker_draw_from_all_samples() -> None:
    first, second = (np.concatenate(worker) for worker in epoch(make(48, 2, 4, partition="shared"), 2))
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


def test_unknown_partition_names_the_nearest() -> None:
    with pytest.raises(UserError, match="partition is 'share', must be one of partitioned, shared: try shared"):
        make(partition="share")
