"""mpi4py, imported without initialising MPI.

The fork server imports it once, and a worker initialises it after its fork.
"""

import mpi4py

mpi4py.rc.initialize = False
mpi4py.rc.finalize = False
from mpi4py import MPI  # noqa: E402

__all__ = ["MPI"]
