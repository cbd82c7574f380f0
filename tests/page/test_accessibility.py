"""What axe-core finds wrong for people who cannot see, or not well, or use no mouse."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Frame, Page, expect

from tests.page.conftest import show_tab
from tests.page.lab import Lab
from tests.page.runs import RUN

pytestmark = pytest.mark.browser

AXE = Path(__file__).parents[2] / "node_modules/axe-core/axe.min.js"
TABS = ["Servers", "Jobs", "Results", "Leaderboard", "Fine-tuning ch32", f"Run {RUN}"]


def violations(frame: Page | Frame) -> list[str]:
    """What axe finds, as `rule: element`. It runs in the document itself, whatever its security policy."""
    if not AXE.exists():
        pytest.fail("axe-core is missing: npm install --no-package-lock --ignore-scripts")
    frame.evaluate(AXE.read_text(encoding="utf-8"))
    found = frame.evaluate(
        "axe.run(document, { iframes: false }).then(result => JSON.stringify(result.violations))"
    )
    return [f"{rule['id']}: {node['html']}" for rule in json.loads(found) for node in rule["nodes"]]


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
