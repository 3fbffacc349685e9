"""deepsqueeze: decentralized SGD on error-compensated compressed models (Tang et al. 2019, DeepSqueeze)."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from algorithms.algorithm import ALGORITHMS, AlgorithmOptions, Step, Work, Worker
from algorithms.coder import FLOAT_BYTES
from algorithms.decentralized import Decentralized


class DeepSqueezeOptions(AlgorithmOptions):
    """How far a step goes towards the neighbours."""

    consensus: Annotated[float, Field(gt=0, le=1)] = 0.5
    """eta. 1/2 is our choice: half of what makes an exact codec mix as d-psgd does; coarse codecs need less."""


@ALGORITHMS.register("deepsqueeze")
class DeepSqueeze(Decentralized):
    """v_i = x_i - rate * g_i(x_i) + d_i;  d_i <- v_i - C(v_i);  x_i <- C(v_i) + eta sum_j (W_ij - I_ij) C(v_j).

    What the codec leaves out of a message, d, is added to the next. State: d, and no replicas. Bytes per worker and
    step: degree x B(N).
    """

    name = "deepsqueeze"
    Options = DeepSqueezeOptions
    keeps = ("residual",)

    def __init__(self, worker: Worker, options: DeepSqueezeOptions) -> None:
        super().__init__(worker, options)
        parameters, device = worker.parameters, worker.device
        self._consensus = options.consensus
        self.residual = torch.zeros(parameters, device=device)
        self._accumulated = torch.empty(parameters, device=device)
        self._coded = {peer: torch.empty(parameters, device=device) for peer in (worker.rank, *self.neighbours)}
        self._payload = torch.empty(worker.codec.max_bytes(parameters), dtype=torch.uint8, device=device)

    def step(self, x: Tensor, gradient: Tensor, t: int, rate: float) -> Step:
        """Descend, exchange the compensated model, keep what its code lacks, move towards the neighbours' codes."""
        self.coder.begin(t, gradient)
        own, v = self.worker.rank, self._accumulated
        with self.worker.meter.work(Work.APPLY, FLOAT_BYTES * x.numel()):
            torch.add(x, self.residual, out=v)
        self.descend(v, x, gradient, rate)
        payload = self.coder.encode(v, "compensated model", into=self._payload)
        payloads = yield from self.swap(payload, t)
        for peer, received in {own: payload, **payloads}.items():
            self.coder.decode(received, self._coded[peer])
        self.mix(self._coded, x, t)
        with self.worker.meter.work(Work.APPLY, 2 * FLOAT_BYTES * x.numel()):
            torch.sub(v, self._coded[own], out=self.residual)
            torch.lerp(self._coded[own], x, self._consensus, out=x)

    def advice(self) -> tuple[str, ...]:
        """Warn where the codec may leave out more than it keeps."""
        bound = self.worker.codec.noise_bound(self.worker.parameters)
        if bound < 1:
            return ()
        return (
            f"deepsqueeze needs a codec whose error is smaller than its input, alpha < 1, but codec "
            f"{self.worker.codec.name} guarantees only {bound:.3g}; use more bits or smaller buckets if it diverges",
        )
