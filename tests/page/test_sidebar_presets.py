"""Named recipes fill the launch form, as `sheetrack train --preset` does."""

import pytest
from playwright.sync_api import Page, expect

from models.presets import preset
from models.recipe import Recipe
from tests.page.lab import Lab

pytestmark = pytest.mark.browser


def launched(sidebar: Page, lab: Lab) -> Recipe:
    before = {job.id for job in lab.jobs.unfinished_jobs()}
    sidebar.locator("#launch").click()
    expect(sidebar.locator("#answer")).to_contain_text("Launched")
    (job,) = (job for job in lab.jobs.unfinished_jobs() if job.id not in before)
    assert job.recipe
    return job.recipe


def test_a_preset_fills_all_that_it_says_and_the_rest_with_its_defaults(sidebar: Page, lab: Lab) -> None:
    expect(sidebar.locator("#hint")).to_contain_text("parameters")
    expect(sidebar.get_by_label("Preset").locator("option")).to_have_text(
        ["none", "published", "fast", "small", "large"]
    )
    sidebar.get_by_label("Network").select_option("base")
    sidebar.get_by_text("More", exact=True).click()
    sidebar.get_by_label("Seed", exact=True).fill("7")
    sidebar.get_by_label("Preset").select_option("published")
    expect(sidebar.locator("#answer")).to_contain_text("published: the lab's study")
    assert launched(sidebar, lab) == Recipe(**preset("published", "base"), data="speech16", seed=7)
    sidebar.get_by_label("Preset").select_option("small")
    sidebar.get_by_label("Epochs").fill("3")
    recipe = launched(sidebar, lab)
    assert recipe == Recipe(**preset("small") | {"epochs": 3}, data="speech16", seed=7)
