"""dcd-psgd: decentralized SGD with compressed differences (Tang 2018, algorithm 1)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from algorithms.algorithm import ALGORITHMS, Bytes, Step, Work, Worker
from algorithms.coder import FLOAT_BYTES
from algorithms.decentralized import Decentralized


@ALGORITHMS.register("dcd-psgd")
class DcdPsgd(Decentralized):
    """z_i = sum_j W_ij x^_j - rate * g_i(x_i) - x_i;  x_i <- x_i + C(z_i);  replicas x^_j <- x^_j + C(z_j).

    State: a replica of each neighbour's model, equal to its owner's x bit for bit, as both add the same
    decoded difference. Bytes per worker and step: degree x B(N).
    """

    name = "dcd-psgd"
    keeps = ("replicas",)

    def __init__(self, worker: Worker, options: Any) -> None:
        super().__init__(worker, options)
        parameters, device = worker.parameters, worker.device
        self.replicas: dict[int, Tensor] = {}  # by neighbour; filled from x in the first step: all start from one x
        self._difference = torch.empty(parameters, device=device)
        self._payload = torch.empty(worker.codec.max_bytes(parameters), dtype=torch.uint8, device=device)

    def step(self, x: Tensor, gradient: Tensor, t: int, rate: float) -> Step:
        """Mix replicas, descend, exchange the compressed difference, add it everywhere."""
        self.coder.begin(t, gradient)
        if not self.replicas:
            self.replicas = {peer: x.clone() for peer in self.neighbours}
        z = self._difference
        self.mix({self.worker.rank: x, **self.replicas}, z, t)
        self.descend(z, x, gradient, rate)
        with self.worker.meter.work(Work.APPLY, FLOAT_BYTES * x.numel()):
            z.sub_(x)
        payload = self.coder.encode(z, "model difference", into=self._payload)
        payloads = yield from self.swap(payload, t)
        self._add(payload, x)
        for peer, received in payloads.items():
            self._add(received, self.replicas[peer])

    def advice(self) -> tuple[str, ...]:
        """Warn where the codec's noise may exceed what Tang 2018's theorem 1 admits on this graph."""
        from algorithms.graphs import admissible_alpha  # here: the graph library is slow to import

        admitted, bound = admissible_alpha(self.graph), self.worker.codec.noise_bound(self.worker.parameters)
        if bound < admitted:
            return ()
        return (
            f"dcd-psgd on graph {self.graph.name} of {self.graph.workers}, whose spectral gap is "
            f"{self.graph.spectral_gap:.3g}, is proved to converge for codec noise alpha < {admitted:.3g}, but codec "
            f"{self.worker.codec.name} guarantees only {bound:.3g}; "
            "use more bits, smaller buckets or a denser graph if it diverges",
        )

    def _add(self, payload: Bytes, model: Tensor) -> None:
        """model += decode(payload). The difference's room is free once it is encoded."""
        self.coder.decode(payload, self._difference)
        with self.worker.meter.work(Work.APPLY, FLOAT_BYTES * model.numel()):
            model.add_(self._difference)
