"""From the sidebar to the workbook with nothing left out: a real backend, a real training, a real browser.

With SCREENSHOT set to a file, what a person sees at the end is kept there: the picture in the README.
"""

import os
import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, ViewportSize, expect

from backend.service.serving import serving
from backend.service.wiring import Sheetrack
from backend.settings import Home
from models.recipe import WORDS
from tests.patience import PATIENCE_MILLISECONDS
from tests.speech import write_words

SCREENSHOT = os.environ.get("SCREENSHOT")
TRAINED = WORDS if SCREENSHOT else WORDS[:6]
PICTURE: ViewportSize = {"width": 1280, "height": 800}

pytestmark = pytest.mark.browser


@pytest.fixture
def page(chromium: Browser, home: Home, pictures: None) -> Iterator[Page]:
    write_words(home.data / "tones", TRAINED)
    sheetrack = Sheetrack(home)
    with serving(sheetrack, 0) as address:
        context = chromium.new_context(viewport=PICTURE)
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MILLISECONDS)
        page.goto(address)
        yield page
        context.close()


def test_a_training_launched_in_the_sidebar_ends_in_the_workbook(page: Page) -> None:
    sidebar = page.frame_locator("iframe")
    expect(sidebar.get_by_label("Network")).to_have_value("ch32")
    sidebar.get_by_label("Layers", exact=True).select_option("4")
    sidebar.get_by_label("Data").fill("tones")
    sidebar.get_by_label("Epochs").fill("12")
    sidebar.get_by_label("Dropout", exact=True).select_option("0.25")
    sidebar.get_by_role("button", name=re.compile("^Train on ")).click()
    jobs = sidebar.get_by_role("region", name="Jobs")
    expect(jobs).to_contain_text("ch32 · 4 · DO(0.25)+BN")
    expect(jobs).to_contain_text(" of 12", timeout=PATIENCE_MILLISECONDS)
    jobs.get_by_role("button", name=re.compile("^Results of ")).click()
    expect(page.get_by_role("heading", name="Confusion matrix")).to_be_visible()
    expect(page.get_by_role("tab", selected=True)).to_contain_text("Run r")
    expect(page.get_by_role("row", name=re.compile("^Test accuracy"))).to_contain_text(
        f"of {3 * len(TRAINED)} clips"
    )
    page.locator("img").first.scroll_into_view_if_needed()  # it is loaded then
    expect(page.locator("img").first).to_be_visible()
    if SCREENSHOT:
        page.mouse.move(400, 400)
        page.mouse.wheel(0, 480)
        page.wait_for_timeout(1000)
        page.screenshot(path=SCREENSHOT)
    page.get_by_role("tab", name="Results").click()
    expect(page.get_by_role("row", name=re.compile("ch32 · 4"))).to_contain_text("tones synthetic speech")
