"""allreduce: synchronous SGD on the mean gradient of all workers."""

from __future__ import annotations

from algorithms.aggregation import Aggregation
from algorithms.algorithm import ALGORITHMS
from algorithms.averaging import AveragingOptions, create_aggregation
from algorithms.centralized import Centralized


@ALGORITHMS.register("allreduce")
class Allreduce(Centralized):
    """The papers' FULLSGD, S-SGD and C-PSGD; with the codec qsgd, QSGD.

    Bytes per worker and step: fp32 that of the exchange, ring 8 N (n-1)/n; coded reduce-scatter about 2 (n-1)/n B(N);
    coded allgather (n-1) B(N), with B the codec's payload_bytes.
    """

    name = "allreduce"
    vectors = 6  # x, gradient, velocity, the mean, what it receives
    Options = AveragingOptions

    @classmethod
    def theory_q(cls, options: AveragingOptions, samples: int | None) -> float:
        """1 on shared data, 1/m on partitioned data: Jiang & Agrawal 2018, section 3.3."""
        del options
        return 1.0 / (samples or 1)

    def create_aggregation(self, options: AveragingOptions) -> Aggregation:
        """As the options say."""
        return create_aggregation(self.name, self.worker, self.coder, options)
