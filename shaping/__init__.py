"""Shaping: what each link is to do (`plan`), doing it (`shaper`), finding out what it does (`probe`)."""
