"""LSTM-AN4: five layers of 800 on spectrograms, with connectionist temporal classification (Shi et al. 2019).

The network is DeepSpeech 2 (Amodei et al. 2016, arXiv:1512.02595) as in the code of Shi et al.: two convolutions, five
LSTMs that look forward in time only, a lookahead convolution over the 20 frames that follow, a linear layer for 29
labels. Jiang and Agrawal 2018 name a "5-layer LSTM of 800 hidden units" without more; `bidirectional` is the other
reading: both directions added, and no lookahead.

Utterances have different lengths: the padding behind the shorter ones is zero after each convolution, and does not
exist for the LSTMs and the normalisation between them (packed sequences).
"""

from __future__ import annotations

import torch
from pydantic import Field
from torch import nn
from torch.nn import functional
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from testbed.workloads import data
from testbed.workloads.data import Batch
from testbed.workloads.data.speech import ALPHABET, BANDS
from testbed.workloads.evaluation import Metric, Score
from testbed.workloads.labelling import edit_distance, greedy_labels
from testbed.workloads.normalisation import BatchNorm, Normalised, NormalisedOptions
from testbed.workloads.workload import Recipe, State, registry

_CONTEXT = 20  # frames that the lookahead adds


class _Options(NormalisedOptions):
    hidden: int = Field(default=800, ge=1)  # units of each layer
    layers: int = Field(default=5, ge=1)
    channels: int = Field(default=32, ge=1)  # of both convolutions
    bidirectional: bool = False


class Convolutions(nn.Module):
    """[batch, 1, 161, frames] -> [batch, channels * 41, frames / 2]: two convolutions over frequency and time."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, channels, (41, 11), stride=(2, 2), padding=(20, 5))
        self.first_norm = BatchNorm(channels)
        self.second = nn.Conv2d(channels, channels, (21, 11), stride=(2, 1), padding=(10, 5))
        self.second_norm = BatchNorm(channels)
        self.features = channels * -(-BANDS // 4)

    def forward(self, x: torch.Tensor, frames: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The features, and how many frames of each are not padding."""
        frames = (frames + 1) // 2
        x = self.first(x)
        kept = (torch.arange(x.shape[3], device=x.device) < frames[:, None])[:, None, None]  # [batch, 1, 1, frames]
        x = functional.hardtanh(self.first_norm(x * kept), 0, 20) * kept
        x = functional.hardtanh(self.second_norm(self.second(x) * kept), 0, 20) * kept
        return x.flatten(1, 2), frames


class Recurrent(nn.Module):
    """One LSTM over packed sequences, normalised before; two directions are added."""

    def __init__(self, inputs: int, hidden: int, *, normalised: bool, bidirectional: bool) -> None:
        super().__init__()
        self.norm = BatchNorm(inputs) if normalised else None
        self.lstm = nn.LSTM(inputs, hidden, bidirectional=bidirectional)
        self._hidden = hidden

    def forward(self, x: PackedSequence) -> PackedSequence:
        """The same sequences with `hidden` features."""
        if self.norm is not None:
            x = x._replace(data=self.norm(x.data))
        y: PackedSequence = self.lstm(x)[0]
        return y._replace(data=y.data.view(len(y.data), -1, self._hidden).sum(1))


class Lookahead(nn.Module):
    """Each unit's own weighted sum of the frame and the 20 that follow: Wang et al. 2016, for DeepSpeech 2."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.sums = nn.Conv1d(hidden, hidden, _CONTEXT + 1, groups=hidden, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[batch, hidden, frames], with zeros behind its end -> the same shape."""
        return functional.hardtanh(self.sums(functional.pad(x, (0, _CONTEXT))), 0, 20)


