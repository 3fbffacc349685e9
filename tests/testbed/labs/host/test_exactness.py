from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from testbed.errors import LabError
from testbed.labs.host import congestion, exactness, requirements
from testbed.labs.host.requirements import backend, lacks

pytestmark = [pytest.mark.host, pytest.mark.timeout(120)]


@pytest.fixture(scope="module")
def way() -> str:
    found = lacks()
    if (lack := requirements.missing(found)) is not None:
        pytest.skip(lack)
    if not congestion.allowed():
        pytest.skip("CUBIC is not allowed in new namespaces")
    return str(backend(found))


def interfaces() -> set[str]:
    return {path.name for path in Path("/sys/class/net").iterdir()}


def test_a_delay_is_measured_and_the_machine_is_as_before(way: str, helpers: Path) -> None:
    before, family = interfaces(), psutil.Process().children(recursive=True)
    measured = exactness.measure(helpers, way)
    assert measured.backend == way
    assert measured.expected_s == pytest.approx(exactness.LATENCY_S, rel=0.01)
    # Within milliseconds whatever else runs here: a delay that were not set, or set twice, would be off by 5.
    assert abs(measured.median_error_s) < 2.5e-3
    assert abs(measured.median_error_s) <= abs(measured.largest_error_s)
    assert interfaces() == before
    assert psutil.Process().children(recursive=True) == family


def test_a_network_that_cannot_be_had_is_a_fault(way: str, tmp_path: Path) -> None:
    with pytest.raises(LabError, match="cannot be started: No such file"):
        exactness.measure(tmp_path, way)
