"""Settings of all tests: one thread each, and properties that do not depend on how busy the machine is."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

# As a worker has: small vectors only lose time to more. Torch reads it when it is first imported, here and in the
# processes that tests start.
os.environ["OMP_NUM_THREADS"] = "1"

settings.register_profile("gradwire", max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("gradwire")
