"""The explorer: one HTML file that has a run's answers, and every view of its cells. It needs no network."""

from reports.explorer.page import NAME, report_page

__all__ = ["NAME", "report_page"]
