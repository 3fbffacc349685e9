from __future__ import annotations

from pathlib import Path

import pytest

from testbed.errors import UserError
from testbed.training.plan import load_training
from testbed.training.rate import RateSchedule
from testbed.training.trial import Trial

ALLREDUCE = "algorithm: allreduce\nepochs: 2\n"


def test_defaults_are_the_workloads_recipe(train) -> None:
    (trial,) = train.plan(ALLREDUCE).trials
    assert trial.rate == RateSchedule(rate=0.05)
    assert (trial.algorithm_options["momentum"], trial.algorithm_options["weight_decay"]) == (0.9, 1e-3)
    assert (trial.codec, trial.partition, trial.alpha, trial.seed, trial.clip_norm) == (
        "fp32",
        "partitioned",
        None,
        1,
        None,
    )
    assert train.plan(ALLREDUCE).name == "trial"


def test_the_files_values_take_the_recipes_place_and_an_algorithms_own_the_files(train) -> None:
    text = "algorithm: [allreduce, {name: d-psgd, momentum: 0.5}]\nepochs: 2\nmomentum: 0\nweight_decay: 0\n"
    plain, own = train.plan(text + "rate: 0.3\nclip_norm: 2\n").trials
    assert (plain.rate.rate, plain.clip_norm) == (0.3, 2.0)
    assert [t.algorithm_options["momentum"] for t in (plain, own)] == [0.0, 0.5]
    assert [t.algorithm_options["weight_decay"] for t in (plain, own)] == [0.0, 0.0]


def test_lists_are_crossed_and_equal_trials_are_one(train) -> None:
    text = "algorithm: [allreduce, d-psgd]\nepochs: 2\nseeds: [1, 2, 3]\nrate: [0.1, {initial: 0.1}]\n"
    trials = train.plan(text).trials
    assert [(t.algorithm, t.seed) for t in trials] == [(a, s) for a in ("allreduce", "d-psgd") for s in (1, 2, 3)]
    assert len({trial.id for trial in trials}) == 6
    assert all(Trial.from_json(trial.to_json()) == trial for trial in trials)


def test_include_is_the_file_once_more_with_its_keys_replaced(train) -> None:
    trials = train.plan(ALLREDUCE + "seeds: [1, 2]\ninclude: [{algorithm: naive, seeds: 7}]\n").trials
    assert [(t.algorithm, t.seed) for t in trials] == [("allreduce", 1), ("allreduce", 2), ("naive", 7)]


def test_a_rates_schedule_is_resolved_for_the_workers(train) -> None:
    text = "rate: {initial: 0.2, for_workers: 2, warmup: {epochs: 5}, drops: {after: [10, 20], factor: 0.5}}\n"
    (trial,) = train.plan(ALLREDUCE + text).trials
    assert (trial.rate.rate, trial.rate.warmup_start) == pytest.approx((0.3, 0.1))
    assert (trial.rate.warmup_epochs, trial.rate.drops_after, trial.rate.drop_factor) == (5, (10, 20), 0.5)
    (jiangs,) = train.plan(ALLREDUCE + "rate: {warmup: {epochs: 10, start: 0.04, shape: constant}}\n").trials
    assert jiangs.rate.at(0, 10) == jiangs.rate.at(99, 10) == 0.04 and jiangs.rate.at(100, 10) == 0.05


def test_dirichlet_has_its_alpha(train) -> None:
    plans = train.plan(ALLREDUCE + "partition: [sorted, dirichlet, {name: dirichlet, alpha: 0.1}]\n")
    assert [trial.alpha for trial in plans.trials] == [None, 0.5, 0.1]


def test_theory_says_how_fine_codes_are(train) -> None:
    text = "algorithm: [qsgd, {name: pqasgd, period: 2}]\ncodec: {name: qsgd, q: theory}\nepochs: 1\n"
    trials = train.plan(text + "partition: [shared, sorted]\n").trials
    assert [trial.codec_options["q"] for trial in trials] == [1.0, 1 / 5, 1.0, 1 / 10]


