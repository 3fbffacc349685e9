"""Labs: where the network is emulated. A lab takes cells and reports what became of each."""
