"""A run's report while its sweep still runs: the page is made of the run folder, and served on this machine alone."""
