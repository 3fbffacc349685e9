"""Figures and pages, made from a run's table and provenance alone."""

from reports.write import write
from reports.write_figures import Made, write_figures
from reports.write_training import write_training

__all__ = ["Made", "write", "write_figures", "write_training"]
