import sys

import pytest

from testbed.command import run
from testbed.errors import LabError


def test_output_comes_back() -> None:
    assert run([sys.executable, "-c", "print('said')"]) == "said\n"


def test_standard_input_is_empty() -> None:
    assert run([sys.executable, "-c", "import sys; print(len(sys.stdin.read()))"]) == "0\n"


def test_failure_says_command_status_and_last_words() -> None:
    code = "import sys; print('why', file=sys.stderr); sys.exit(3)"
    with pytest.raises(LabError, match=r"-c .* failed with status 3: why"):
        run([sys.executable, "-c", code])


def test_program_that_is_not_there() -> None:
    with pytest.raises(LabError, match="no-such-program cannot start: No such file"):
        run(["no-such-program"])


def test_time_limit() -> None:
    with pytest.raises(LabError, match=r"did not end within 0\.2 s"):
        run([sys.executable, "-c", "import time; time.sleep(9)"], timeout_s=0.2)
