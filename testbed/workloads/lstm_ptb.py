"""LSTM-PTB: Shi et al. 2019, two layers of 1500 (the large model of Zaremba et al. 2014, arXiv:1409.2329).

Each row of a worker's batch is a stretch of the text of its own; the hidden state at the end of a batch is where the
next one begins, and backpropagation ends at the batch's 35 words. Every epoch begins at zero.

No dropout, which the papers have: a gradient depends on nothing but the parameters, the batch and the hidden state.
"""

from __future__ import annotations

import math

import torch
from pydantic import Field
from torch import nn
from torch.nn import functional

from testbed.workloads import data
from testbed.workloads.data import Batch
from testbed.workloads.data.text import VOCABULARY
from testbed.workloads.evaluation import Metric, Score
from testbed.workloads.workload import Recipe, State, Workload, WorkloadOptions, registry

_INITIAL_RANGE = 0.1  # of embedding and output layer, as in the code of Shi et al.


class _Options(WorkloadOptions):
    hidden: int = Field(default=1500, ge=1)  # units of each layer, and of the embedding
    layers: int = Field(default=2, ge=1)


class LanguageModel(nn.Module):
    """Embedding, LSTM, linear layer: the logits of the word after each word."""

    def __init__(self, hidden: int, layers: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY, hidden)
        self.lstm = nn.LSTM(hidden, hidden, layers, batch_first=True)
        self.output = nn.Linear(hidden, VOCABULARY)
        for layer in (self.embedding, self.output):
            nn.init.uniform_(layer.weight, -_INITIAL_RANGE, _INITIAL_RANGE)
        nn.init.zeros_(self.output.bias)

    def forward(self, words: torch.Tensor, state: State) -> tuple[torch.Tensor, State]:
        """[batch, length] and two of [layers, batch, hidden] -> [batch, length, vocabulary], and the state after."""
        outputs, after = self.lstm(self.embedding(words), state)
        return self.output(outputs), after


@registry.register("lstm-ptb")
class LstmPtb(Workload):
    """66,034,000 parameters; the Penn Treebank if the user has it, else the Brown corpus."""

    name = "lstm-ptb"
    # Shi et al. 2019, table 1; a rate of 30 goes with gradients whose norm is limited, in their code to 0.25
    # The limit of the norm is the default of PyTorch's word_language_model (at a rate of 20); the paper names none.
    recipe = Recipe(learning_rate=30.0, momentum=0.0, weight_decay=0.0, clip_norm=0.25)
    metric = Metric(name="perplexity", higher_is_better=False)
    evaluation_batch = 20
    Options = _Options
    options: _Options

    def build_model(self) -> nn.Module:
        """A new language model."""
        return LanguageModel(self.options.hidden, self.options.layers)

    def find_data(self) -> data.DataSource:
        """The Penn Treebank, or its stand-in."""
        return data.find(data.PTB, data.BROWN)

    def new_state(self, batch_size: int, device: torch.device) -> State:
        """Hidden state and cell state, zeros, float32 [layers, batch, hidden] each."""
        shape = (self.options.layers, batch_size, self.options.hidden)
        return torch.zeros(shape, device=device), torch.zeros(shape, device=device)

    def start_epoch(self, state: State) -> None:
        """Every row goes back to the start of its stretch: it remembers nothing."""
        for part in state:
            part.zero_()

    def loss(self, model: nn.Module, batch: Batch, state: State) -> torch.Tensor:
        """Mean negative log-likelihood of a word."""
        return functional.cross_entropy(*self._predicted(model, batch, state))

    def score(self, model: nn.Module, batch: Batch, state: State) -> Score:
        """Negative log-likelihoods of all words."""
        logits, targets = self._predicted(model, batch, state)
        return Score(loss=functional.cross_entropy(logits, targets, reduction="sum").item(), terms=len(targets))

    def metric_of(self, score: Score) -> float:
        """Perplexity: e to the mean loss."""
        return math.exp(score.loss / score.terms)

    def _predicted(self, model: nn.Module, batch: Batch, state: State) -> tuple[torch.Tensor, torch.Tensor]:
        """Logits [words, vocabulary] and targets [words]; moves `state` on."""
        words, targets = batch
        # A copy: the backward pass still needs what the state was
        logits, after = model(words, tuple(part.clone() for part in state))
        for part, new in zip(state, after, strict=True):
            part.copy_(new.detach())
        return logits.flatten(0, 1), targets.flatten()
