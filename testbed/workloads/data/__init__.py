"""Data sets: the papers' own where the user has them, packaged real stand-ins otherwise."""

from __future__ import annotations

from testbed.workloads.data.cifar10 import CIFAR10
from testbed.workloads.data.dataset import Dataset, DataSource, Provider, find
from testbed.workloads.data.fashion_mnist import FASHION_MNIST
from testbed.workloads.data.fetching import fetch

__all__ = ["CIFAR10", "FASHION_MNIST", "DataSource", "Dataset", "Provider", "fetch", "find"]
