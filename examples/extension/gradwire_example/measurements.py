"""measurements: a perceptron on a file of your own, `measurements.npz` in $TESTBED_DATA."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from testbed.errors import UserError
from testbed.workloads.classification import Classification, initialise
from testbed.workloads.data import DataSource
from testbed.workloads.data.dataset import user_places
from testbed.workloads.workload import Recipe

FEATURES, HIDDEN, CLASSES = 16, 32, 4
FILE = "measurements.npz"  # train_inputs, train_labels, test_inputs, test_labels


@dataclass(frozen=True)
class Rows:
    """Samples by number: a row of features and a class each."""

    inputs: np.ndarray  # float32 [samples, features]
    labels: np.ndarray  # int64 [samples]
    name: str = "measurements"
    consecutive: bool = False  # the order of rows means nothing

    @property
    def samples(self) -> int:
        """How many rows there are."""
        return len(self.labels)

    def batch(self, indices):
        """The rows named, as tensors."""
        return torch.from_numpy(self.inputs[indices]), torch.from_numpy(self.labels[indices])


def rows_of(file: Path, part: str) -> Rows:
    """The rows of `train` or `test`; UserError where the file is not as this model needs it."""
    with np.load(file, allow_pickle=False) as arrays:
        inputs, labels = arrays[f"{part}_inputs"].astype(np.float32), arrays[f"{part}_labels"].astype(np.int64)
    if inputs.shape != (len(labels), FEATURES):
        raise UserError(f"{file}: {part}_inputs is {inputs.shape}, must be [{len(labels)}, {FEATURES}]: mend the file")
    return Rows(inputs, labels)


class Measurements(Classification):
    """16 features, 32 units, 4 classes: 676 parameters."""

    name = "measurements"
    recipe = Recipe(learning_rate=0.1, momentum=0.9, weight_decay=1e-4)

    def build_model(self) -> nn.Module:
        """A hidden layer."""
        return initialise(nn.Sequential(nn.Linear(FEATURES, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, CLASSES)))

    def outputs(self, model, batch):
        """Logits [batch, classes]."""
        return model(batch[0])

    def find_data(self) -> DataSource:
        """The user's own file."""
        for folder in user_places(self.name):
            if (file := folder / FILE).is_file():
                digest = hashlib.sha256(file.read_bytes()).hexdigest()
                return DataSource(
                    name=self.name,
                    digest=digest,
                    load=lambda: rows_of(file, "train"),
                    load_held_out=lambda: rows_of(file, "test"),
                )
        raise UserError(f"workload {self.name} needs {FILE}: set TESTBED_DATA to the folder that has it")
