"""The sweep file: read, checked once, and resolved to cells in SI units."""

from testbed.specification.plan import Plan, load_plan
from testbed.specification.selection import select

__all__ = ["Plan", "load_plan", "select"]
