"""An algorithm, a codec and a workload for Gradwire: see docs/own-algorithm.md and docs/own-model.md."""
