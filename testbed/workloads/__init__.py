"""Models with their data sets, behind one flat parameter vector. `create("resnet20", seed=1)` makes one."""

from __future__ import annotations

from testbed.workloads.workload import Workload, create, names

__all__ = ["Workload", "create", "names"]
