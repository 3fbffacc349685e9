"""What became faster or slower between two runs, by more than noise: made from their tables and provenance alone."""

from reports.comparison.comparing import Apart, Compared, Comparison, Verdict, compare
from reports.comparison.exports import csv_text, frame
from reports.comparison.markdown import markdown
from reports.comparison.page import page
from reports.comparison.side import Side
from reports.comparison.terminal import print_comparison

__all__ = [
    "Apart",
    "Compared",
    "Comparison",
    "Side",
    "Verdict",
    "compare",
    "csv_text",
    "frame",
    "markdown",
    "page",
    "print_comparison",
]
