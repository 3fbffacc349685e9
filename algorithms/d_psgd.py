"""d-psgd: decentralized parallel SGD (Lian et al. 2017; Tang 2018, section 3)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from algorithms.algorithm import ALGORITHMS, Step, Worker
from algorithms.decentralized import Decentralized


@ALGORITHMS.register("d-psgd")
class DPsgd(Decentralized):
    """x_i <- sum_j W_ij x_j - rate * g_i(x_i): models are exchanged uncompressed, gradients stay local.

    State: room for the neighbours' models. Bytes per worker and step: degree x 4 N.
    """

    name = "d-psgd"

    def __init__(self, worker: Worker, options: Any) -> None:
        super().__init__(worker, options)
        if not worker.codec.exact:
            raise ValueError(
                f"algorithm d-psgd: codec is {worker.codec.name}, must be an exact one such as fp32, as "
                "sending compressed models does not converge; use dcd-psgd or ecd-psgd"
            )
        self._models = {peer: torch.empty(worker.parameters, device=worker.device) for peer in self.neighbours}
        self._mixed = torch.empty(worker.parameters, device=worker.device)

    def step(self, x: Tensor, gradient: Tensor, t: int, rate: float) -> Step:
        """Exchange models, mix, descend."""
        self.coder.begin(t, gradient)
        payloads = yield from self.exchange.swap(self.coder.encode(x, "model"))
        for peer, payload in payloads.items():
            self.coder.decode(payload, self._models[peer])
        self.mix({self.worker.rank: x, **self._models}, self._mixed)
        self.descend(self._mixed, x, gradient, rate)
        x.copy_(self._mixed)
