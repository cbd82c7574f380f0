"""A whole grid from the sidebar: what it asks for, and how far it is."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from backend.jobs.job import JobState
from backend.times import now
from tests.examples import recipe_of
from tests.jobs import swept
from tests.page.accessibility import violations
from tests.page.conftest import refresh
from tests.page.lab import Lab

pytestmark = pytest.mark.browser


@pytest.fixture
def form(sidebar: Page) -> Page:
    """The form with its grid open."""
    expect(sidebar.locator("#hint")).to_contain_text("parameters")
    sidebar.get_by_text("A whole grid").click()
    expect(sidebar.locator("#hint")).to_contain_text("trainings")
    return sidebar


def test_a_grid_says_how_many_trainings_it_is(form: Page) -> None:
    hint = form.locator("#hint")
    expect(hint).to_have_text("28 trainings: 7 depths, 2 dropouts, batch norm on and off")
    expect(form.get_by_label("Layers", exact=True)).to_be_disabled()
    form.get_by_label("Layers from").select_option("8")
    form.get_by_label("to", exact=True).select_option("7")
    form.get_by_label("Batch norm").last.select_option("off")
    form.get_by_label("Seeds").fill("3")
    form.get_by_label("none").check()
    expect(hint).to_have_text("18 trainings: 2 depths, 3 dropouts, 3 seeds")
    expect(form.locator("#launch")).to_have_text("Train all 18 on gpu2")
    form.get_by_text("A whole grid").click()
    expect(hint).to_contain_text("parameters")
    expect(form.locator("#launch")).to_have_text("Train on gpu2")


def test_a_grid_is_queued_once(form: Page, lab: Lab) -> None:
    form.get_by_label("Layers from").select_option("8")
    form.get_by_label("Epochs").fill("3")
    lab.loses_answers = True
    form.locator("#launch").click()
    expect(form.locator("#answer")).to_contain_text("Try again in a minute")
    lab.loses_answers = False
    form.locator("#launch").click()
    expect(form.locator("#answer")).to_have_text(
        "Queued on gpu2: 0 of 8 trainings; 8 are measured or queued already."
    )
    form.get_by_label("Layers from").select_option("7")
    form.locator("#launch").dblclick()
    expect(form.locator("#answer")).to_contain_text("Queued on gpu2: 4 of 12 trainings")
    assert lab.requests.count("POST /api/sweeps") == 3
    (sweep,) = lab.jobs.sweeps()
    assert sweep.recipe.epochs == 3
    jobs = lab.jobs.jobs_of(sweep.id)
    chosen = {(each.depth, each.dropout, each.batch_norm) for each in map(recipe_of, jobs)}
    assert len(jobs) == len(chosen) == 12
    assert chosen == {(d, p, n) for d in (7, 8, 9) for p in (0.25, 0.75) for n in (False, True)}
    expect(form.locator("#jobs > li").filter(has_text="Fine-tuning ch32")).to_contain_text("0 of 12 done")
    expect(form.locator("#jobs > li")).to_have_count(5)


def test_a_grid_without_a_dropout_is_not_sent(form: Page, lab: Lab) -> None:
    form.locator("#dropouts").get_by_label("0.25").uncheck()
    form.locator("#dropouts").get_by_label("0.75").uncheck()
    form.locator("#launch").click()
    message = form.locator("#dropouts input").first.evaluate("box => box.validationMessage")
    assert message == "Choose at least one dropout."
    form.get_by_text("A whole grid").click()
    form.locator("#launch").click()
    expect(form.locator("#answer")).to_contain_text("Launched on gpu2")
    assert lab.requests.count("POST /api/sweeps") == 0


def test_a_grid_keeps_to_the_depths_of_its_network(form: Page) -> None:
    form.get_by_label("Network").select_option("base")
    expect(form.locator("#hint")).to_have_text("4 trainings: 1 depth, 2 dropouts, batch norm on and off")


def test_a_sweep_is_one_line_beside_what_runs(sidebar: Page, lab: Lab) -> None:
    lab.add_sweep()
    refresh(sidebar)
    lines = sidebar.locator("#jobs > li")
    expect(lines).to_have_count(6)
    sweep = lines.filter(has_text="Fine-tuning ch32")
    expect(sweep).to_contain_text("1 of 4 done")
    expect(sweep).to_contain_text("gpu2 · 1 failed: the disk is full")
    expect(sweep.get_by_role("progressbar")).to_have_attribute("value", "0.25")
    expect(lines.filter(has_text="ch32 · 7 · DO(0.25)+BN")).to_contain_text("running")


def test_a_sweep_is_paused_and_goes_on(sidebar: Page, lab: Lab) -> None:
    lab.add_sweep()
    refresh(sidebar)
    sweep = sidebar.locator("#jobs > li").filter(has_text="Fine-tuning ch32")
    sweep.get_by_role("button", name="Pause Fine-tuning ch32 on gpu2").click()
    resume = sweep.get_by_role("button", name="Resume Fine-tuning ch32 on gpu2")
    expect(resume).to_be_focused()
    expect(sweep).to_contain_text("paused by ")
    assert lab.jobs.sweeps()[0].paused_by
    resume.click()
    expect(sweep).not_to_contain_text("paused")
    for job in lab.jobs.unfinished_jobs():
        lab.jobs.change_job(job, state=JobState.CANCELLED, ended_at=now())
    refresh(sidebar)
    expect(sweep.get_by_role("progressbar")).to_be_hidden()
    expect(sweep).to_be_focused()
    assert lab.jobs.sweeps()[0].paused_by is None


def test_a_whole_sweep_is_cancelled_after_a_question(sidebar: Page, lab: Lab) -> None:
    swept = lab.add_sweep()
    refresh(sidebar)
    sweep = sidebar.locator("#jobs > li").filter(has_text="Fine-tuning ch32")
    cancel = sweep.get_by_role("button", name="Cancel Fine-tuning ch32 on gpu2")
    cancel.click()
    expect(sweep.get_by_role("button", name="Keep")).to_be_focused()
    sidebar.keyboard.press("Escape")
    expect(cancel).to_be_focused()
    assert {job.state for job in lab.jobs.jobs_of(swept.id)} & {
        JobState.CANCELLED,
        JobState.CANCELLING,
    } == set()
    cancel.click()
    refresh(sidebar)
    sweep.get_by_role("button", name="Cancel all").click()
    expect(sweep).to_contain_text("1 cancelling")
    states = [job.state for job in lab.jobs.jobs_of(swept.id)]
    assert states == [JobState.DONE, JobState.CANCELLING, JobState.FAILED, JobState.CANCELLED]
    for job in lab.jobs.jobs_of(swept.id):
        if job.state is JobState.CANCELLING:
            lab.jobs.change_job(job, state=JobState.CANCELLED, ended_at=now())
    refresh(sidebar)
    expect(sweep.get_by_role("progressbar")).to_be_hidden()
    expect(cancel).to_be_hidden()


def test_a_sweep_whose_data_is_read_says_how_far_that_is(sidebar: Page, lab: Lab) -> None:
    asked = swept.sweep(data=None, preparing="reading the data, 1,000 of 5,000 clips")
    lab.jobs.add_sweep(asked)
    refresh(sidebar)
    sweep = sidebar.locator("#jobs > li").filter(has_text="Fine-tuning ch32")
    expect(sweep).to_contain_text("preparing")
    expect(sweep).to_contain_text("gpu1 · reading the data, 1,000 of 5,000 clips")
    expect(sweep.get_by_role("progressbar")).to_be_hidden()
    lab.jobs.change_sweep(asked.id, preparing="", fault="It has no words.")
    refresh(sidebar)
    expect(sweep).to_contain_text("gpu1 · It has no words.")


def test_a_sweep_s_results_are_its_tab(open_page: Callable[..., Page], lab: Lab) -> None:
    lab.add_sweep()
    page = open_page()
    page.frame_locator("iframe").get_by_role("button", name="Results of Fine-tuning ch32 on gpu2").click()
    expect(page.get_by_role("tab", selected=True)).to_have_text("Fine-tuning ch32")
    expect(page.locator("#sheet")).to_be_focused()


def test_grids_have_no_violations(form: Page, lab: Lab) -> None:
    lab.add_sweep()
    refresh(form)
    expect(form.locator("#jobs")).to_contain_text("1 of 4 done")
    assert violations(form) == []


def test_google_s_menu_puts_the_form_on_top(sidebar: Page) -> None:
    sidebar.evaluate("showForm()")
    expect(sidebar.get_by_role("heading", level=2)).to_have_text(
        [re.compile(t) for t in ("Train", "Servers", "Jobs")]
    )
