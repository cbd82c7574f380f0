"""The bundled add-on in the sheet, the page that copies it, and letting it in on the page."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from backend.api.add_on_files import bundle
from tests.apps_script.add_on import opened
from tests.page.conftest import refresh
from tests.page.lab import TOKEN, Lab

pytestmark = pytest.mark.browser


def test_the_bundle_s_sidebar_shows_the_lab(tmp_path: Path, lab: Lab, google_page: Page) -> None:
    for name, text in bundle().items():
        (tmp_path / name).write_text(text)
    with lab.serving() as address, opened(address=address, token=TOKEN, folder=str(tmp_path)) as sheet:
        google_page.goto(f"{sheet.address}/openSidebar")
        expect(google_page.locator("#servers b")).to_have_count(5)


def test_the_page_copies_each_file(open_page: Callable[..., Page]) -> None:
    page = open_page("/add-on")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    for name, text in bundle().items():
        page.get_by_role("button", name=f"Copy {name}").click()
        expect(page.locator("#status")).to_have_text(f"{name} is copied.")
        assert page.evaluate("navigator.clipboard.readText()") == text


def test_an_add_on_that_asks_is_let_in_with_one_click(sidebar: Page, lab: Lab) -> None:
    expect(sidebar.locator("#add-ons li")).to_have_count(0)
    lab.pairing.note("456.apps.googleusercontent.com", "kim@lab.example")
    refresh(sidebar)
    item = sidebar.locator("#add-ons li")
    expect(item).to_contain_text("kim@lab.example asks to use the add-on in the spreadsheet.")
    item.get_by_role("button", name="Let in the add-on that kim@lab.example uses").click()
    expect(item).to_contain_text("No public address is set. Run: sheetrack connect addon")
    with lab.home.settings_file.open("a") as file:
        file.write('\n[people]\npublic_address = "https://sheetrack.lab.example"\n')
    item.get_by_role("button", name="Let in the add-on that kim@lab.example uses").click()
    expect(item).to_have_count(0)
    people = lab.home.settings().people
    assert people
    assert people.audiences == ("456.apps.googleusercontent.com",)
