import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from testbed import workloads
from testbed.workloads.data import DataSource, Speech
from testbed.workloads.labelling import edit_distance, greedy_labels

CPU = torch.device("cpu")
WORDS = st.lists(st.integers(1, 3), max_size=6)


def tiny(samples: int = 6, **options: object) -> workloads.Workload:
    """A small model on tones, each said to be its own letter."""
    random = np.random.default_rng(3)
    tones = np.arange(samples) % 3
    durations = random.integers(2000, 3600, samples)
    sounds = [
        (9000 * np.sin(np.arange(duration) * (0.1 + 0.3 * tone))).astype(np.int16)
        for tone, duration in zip(tones, durations, strict=True)
    ]
    speech = Speech(name="tones", sounds=sounds, transcripts=["ABC"[tone] for tone in tones])
    source = DataSource(name="tones", digest="tones", load=lambda: speech, load_held_out=lambda: speech)
    return workloads.create("lstm-an4", source=source, options={"hidden": 12, "layers": 2} | options)


def outputs(workload: workloads.Workload, indices: list[int]) -> list[torch.Tensor]:
    """Each utterance's log-probabilities [its frames, labels], in evaluation mode."""
    workload.flat_model.bind(workload.initial_parameters(), None)
    model = workload.flat_model.module.eval()
    workload.calibrate(model, CPU, [])
    spectrograms, frames, _, _ = workload.dataset.batch(np.array(indices))
    with torch.no_grad():
        found, lengths = model(spectrograms, frames)
    return [found[:length, place] for place, length in enumerate(lengths.tolist())]


@pytest.mark.parametrize("bidirectional", [False, True])
def test_padding_changes_nothing(bidirectional: bool) -> None:
    workload = tiny(bidirectional=bidirectional)
    together, alone = outputs(workload, [0, 1, 2]), [outputs(workload, [index])[0] for index in range(3)]
    assert len({len(each) for each in together}) == 3  # of different lengths
    for each, expected in zip(together, alone, strict=True):
        torch.testing.assert_close(each, expected, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(each.exp().sum(1), torch.ones(len(each)))


def test_both_directions_are_the_other_reading_of_the_papers() -> None:
    # 54.5 M: each LSTM twice; the lookahead's 16,800 are gone
    twice = workloads.create("lstm-an4", options={"bidirectional": True}).parameters
    assert twice == 27_569_568 + 5 * (4 * 800 * 800 + 2 * 4 * 800) + 4 * 800 * (1312 + 4 * 800) - 800 * 21


def test_tones_are_learnt() -> None:
    workload = tiny(6, layers=1)
    x, batch = workload.initial_parameters(), workload.dataset.batch(np.arange(6))
    before = workload.evaluate(x, CPU)
    assert before.metric > 0.6
    velocity = torch.zeros_like(x)
    for _ in range(30):
        velocity = 0.9 * velocity + workload.gradient(x, batch)[0]
        x -= 5e-3 * velocity
    after = workload.evaluate(x, CPU)
    assert after.metric < 0.1 and after.loss < before.loss
    assert workload.metric.name == "label error rate" and not workload.metric.higher_is_better


def test_loss_is_of_whole_transcripts() -> None:
    """A model that gives every label 1/29 at each frame: T frames allow T + (T choose 2) paths of one letter."""
    workload = tiny(1)
    x = workload.initial_parameters()
    last = workload.layers[-1]
    assert last.name == "output.weight"
    x[last.start :] = 0
    frames = (1 + len(workload.dataset.sounds[0]) // 160 + 1) // 2  # type: ignore[attr-defined]
    paths = frames * (frames + 1) / 2
    _, loss = workload.gradient(x, workload.dataset.batch(np.array([0])))
    assert loss == pytest.approx(frames * np.log(29) - np.log(paths), rel=1e-5)


def test_greedy_labels_merge_repeats_and_drop_blanks() -> None:
    best = torch.tensor([[1, 0], [1, 2], [0, 2], [1, 3], [2, 3]])
    assert greedy_labels(best, torch.tensor([5, 3])) == [[1, 1, 2], [2]]


@pytest.mark.parametrize(
    ("found", "wanted", "edits"),
    [("KITTEN", "SITTING", 3), ("", "ABC", 3), ("ABC", "", 3), ("ABC", "ABC", 0), ("AB", "BA", 2)],
)
def test_edit_distance_of_known_words(found: str, wanted: str, edits: int) -> None:
    assert edit_distance(*([ord(letter) for letter in word] for word in (found, wanted))) == edits


@given(WORDS, WORDS, WORDS)
def test_edit_distance_is_a_metric(first: list[int], second: list[int], third: list[int]) -> None:
    assert edit_distance(first, second) == edit_distance(second, first)
    assert (edit_distance(first, second) == 0) == (first == second)
    assert edit_distance(first, third) <= edit_distance(first, second) + edit_distance(second, third)


def test_fewer_channels_go_into_the_first_lstm() -> None:
    shapes = {layer.name: layer.shape for layer in tiny(channels=4).layers}
    assert {shape[:2] for shape in shapes.values() if len(shape) == 4} == {(4, 1), (4, 4)}
    assert (4 * 12, 4 * 41) in shapes.values()
