"""Workers: one MPI rank each, training one replica in one emulated host, told cell after cell what to do."""
