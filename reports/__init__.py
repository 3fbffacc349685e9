"""Figures and pages, made from a run's table and provenance alone."""

from reports.write import write

__all__ = ["write"]
