"""qsgd: allreduce with the codec qsgd, under the name of its paper (Alistarh et al. 2016)."""

from __future__ import annotations

from algorithms.algorithm import ALGORITHMS, Worker
from algorithms.allreduce import Allreduce
from algorithms.averaging import AveragingOptions


@ALGORITHMS.register("qsgd")
class Qsgd(Allreduce):
    """x <- x - rate * mean over workers of Q(g_i): state and bytes are those of allreduce with a lossy codec."""

    name = "qsgd"

    def __init__(self, worker: Worker, options: AveragingOptions) -> None:
        if worker.codec.name != "qsgd":
            raise ValueError(
                f"algorithm qsgd: codec is {worker.codec.name}, must be qsgd; set codec: qsgd, or use allreduce"
            )
        super().__init__(worker, options)

    def advice(self) -> tuple[str, ...]:
        """Warn where the codec's q is above that with which QSGD is as fast as SGD."""
        q = self.worker.codec.noise_bound(self.worker.parameters) ** 2
        if q <= 1:
            return ()
        return (
            f"qsgd converges as fast as SGD for q <= 1 on shared data, 1/m on partitioned data with m samples to a "
            f"batch, but its codec guarantees only {q:.3g}; use more levels, smaller buckets, or q: theory",
        )
