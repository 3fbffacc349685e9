"""Single-process references in matrix form, state [worker, parameter], that the algorithms must match."""
