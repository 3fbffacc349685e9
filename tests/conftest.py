"""Settings of all tests: one thread each, and properties that do not depend on how busy the machine is."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from docker import DockerClient

# As a worker has: small vectors only lose time to more. Torch reads it when it is first imported, here and in the
# processes that tests start.
os.environ["OMP_NUM_THREADS"] = "1"

settings.register_profile("gradwire", max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("gradwire")


@pytest.fixture(scope="module")
def engine() -> Iterator[DockerClient]:
    """A client of the Docker engine that answers, else of one that is started for a module's tests."""
    from containers import own_engine
    from containers.engine import connect

    if not own_engine.answers() and (lack := own_engine.lack()) is not None:
        pytest.skip(lack)
    with own_engine.some_engine():
        client = connect()
        yield client
        client.close()
