"""onebit: 1-bit SGD, error feedback at both codings of an average (Seide et al. 2014, section 3)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from algorithms.aggregation import ReduceScatterMean
from algorithms.algorithm import ALGORITHMS, Algorithm, Bytes, Step, Work, Worker
from algorithms.coder import FLOAT_BYTES, Coder
from algorithms.residual import Residual


class FeedbackMean(ReduceScatterMean):
    """Codes reduce-scattered and averaged; the mean, with what its last code left out, coded again and allgathered."""

    def __init__(self, worker: Worker, coder: Coder) -> None:
        super().__init__(worker, coder)
        self.sent = torch.empty(worker.parameters, device=worker.device)  # what this worker's codes say
        self.left = torch.zeros_like(self._decoded)  # of its chunk's mean, by its last code

    def _encode_chunks(self, vector: Tensor, what: str) -> list[Bytes]:
        codes = super()._encode_chunks(vector, what)
        for chunk, code in zip(self._chunks, codes, strict=True):
            self.coder.decode(code, self.sent[chunk], chunk.start)
        return codes

    def _encode_mean(self, mean: Tensor, what: str) -> Bytes:
        with self.worker.meter.work(Work.APPLY, FLOAT_BYTES * mean.numel()):
            self.left.add_(mean)
        code = super()._encode_mean(self.left, what)
        self.coder.decode(code, self._decoded, self._chunks[self.worker.rank].start)
        with self.worker.meter.work(Work.APPLY, FLOAT_BYTES * mean.numel()):
            self.left.sub_(self._decoded)
        return code


@ALGORITHMS.register("onebit")
class Onebit(Algorithm):
    """acc_i = residual_i + g_i, residual_i <- acc_i - C(acc_i);  m_j = left_j + mean over workers of C(acc_i)[j];
    left_j <- m_j - C(m_j);  x <- x - rate * direction(C(m_1), ..., C(m_n)).

    Worker j has chunk j. C is the codec onebit. The rate is outside of the residual and momentum is applied after
    averaging, as in the paper. All workers hold the same x, bit for bit. State: the residual, and what is left of the
    own chunk's mean: N + N/n floats. Bytes per worker and step: about 2 (n-1)/n B(N).
    """

    name = "onebit"
    keeps = ("residual.values", "aggregation.left")

    def __init__(self, worker: Worker, options: Any) -> None:
        super().__init__(worker, options)
        if worker.codec.name != "onebit":
            raise ValueError(
                f"algorithm onebit: codec is {worker.codec.name}, must be onebit; set codec: onebit, or use "
                "error-feedback"
            )
        self.residual = Residual(worker)
        self._coder = Coder(worker)
        self.aggregation = FeedbackMean(worker, self._coder)

    def step(self, x: Tensor, gradient: Tensor, t: int, rate: float) -> Step:
        """Accumulate, average codes with both feedbacks, descend."""
        self._coder.begin(t, gradient)
        yield from self.aggregation.average(self.residual.accumulate(gradient, 1.0), "accumulated gradient")
        self.residual.sent(self.aggregation.sent)
        with self.worker.meter.work(Work.APPLY, FLOAT_BYTES * x.numel()):
            x.add_(self.descent.direction(x, self.aggregation.mean), alpha=-rate)

    def declared_bytes(self, t: int) -> int:
        """The aggregation's: all other workers' chunks once, and all chunks but the next worker's once."""
        del t
        return self.aggregation.sent_bytes()
