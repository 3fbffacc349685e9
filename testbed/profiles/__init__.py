"""Device profiles: how long computing, encoding, decoding, reducing and copying take on one device."""

from __future__ import annotations

from testbed.profiles.draws import compute_draws
from testbed.profiles.finding import absolute, load, measured_folder, names
from testbed.profiles.instant import own
from testbed.profiles.profile import Profile

__all__ = ["Profile", "absolute", "compute_draws", "load", "measured_folder", "names", "own"]
