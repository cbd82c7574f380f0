"""The page: long lists, the page of a run, and runs beside each other."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from backend.tabs.results import results_table
from tests import examples
from tests.page.accessibility import violations
from tests.page.conftest import poll
from tests.page.lab import Lab
from tests.page.runs import RUN, a_history

pytestmark = pytest.mark.browser

Open = Callable[..., Page]


def many_results(lab: Lab, count: int) -> None:
    runs = [
        examples.result(
            f"r{number:04}",
            (number % 10) / 10,
            recipe=examples.recipe(learning_rate=0.001 * (1 + number % 2)),
        )
        for number in range(count)
    ]
    lab.workbook.publish([results_table(runs)])


def test_a_list_is_sorted_and_searched_and_the_address_remembers_it(open_page: Open, lab: Lab) -> None:
    many_results(lab, 30)
    page = open_page("/#Results")
    page.get_by_role("columnheader", name="Test accuracy").click(position={"x": 4, "y": 4})  # above its words
    expect(page.locator("tbody tr").first).to_contain_text("90.00 %")
    page.get_by_role("button", name="Test accuracy").click()
    expect(page.locator("tbody tr").first).to_contain_text("0.00 %")
    page.get_by_label("Search the rows").fill("r000")
    expect(page.get_by_text("10 of 30 rows")).to_be_visible()
    expect(page.locator("tbody tr")).to_have_count(10)
    expect(page.get_by_role("columnheader", name="Learning rate")).to_be_visible()
    page.get_by_label("Search the rows").fill("r0001")
    expect(page.get_by_text("learning rate 0.002")).to_be_visible()  # the same in all rows that are shown
    expect(page.get_by_role("columnheader", name="Learning rate")).to_have_count(0)
    page.get_by_text("Columns", exact=True).click()
    page.get_by_role("checkbox", name="Server").uncheck()
    expect(page.get_by_role("columnheader", name="Server")).to_have_count(0)
    assert violations(page) == []
    address = page.url
    page.goto("about:blank")
    page.goto(address)
    expect(page.get_by_label("Search the rows")).to_have_value("r0001")
    expect(page.get_by_role("columnheader", name="Server")).to_have_count(0)
    expect(page.get_by_role("columnheader", name="Test accuracy")).to_have_attribute("aria-sort", "ascending")


def test_more_rows_of_a_long_list_come_with_scrolling(open_page: Open, lab: Lab) -> None:
    many_results(lab, 500)
    page = open_page("/#Results")
    expect(page.locator("tbody tr")).to_have_count(80)
    # What is not drawn is counted all the same, and the page's search finds it.
    expect(page.locator("table")).to_have_attribute("aria-rowcount", "501")
    expect(page.locator("tbody tr").last).to_have_attribute("aria-rowindex", "81")
    page.locator("tbody tr").last.scroll_into_view_if_needed()
    expect(page.locator("tbody tr")).to_have_count(280)
    page.keyboard.press("Control+f")
    expect(page.get_by_label("Search the rows")).to_be_focused()


def test_the_sweep_in_jobs_opens_to_its_cells_and_a_cell_to_its_page(open_page: Open, lab: Lab) -> None:
    lab.add_sweep()
    lab.show_jobs()
    page = open_page("/#Jobs")
    expect(page.get_by_text("1 of 4 done")).to_be_visible()
    expect(page.get_by_role("link", name="r000011")).to_have_count(0)
    page.get_by_role("button", name=re.compile("^Details of s")).click()
    page.get_by_role("link", name="r000012").click()
    expect(page.get_by_role("heading", name="r000012")).to_be_visible()
    expect(page.get_by_text("the disk is full")).to_be_visible()


def test_a_run_is_watched_while_it_trains_and_cancelled(open_page: Open, lab: Lab) -> None:
    page = open_page("/#Run%20r000001")
    expect(page.get_by_text("epoch 14 of 40")).to_be_visible()
    expect(page.get_by_text("12 min left")).to_be_visible()
    folder = lab.home.runs / "r000001"
    folder.mkdir(parents=True)
    (folder / "history.jsonl").write_text(a_history()[0].model_dump_json() + "\n")
    poll(page)
    expect(page.get_by_role("img", name=re.compile("Accuracy over the epochs 1 to 1"))).to_be_visible()
    page.locator("#sheet").get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Yes, cancel it").click()
    expect(page.locator("#sheet")).to_contain_text("cancelling")
    assert lab.jobs.job("r000001").state == "cancelling"


def test_a_run_is_named_noted_starred_deleted_and_taken_back(open_page: Open, lab: Lab) -> None:
    (lab.home.runs / RUN / "result.json").write_text(lab.result(RUN).content.model_dump_json())
    page = open_page(f"/#Run%20{RUN}")
    expect(page.get_by_role("table", name="Confusion matrix")).to_be_visible()
    assert violations(page) == []
    page.get_by_text("Name and note").click()
    page.get_by_label("Name", exact=True).fill("wider")
    page.get_by_label("Note", exact=True).fill("<b>lr too high</b>")
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".noted")).to_have_text("<b>lr too high</b>")
    page.get_by_role("button", name="Star").click()
    expect(page.get_by_role("heading", name=f"★ {RUN}")).to_be_visible()
    page.get_by_role("button", name="Delete").click()
    expect(page.get_by_text("This run is in the bin.")).to_be_visible()
    page.get_by_role("button", name="Take it back").click()
    expect(page.get_by_role("heading", name=f"★ {RUN}")).to_be_visible()
    assert lab.result(RUN).run == RUN


def test_again_fills_the_form_with_all_that_the_recipe_says(open_page: Open, lab: Lab) -> None:
    page = open_page(f"/#Run%20{RUN}")
    form = page.frame_locator("iframe")
    expect(form.locator("#hint")).to_contain_text("parameters")
    page.locator("#sheet").get_by_role("button", name="Again").click()
    expect(form.locator("#answer")).to_contain_text(f"Filled from {RUN}")
    expect(form.get_by_label("Dropout").first).to_have_value("0.75")
    form.get_by_label("Learning rate").fill("0.002")
    form.locator("#launch").click()
    expect(form.locator("#answer")).to_contain_text("Launched")
    (job,) = (job for job in lab.jobs.unfinished_jobs() if job.recipe and job.recipe.learning_rate == 0.002)
    plain = examples.recipe_of(lab.jobs.job(RUN))
    assert job.recipe == plain.model_copy(update={"learning_rate": 0.002})


def test_again_waits_for_the_fields_of_the_form(open_page: Open, lab: Lab) -> None:
    """What was filled in before them would be lost, and another recipe launched."""
    page = open_page(f"/#Run%20{RUN}")
    form = page.frame_locator("iframe")
    expect(form.locator("#hint")).to_contain_text("parameters")
    inside = page.frames[-1]
    inside.evaluate("networks = []; at('more-choices').replaceChildren()")
    page.locator("#sheet").get_by_role("button", name="Again").click()
    expect(form.locator("#answer")).to_contain_text(f"then the form is filled from {RUN}")
    inside.evaluate("getChoices()")
    expect(form.locator("#answer")).to_contain_text(f"Filled from {RUN}")
    expect(form.get_by_label("Dropout").first).to_have_value("0.75")


def test_the_curves_of_chosen_runs_lie_over_each_other(open_page: Open, lab: Lab) -> None:
    for run in ("r000001", "r77c0de"):
        folder = lab.home.runs / run
        folder.mkdir(parents=True)
        (folder / "history.jsonl").write_text("".join(f"{line.model_dump_json()}\n" for line in a_history()))
    page = open_page("/#Results")
    page.get_by_role("checkbox", name=f"Choose {RUN}").check()
    page.get_by_role("checkbox", name="Choose r77c0de").check()
    page.get_by_role("link", name="Compare 2 runs").click()
    expect(
        page.get_by_role("img", name=re.compile("^Validation accuracy over the epochs 1 to 40"))
    ).to_be_visible()
    expect(page.locator("figure").first.locator("polyline")).to_have_count(2)


def test_the_launch_form_is_a_few_tabs_away(open_page: Open) -> None:
    page = open_page("/")
    expect(page.frame_locator("iframe").locator("#hint")).to_contain_text("parameters")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the launch form")).to_be_focused()
    page.keyboard.press("Enter")
    form = page.frame_locator("iframe")
    expect(form.locator("#server")).to_be_focused()
    stops = 1
    while form.locator("#launch:focus").count() == 0:
        page.keyboard.press("Tab")
        stops += 1
        assert stops < 15


def test_a_click_on_the_short_title_in_a_tab_opens_it(open_page: Open, lab: Lab) -> None:
    lab.show_results()
    page = open_page()
    page.get_by_role("tab", name=f"Run {RUN}").locator("span").click()
    expect(page.get_by_role("tab", selected=True)).to_contain_text(f"Run {RUN}")
    expect(page.get_by_role("table", name="Confusion matrix")).to_be_visible()
