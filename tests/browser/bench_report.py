"""`make bench-report`: how large a report of 480 cells is and how soon it shows, beside what it may be.

Exit status 1 where it is more.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Final

from testbed.results.run_folder import RunFolder
from testbed.results.table import table
from testbed.sweep import write_report
from tests import made_runs
from tests.browser.conftest import ARGUMENTS

if TYPE_CHECKING:
    from playwright.sync_api import Browser

MOST_BYTES: Final = 6_000_000
MOST_S: Final = 1.0  # to the first view: the answers, and the first chart beside them
ROUNDS: Final = 5
# When the first chart and when all of them were there, in milliseconds since the page was asked for
_WATCH: Final = """
new MutationObserver(() => {
  if (!window.firstChart && document.querySelector("#charts svg")) window.firstChart = performance.now();
  if (!window.allCharts && document.documentElement.dataset.ready) window.allCharts = performance.now();
}).observe(document, { subtree: true, childList: true, attributes: true });
"""
_TIMES: Final = """
[performance.getEntriesByName("first-contentful-paint")[0].startTime, window.firstChart, window.allCharts]
"""


def main() -> int:
    """Make the run, its report, and open it some times."""
    from playwright.sync_api import sync_playwright

    program = shutil.which("chromium")
    if program is None:
        sys.exit("there is no Chromium: run setup/browser.sh")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
        run = RunFolder(made_runs.make("large", Path(folder) / "run"))
        began_s = time.perf_counter()
        write_report(run, table(run))
        made_s = time.perf_counter() - began_s
        size_bytes = run.report_path.stat().st_size
        browser = driver.chromium.launch(executable_path=program, args=list(ARGUMENTS))
        rounds = [_open(browser, run.report_path.as_uri()) for _ in range(ROUNDS)]
        browser.close()
    text_s, first_s, all_s = (median(times) for times in zip(*rounds, strict=True))
    print(
        f"a report of {len(made_runs.cells_of('default'))} cells, made in {made_s:.1f} s; medians of {ROUNDS} openings"
    )
    print(f"size         {size_bytes / 1e6:5.2f} MB  (at most {MOST_BYTES / 1e6:g} MB)")
    print(f"answers      {text_s:5.2f} s")
    print(f"first chart  {first_s:5.2f} s   (at most {MOST_S:g} s)")
    print(f"all charts   {all_s:5.2f} s")
    return int(size_bytes > MOST_BYTES or max(text_s, first_s) > MOST_S)


def _open(browser: Browser, url: str) -> tuple[float, ...]:
    """Seconds until the answers, the first chart and all charts are there, in a window that knows nothing yet."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.add_init_script(_WATCH)
    page.goto(url)
    page.wait_for_function("window.allCharts && performance.getEntriesByName('first-contentful-paint').length")
    times_ms = page.evaluate(_TIMES)
    context.close()
    return tuple(time_ms / 1e3 for time_ms in times_ms)


if __name__ == "__main__":
    sys.exit(main())