class SpeechModel(nn.Module):
    """Log-probabilities of the labels, for each frame."""

    def __init__(self, hidden: int, layers: int, channels: int, *, bidirectional: bool) -> None:
        super().__init__()
        self.convolutions = Convolutions(channels)
        self.recurrent = nn.ModuleList(
            Recurrent(
                hidden if index else self.convolutions.features,
                hidden,
                normalised=index > 0,
                bidirectional=bidirectional,
            )
            for index in range(layers)
        )
        self.lookahead = None if bidirectional else Lookahead(hidden)
        self.norm = BatchNorm(hidden)
        self.output = nn.Linear(hidden, len(ALPHABET), bias=False)

    def forward(self, x: torch.Tensor, frames: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """[batch, 1, 161, frames] -> [frames / 2, batch, labels], and how many frames of each are not padding."""
        x, frames = self.convolutions(x, frames)
        lengths = frames.cpu()  # torch packs by lengths on the CPU
        packed = pack_padded_sequence(x.permute(2, 0, 1), lengths, enforce_sorted=False)
        for layer in self.recurrent:
            packed = layer(packed)
        if self.lookahead is not None:
            padded, _ = pad_packed_sequence(packed)  # [frames, batch, hidden]
            looked = self.lookahead(padded.permute(1, 2, 0)).permute(2, 0, 1)
            packed = pack_padded_sequence(looked, lengths, enforce_sorted=False)
        labels = packed._replace(data=self.output(self.norm(packed.data)).log_softmax(1))
        return pad_packed_sequence(labels)[0], frames


@registry.register("lstm-an4")
class LstmAn4(Normalised):
    """27,569,568 parameters; AN4 if the user has it, else synthetic speech: spelled names and numbers."""

    name = "lstm-an4"
    # Shi et al. 2019, table 1; momentum, decay and the limit of the norm are those of their code
    # The limit of the norm is the default of deepspeech.pytorch, whose network this is; the papers name none.
    recipe = Recipe(learning_rate=2e-4, momentum=0.9, weight_decay=1e-4, clip_norm=400.0)
    metric = Metric(name="label error rate", higher_is_better=False)
    evaluation_batch = 10
    calibration_batch = 8
    Options = _Options
    options: _Options

    def build_model(self) -> nn.Module:
        """A new speech model."""
        options = self.options
        return SpeechModel(options.hidden, options.layers, options.channels, bidirectional=options.bidirectional)

    def find_data(self) -> data.DataSource:
        """AN4, or its stand-in."""
        return data.find(data.AN4, data.ESPEAK_SPELLING)

    def outputs(self, model: nn.Module, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        """Log-probabilities [frames, batch, labels], and the lengths."""
        spectrograms, frames, _, _ = batch
        log_probabilities, frames = model(spectrograms, frames)
        return log_probabilities, frames

    def loss(self, model: nn.Module, batch: Batch, state: State) -> torch.Tensor:
        """Mean over utterances of the negative log-likelihood of their transcripts, whatever their length."""
        del state
        log_probabilities, frames = self.outputs(model, batch)
        return _negative_log_likelihood(log_probabilities, frames, batch) / len(frames)

    def score(self, model: nn.Module, batch: Batch, state: State) -> Score:
        """Negative log-likelihoods, and edits between what is recognised and what was said."""
        del state
        log_probabilities, frames = self.outputs(model, batch)
        loss = _negative_log_likelihood(log_probabilities, frames, batch).item()
        _, _, targets, lengths = batch
        said = [part.tolist() for part in torch.split(targets, lengths.tolist())]
        recognised = greedy_labels(log_probabilities.argmax(2), frames)
        edits = sum(edit_distance(*both) for both in zip(recognised, said, strict=True))
        return Score(loss=loss, terms=len(said), counted=edits, of=len(targets))

    def metric_of(self, score: Score) -> float:
        """Label error rate: edits for each label that was said; above 1 where too much is recognised."""
        return score.counted / score.of


def _negative_log_likelihood(log_probabilities: torch.Tensor, frames: torch.Tensor, batch: Batch) -> torch.Tensor:
    """Graves et al. 2006, equation 8: the sum over the utterances; label 0 is the blank."""
    _, _, targets, lengths = batch
    return functional.ctc_loss(log_probabilities, targets, frames, lengths, blank=0, reduction="sum")
