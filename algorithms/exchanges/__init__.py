"""Exchange patterns: who sends what to whom, as generators that an algorithm's `step` delegates to."""
