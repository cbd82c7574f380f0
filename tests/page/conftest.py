"""A real headless Chromium, and a lab behind the real app to look at."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, Page, Route, expect, sync_playwright

from backend.service.serving import serving
from backend.service.wiring import Sheetrack
from backend.settings import Home
from tests.jobs.ending import end_all
from tests.page.lab import TOKEN, Lab
from tests.patience import PATIENCE_MILLISECONDS

BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
"""The first takes a sixth of the time of the others, which prepare windows that no test opens."""
QUIET = [
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
    "--no-sandbox",
    "--use-fake-device-for-media-stream",  # a microphone that beeps
    "--use-fake-ui-for-media-stream",  # Chromium without windows cannot ask
]

expect.set_options(timeout=PATIENCE_MILLISECONDS)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        missing = "needs Chromium: sudo apt-get install chromium-headless-shell"
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=QUIET)
        yield browser
        browser.close()


@pytest.fixture
def lab(home: Home) -> Lab:
    return Lab(home)


@pytest.fixture
def address(lab: Lab) -> Iterator[str]:
    with lab.serving() as address:
        yield address


@pytest.fixture
def new_page(chromium: Browser) -> Iterator[Callable[..., Page]]:
    """Opens a window; an error in its scripts fails the test."""
    with windows(chromium) as opened:
        yield opened


@contextmanager
def windows(chromium: Browser) -> Iterator[Callable[..., Page]]:
    faults: list[str] = []
    contexts = []

    def opened(*, width: int = 1280, height: int = 800) -> Page:
        context = chromium.new_context(viewport={"width": width, "height": height})
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MILLISECONDS)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("dialog", lambda dialog: faults.append(f"a dialog: {dialog.message}"))
        return page

    yield opened
    for context in contexts:
        context.close()
    assert faults == []


@pytest.fixture
def open_page(address: str, new_page: Callable[..., Page]) -> Callable[..., Page]:
    """Opens a path of the lab's page, with a clock that the test may move.

    Windows close before the server that they still load from, which is made first.
    """

    def opened(path: str = "/", **size: int) -> Page:
        return load(new_page(**size), address, path)

    return opened


def load(page: Page, address: str, path: str) -> Page:
    let_in(page, address)
    page.clock.install()
    page.goto(address + path)
    return page


@contextmanager
def shared_page(chromium: Browser, home: Home, path: str, *, history: bool = False) -> Iterator[Page]:
    """The lab's page for the tests of a module that only look at it."""
    lab = Lab(home)
    if history:
        lab.add_history()
    with lab.serving() as address, windows(chromium) as new_page:
        yield load(new_page(), address, path)


def let_in(page: Page, address: str) -> None:
    """Gives the window what opening the address with the token gives it: the session's cookie and key."""
    answer = page.context.request.get(f"{address}/?token={TOKEN}", max_redirects=0)
    key = answer.headers["location"].partition("#key=")[2]
    page.add_init_script(f"try {{ localStorage.setItem('sheetrack-key', '{key}'); }} catch {{}}")


@pytest.fixture
def google_page(new_page: Callable[..., Page]) -> Page:
    """Empty, and as wide as Google makes a sidebar."""
    return new_page(width=300, height=900)


@contextmanager
def backend(sheetrack: Sheetrack, port: int = 0) -> Iterator[dict[str, str]]:
    """Serves while the block lasts and ends what trainings are left; yields its address, and its token apart."""
    with serving(sheetrack, port) as page:
        address, token = page.split("/?token=")
        try:
            yield {"address": address, "token": token}
        finally:
            end_all(sheetrack)


def show_tab(page: Page, tab: str) -> None:
    """Clicks the tab and waits until it is drawn."""
    page.get_by_role("tab", name=tab, exact=True).click()
    expect(page.get_by_role("tab", selected=True)).to_have_text(tab)
    expect(page.locator("#sheet")).to_have_attribute("aria-busy", "false")


@pytest.fixture
def sidebar(open_page: Callable[..., Page]) -> Page:
    """The sidebar alone."""
    page = open_page("/sidebar")
    expect(page.locator("#servers b")).to_have_count(5)
    return page


def poll(page: Page) -> None:
    """Lets pass what the page waits before it asks again."""
    page.clock.run_for(2_500)


def refresh(sidebar: Page) -> None:
    """Lets pass what the sidebar waits before it asks again: longer after each failure."""
    sidebar.clock.run_for(max(11_000, sidebar.evaluate("refreshMs") + 1000))


def settle(sidebar: Page) -> None:
    """Waits for a call that was made after all those in question."""
    sidebar.evaluate(
        "new Promise(resolve => google.script.run.withSuccessHandler(resolve).showTab('Servers'))",
    )


def as_in_google(route: Route) -> None:
    """Takes away what only the local page offers."""
    shim = route.fetch().text()
    assert ", page }" in shim
    route.fulfill(body=shim.replace(", page }", " }"), content_type="text/javascript")
