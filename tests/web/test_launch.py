"""From the sidebar to the workbook with nothing left out: a real backend, a real training, a real browser.

With SCREENSHOT set to a file, what a person sees at the end is kept there: the picture in the README.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, ViewportSize, expect

from backend.serving import serving
from backend.settings import Home
from backend.wiring import build
from tests.speech import write_words

PATIENCE_MILLISECONDS = 240_000
PICTURE: ViewportSize = {"width": 1280, "height": 800}

pytestmark = pytest.mark.browser


@pytest.fixture
def page(chromium: Browser, home: Home) -> Iterator[Page]:
    sheetrack = build(home)
    with serving(sheetrack, 0) as address:
        context = chromium.new_context(viewport=PICTURE)
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MILLISECONDS)
        page.goto(address)
        yield page
        context.close()


def test_a_training_launched_in_the_sidebar_ends_in_the_workbook(page: Page, tmp_path: Path) -> None:
    expect.set_options(timeout=PATIENCE_MILLISECONDS)
    words = write_words(tmp_path / "tones")
    sidebar = page.frame_locator("iframe")
    expect(sidebar.get_by_label("Network")).to_have_value("ch32")
    sidebar.get_by_label("Layers", exact=True).select_option("4")
    sidebar.get_by_label("Data").fill(str(words))
    sidebar.get_by_label("Epochs").fill("60")
    sidebar.get_by_label("Dropout").select_option("0.25")
    sidebar.get_by_role("button", name=re.compile("^Train on ")).click()
    jobs = sidebar.get_by_role("region", name="Jobs")
    expect(jobs).to_contain_text("ch32 · 4 · DO(0.25)+BN")
    expect(jobs).to_contain_text(" of 60")
    jobs.get_by_role("button", name=re.compile("^Results of ")).click()
    expect(page.get_by_role("heading", name="Confusion matrix")).to_be_visible()
    expect(page.get_by_role("tab", selected=True)).to_contain_text("Run r")
    expect(page.get_by_role("row", name=re.compile("^Test accuracy"))).to_contain_text("of 9 clips")
    expect(page.locator("img").first).to_be_visible()
    page.get_by_role("tab", name="Results").click()
    expect(page.get_by_role("row", name=re.compile("ch32 · 4"))).to_contain_text("tones")
    if file := os.environ.get("SCREENSHOT"):
        page.screenshot(path=file)
