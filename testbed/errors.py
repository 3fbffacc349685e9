"""The two kinds of failure that a user sees: a mistake of theirs, and a fault of the machine."""


class UserError(Exception):
    """Bad input: one sentence that names field, value, rule and remedy. The command line exits with code 2."""


class LabError(Exception):
    """A fault while running (a worker died, a guest hung, a disk is full): one sentence. Exit code 1."""
