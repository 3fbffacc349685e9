"""`gradwire doctor`: looks at what a sweep needs, says what is wrong and what to do, repairs what is safe."""

from testbed.doctor.check import Check, Level, Verdict
from testbed.doctor.report import run

__all__ = ["Check", "Level", "Verdict", "run"]
