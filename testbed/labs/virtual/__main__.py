"""`python -m testbed.labs.virtual` builds what the virtual lab needs and lacks: kernel and C helpers.

Progress goes to standard error, the paths of both to standard output, one a line.
"""

from __future__ import annotations

import sys

from testbed.errors import LabError, UserError
from testbed.labs import native
from testbed.labs.virtual import kernel


def main() -> int:
    """The exit status: 2 where this machine or its user must change something, 1 where a build failed."""
    try:
        for build in (native.ensure, kernel.ensure):  # a second, then minutes
            print(build(_say), flush=True)
    except UserError as error:
        _say(str(error))
        return 2
    except LabError as error:
        _say(str(error))
        return 1
    return 0


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
