"""The figures of the papers: what has to be run for each, and one index of all their verdicts."""
