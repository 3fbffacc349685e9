"""A real browser for the tests of reports: one Chromium for all of them, and pages on which no complaint is allowed."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from testbed.results.run_folder import RunFolder
from testbed.results.table import table
from testbed.sweep import write_report
from tests import made_runs

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Dialog, Page

CHROMIUM: Final = shutil.which("chromium")
ARGUMENTS: Final = (
    "--no-sandbox",  # root, as CI is, has none
    "--disable-gpu",
    "--disable-dev-shm-usage",  # of which containers have little
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
TIMEOUT_MS: Final = 60_000  # a busy machine is no reason to fail
READY: Final = "html[data-ready]"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """Headless Chromium, Debian's."""
    if CHROMIUM is None:
        pytest.skip("there is no Chromium: run setup/browser.sh")
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        yield browser
        browser.close()


class Opened:
    """A page and what must stay empty: its complaints, and what it asked of the network."""

    def __init__(self, page: Page, origin: str) -> None:
        self.page, self.complaints = page, list[str]()
        page.set_default_timeout(TIMEOUT_MS)
        page.on("console", lambda message: self._hear(message.type, message.text))
        page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))
        page.on("dialog", self._dismiss)
        page.on("request", lambda request: self._ask(request.url, origin))

    def _hear(self, kind: str, text: str) -> None:
        if kind in ("error", "warning"):
            self.complaints.append(f"{kind}: {text}")

    def _dismiss(self, dialog: Dialog) -> None:
        self.complaints.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def _ask(self, url: str, origin: str) -> None:
        if not url.startswith((origin, "data:", "blob:")):
            self.complaints.append(f"request: {url}")


@pytest.fixture
def open_page(chromium: Browser) -> Iterator[Callable[..., Page]]:
    """Opens a URL in a window of its own, waits for `ready`, by default its charts; nothing may be complained of."""
    opened: list[Opened] = []
    contexts = []

    def open_page(url: str, *, fragment: str = "", ready: str = READY, **context: Any) -> Page:
        settings = {"viewport": {"width": 1280, "height": 900}, "reduced_motion": "reduce"} | context
        contexts.append(chromium.new_context(**settings))
        page = contexts[-1].new_page()
        opened.append(Opened(page, url))
        page.goto(url + fragment)
        page.wait_for_selector(ready, state="attached")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert [complaint for one in opened for complaint in one.complaints] == []


@pytest.fixture(scope="session")
def report_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Makes the report of a kind of made run, once; the path of its file."""
    made: dict[str, Path] = {}

    def report_of(kind: str) -> Path:
        if kind not in made:
            run = RunFolder(made_runs.make(kind, tmp_path_factory.mktemp("made") / kind))
            write_report(run, table(run))
            made[kind] = run.report_path
        return made[kind]

    return report_of


@pytest.fixture
def open_report(open_page: Callable[..., Page], report_of: Callable[[str], Path]) -> Callable[..., Page]:
    """Opens the report of a kind of made run from disk."""

    def open_report(kind: str, **settings: Any) -> Page:
        return open_page(report_of(kind).as_uri(), **settings)

    return open_report
