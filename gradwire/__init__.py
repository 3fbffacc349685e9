"""Gradwire from Python: what the command line does, as a few functions and classes, for scripts and notebooks.

    run = gradwire.Sweep.from_file("sweeps/smoke.yaml").run()
    run.table()

Mistakes raise `UserError` and faults of the machine `LabError`, with the sentence that the command line prints.
"""

from gradwire.comparison import Comparison
from gradwire.run import Run
from gradwire.sweep import Sweep
from gradwire.training import Training, TrainingRun
from testbed.errors import LabError, UserError

__all__ = ["Comparison", "LabError", "Run", "Sweep", "Training", "TrainingRun", "UserError"]
