"""The page and the sidebar for people who cannot see, or not well, or use no mouse."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.page.accessibility import violations
from tests.page.conftest import show_tab
from tests.page.lab import Lab
from tests.page.runs import RUN

pytestmark = pytest.mark.browser

TABS = ["Servers", "Jobs", "Results", "Leaderboard", "Fine-tuning ch32", f"Run {RUN}"]


@pytest.mark.parametrize("width", [1280, 390])
def test_no_tab_has_violations(open_page: Callable[..., Page], width: int) -> None:
    page = open_page(width=width)
    for tab in TABS:
        show_tab(page, tab)
        assert violations(page) == []


def test_the_sidebar_has_no_violations(open_page: Callable[..., Page], lab: Lab) -> None:
    page = open_page("/sidebar", width=300)
    expect(page.locator("#hint")).to_contain_text("parameters")
    page.get_by_role("button", name="Cancel ch128").click()
    lab.loses_answers = True
    page.locator("#launch").click()
    expect(page.locator("#answer")).to_contain_text("cannot answer now")
    assert violations(page) == []
