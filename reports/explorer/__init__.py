"""The explorer: one HTML file that has a run's answers, and every view of its cells or trials. It needs no network."""

from reports.explorer.page import report_page, training_page

__all__ = ["report_page", "training_page"]
