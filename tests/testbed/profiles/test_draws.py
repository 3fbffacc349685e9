import numpy as np
import numpy.typing as npt
import pytest

from testbed import profiles
from testbed.profiles.draws import compute_draws, relative_times
from testbed.profiles.profile import Lognormal, Quantity, Sampled


def draws(workers: int = 4, steps: int = 6, seed: int = 1, repetition: int = 0) -> npt.NDArray[np.float64]:
    return compute_draws(profiles.load("k80"), "resnet20", 128, workers, steps, seed, repetition)


def lognormal(variation: float) -> Lognormal:
    return Lognormal(coefficient_of_variation=Quantity(value=variation, derivation="test"))


def test_lognormal_has_mean_one_and_the_stated_variation() -> None:
    factors = relative_times(lognormal(0.3), 200_000, np.random.default_rng(1))
    assert factors.mean() == pytest.approx(1, abs=5 * 0.3 / 200_000**0.5)
    assert factors.std() == pytest.approx(0.3, rel=0.02)
    assert (relative_times(lognormal(0.0), 9, np.random.default_rng(1)) == 1).all()


def test_sampled_draws_only_what_was_measured_with_mean_one() -> None:
    spread = Sampled(relative=(0.8, 1.0, 1.5), derivation="test")
    factors = relative_times(spread, 100_000, np.random.default_rng(1))
    np.testing.assert_allclose(np.unique(factors), np.array([0.8, 1.0, 1.5]) / 1.1)
    assert factors.mean() == pytest.approx(1, abs=0.01)


def test_mean_is_the_profiles() -> None:
    expected = profiles.load("k80").mean_compute_s("resnet20", 128)
    assert draws(8, 2000).mean() == pytest.approx(expected, rel=5 * 0.02 / 16_000**0.5)


def test_draws_of_a_worker_do_not_depend_on_how_many_workers_or_steps_there_are() -> None:
    assert draws().shape == (4, 6)
    assert np.array_equal(draws(), draws(8, 20)[:4, :6])


@pytest.mark.parametrize("other", [{"seed": 2}, {"repetition": 1}])
def test_seed_repetition_and_worker_draw_apart(other: dict[str, int]) -> None:
    assert not np.isclose(draws(), draws(**other)).any()
    assert not np.isclose(draws()[0], draws()[1]).any()
