"""The run folder: what a sweep declared, what was measured, and the table made of it."""