def test_what_theory_does_not_cover_is_a_warning(train) -> None:
    plan = train.plan("algorithm: {name: naive, codec: qsgd}\nepochs: 1\nseeds: [1, 2]\n")
    assert len(plan.warnings) == 1 and "naive with codec qsgd does not converge" in plan.warnings[0]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("epochs: 2\n", "algorithm is missing"),
        ("algorithm: allreduce\n", "epochs is missing"),
        (ALLREDUCE + "bandwidth: 5 Mbit/s\n", "unknown key bandwidth: "),
        (ALLREDUCE + "epoch: 3\n", "unknown key epoch: did you mean epochs?"),
        (ALLREDUCE + "rate: {intial: 0.1}\n", "unknown key rate.intial: did you mean initial?"),
        (ALLREDUCE + "rate: {warmup: {epoch: 1}}\n", "unknown key rate.warmup.epoch: did you mean epochs?"),
        (ALLREDUCE + "include: [{seed: 1}]\n", "unknown key include[0].seed: did you mean seeds?"),
        (ALLREDUCE + "rate: fast\n", "rate 'fast' is neither a number nor a mapping"),
        (ALLREDUCE + "rate: 0\n", "rate.initial is 0: it must be above 0"),
        (
            ALLREDUCE + "rate: {drops: {after: [20, 10]}}\n",
            "rate.drops.after has 10 after 20: its epochs must increase",
        ),
        (
            ALLREDUCE + "rate: {warmup: {epochs: 1, start: soon}}\n",
            "rate.warmup.start 'soon' is neither `rate/workers`",
        ),
        (ALLREDUCE + "clip_norm: -1\n", "clip_norm -1 is neither `none` nor a number above 0"),
        (ALLREDUCE + "seeds: []\n", "seeds is an empty list"),
        (ALLREDUCE + "workers: 1\n", "needs at least 2 workers"),
        (ALLREDUCE + "device: tpu\n", "device is 'tpu': it must be 'cpu' or 'cuda'"),
        (ALLREDUCE + "partition: {name: sorted, alpha: 1}\n", "partition: alpha is 1, but sorted has none"),
        (ALLREDUCE + "partition: partitoned\n", "partition is 'partitoned', must be one of"),
        (ALLREDUCE + "density_warmup: [0.004]\n", "density_warmup is given, but allreduce always sends as many"),
        (ALLREDUCE.replace("allreduce", "alreduce"), "did you mean allreduce?"),
        (ALLREDUCE + "codec: {name: qsgd, bits: 99}\n", "codec qsgd: option bits is 99"),
        (
            ALLREDUCE.replace("allreduce", "psgd") + "codec: qsgd\n",
            "algorithm psgd: codec is qsgd, must be an exact one",
        ),
        (ALLREDUCE.replace("allreduce", "dcd-psgd") + "workers: 5\ngraph: exponential\n", "which is directed"),
        (ALLREDUCE + "workload: {name: tiny, sample: 5}\n", "workload tiny: option sample is 5"),
        (ALLREDUCE + "workload: tyni\n", "workload is 'tyni', must be one of"),
        (ALLREDUCE + "seeds: [" + "1, " * 10_000 + "2]\n", "10,001 trials, above 10,000"),
    ],
)
def test_a_mistake_is_one_sentence_that_names_it(train, text: str, words: str) -> None:
    given = {line.partition(":")[0] for line in text.splitlines()}
    train.BASE = "".join(f"{line}\n" for line in train.BASE.splitlines() if line.partition(":")[0] not in given)
    with pytest.raises(UserError) as caught:
        train.plan(text)
    assert words in str(caught.value) and str(train.file) in str(caught.value) and "\n" not in str(caught.value)


def test_a_file_that_is_not_there_is_named() -> None:
    with pytest.raises(UserError, match=r"training file /nowhere.yaml does not exist: .* trainings/smoke.yaml"):
        load_training(Path("/nowhere.yaml"))
