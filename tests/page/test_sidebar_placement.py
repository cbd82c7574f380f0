"""Where a job runs, in the sidebar: any server, how many GPUs, which GPU, and what people decide."""

import pytest
from playwright.sync_api import Page, expect

from backend.jobs.job import AssignedGpu, Job
from tests.page.conftest import refresh
from tests.page.lab import Lab

pytestmark = pytest.mark.browser

RUNNING, WAITING = "r000001", "r000002"


def new_jobs(lab: Lab) -> list[Job]:
    return [job for job in lab.jobs.unfinished_jobs() if not job.id.startswith("r00000")]


def test_a_training_may_run_on_any_server_with_several_gpus(sidebar: Page, lab: Lab) -> None:
    sidebar.locator("#server").select_option("any")
    sidebar.get_by_label("GPUs").fill("2")
    sidebar.get_by_role("button", name="Train on any server").click()
    expect(sidebar.locator("#answer")).to_contain_text("Launched on any server: r")
    (job,) = new_jobs(lab)
    assert (job.server, job.servers, job.gpus) == ("", ("any",), 2)
    expect(sidebar.locator("#jobs")).to_contain_text("any")


def test_a_grid_takes_the_gpus_that_were_asked_for(sidebar: Page, lab: Lab) -> None:
    sidebar.get_by_text("A whole grid").click()
    sidebar.get_by_label("GPUs").fill("0")
    sidebar.locator("#launch").click()
    expect(sidebar.locator("#answer")).to_contain_text("Queued on gpu2")
    assert {job.gpus for job in new_jobs(lab)} == {0}


def test_an_impossible_number_of_gpus_is_not_sent(sidebar: Page, lab: Lab) -> None:
    sidebar.get_by_label("GPUs").fill("65")
    sidebar.locator("#launch").click()
    assert sidebar.locator("#gpus").evaluate("field => field.validity.rangeOverflow")
    assert new_jobs(lab) == []


def test_the_gpus_of_a_job_are_named(sidebar: Page, lab: Lab) -> None:
    gpus = (AssignedGpu(uuid="GPU-a", index=0), AssignedGpu(uuid="GPU-b", index=1))
    lab.jobs.change_job(lab.jobs.job(RUNNING), assigned=gpus)
    refresh(sidebar)
    expect(sidebar.locator("#jobs > li").first).to_contain_text("gpu2, GPUs 0, 1 · ")


def test_a_person_puts_a_job_first_and_overrides_a_reservation(sidebar: Page, lab: Lab) -> None:
    lab.jobs.note_reasons({WAITING: "GPU 1 reserved by park until 18:00"})
    refresh(sidebar)
    waiting = sidebar.locator("#jobs > li").nth(1)
    waiting.get_by_role("button", name=f"first, {WAITING}").click()
    waiting.get_by_role("button", name="Put first").click()
    expect(waiting).to_contain_text("put first by ")
    expect(waiting.get_by_role("button", name=f"first, {WAITING}")).to_be_hidden()
    waiting.get_by_role("button", name="Override reservations").click()
    waiting.get_by_role("button", name="Override it").click()
    expect(waiting).to_contain_text("reservations overridden by ")
    stored = lab.jobs.job(WAITING)
    assert stored.put_first
    assert stored.override
