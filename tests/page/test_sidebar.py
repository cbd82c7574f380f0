"""The add-on's sidebar, as the local page shows it: real files, real calls, a real backend."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Annotated

import pytest
from playwright.sync_api import Page, expect
from pydantic import Field

from backend.api.routes import form
from backend.jobs.job import Job, JobState
from backend.jobs.sweep import Grid
from backend.servers.state import State, Verdict
from backend.times import now
from models.recipe import Recipe
from tests.examples import recipe_of
from tests.page.conftest import refresh, settle
from tests.page.lab import Lab
from tests.page.runs import RUN

pytestmark = pytest.mark.browser

Open = Callable[..., Page]


def new_jobs(lab: Lab) -> list[Job]:
    return [job for job in lab.jobs.unfinished_jobs() if not job.id.startswith("r00000")]


def test_jobs_show_progress_and_why_they_wait(sidebar: Page) -> None:
    jobs = sidebar.locator("#jobs > li")
    expect(jobs.nth(0)).to_contain_text("epoch 14 of 40")
    expect(jobs.nth(0)).to_contain_text(
        "gpu2 · r000001 · kim · loss 0.2134 · 93.12 % validation · 12 min left"
    )
    expect(jobs.nth(0).get_by_role("progressbar")).to_have_attribute("value", "0.35")
    expect(jobs.nth(1)).to_contain_text("waits, 1st")
    expect(jobs.nth(1)).to_contain_text("another training runs on this server")
    expect(sidebar.locator("#jobs")).to_contain_text("the disk is full")


def test_the_form_begins_with_the_recipe_s_own_defaults(sidebar: Page, lab: Lab) -> None:
    expect(sidebar.locator("#hint")).to_have_text(re.compile(r"^[\d,]+ parameters · [\d.]+ Mflop a clip$"))
    expect(sidebar.locator("#data")).to_have_value("speech16")
    sidebar.get_by_role("button", name="Train on gpu2").click()
    expect(sidebar.locator("#answer")).to_contain_text("Launched on gpu2: r")
    (job,) = new_jobs(lab)
    assert job.recipe == Recipe(data="speech16", depth=8)


class OtherRecipe(Recipe):
    """With other defaults and limits."""

    architecture: str = "ch64"
    dropout: float = 0.1
    batch_norm: bool = False
    epochs: Annotated[int, Field(ge=2, le=50)] = 33


class OtherGrid(Grid):
    dropouts: tuple[float, ...] = (0, 0.5)
    batch_norms: tuple[bool, ...] = (True,)
    seeds: Annotated[int, Field(ge=1, le=7)] = 3


def test_the_form_has_no_default_or_limit_of_its_own(
    open_page: Open, monkeypatch: pytest.MonkeyPatch, lab: Lab
) -> None:
    monkeypatch.setattr(form, "Recipe", OtherRecipe)
    monkeypatch.setattr(form, "Grid", OtherGrid)
    sidebar = open_page("/sidebar")
    expect(sidebar.locator("#hint")).to_contain_text("parameters")
    values = {
        name: sidebar.locator(f"#{name}").input_value() for name in ("architecture", "dropout", "epochs")
    }
    assert values == {"architecture": "ch64", "dropout": "0.1", "epochs": "33"}
    expect(sidebar.locator("#batch-norm")).to_have_value("off")
    expect(sidebar.locator("#dropout option")).to_have_text(["none", "0.1", "0.25", "0.5", "0.75"])
    sidebar.get_by_label("Epochs").fill("51")
    sidebar.locator("#launch").click()
    assert not sidebar.locator("#epochs").evaluate("field => field.validity.valid")
    assert new_jobs(lab) == []
    sidebar.get_by_text("A whole grid").click()
    expect(sidebar.locator("#seeds")).to_have_value("3")
    expect(sidebar.locator("#seeds")).to_have_attribute("max", "7")
    expect(sidebar.locator("#batch-norms")).to_have_value("on")
    checked = [box.input_value() for box in sidebar.locator("#dropouts input:checked").all()]
    assert checked == ["0", "0.5"]


def test_a_server_that_is_only_watched_is_not_offered(sidebar: Page, lab: Lab) -> None:
    offered = sidebar.locator("#server option")
    expect(offered).to_have_count(6)  # and any server
    lab.servers = [server.model_copy(update={"trains": server.name != "gpu2"}) for server in lab.servers]
    refresh(sidebar)
    expect(offered).to_have_count(5)
    assert all(not text.startswith("gpu2") for text in offered.all_inner_texts())
    expect(sidebar.get_by_role("button", name="Train on gpu2")).to_have_count(0)
    lab.servers = [server.model_copy(update={"trains": False}) for server in lab.servers]
    refresh(sidebar)
    expect(offered).to_have_text(["none trains yet"])
    sidebar.get_by_role("button", name="Train on …").click()
    assert new_jobs(lab) == []


def test_the_hint_follows_the_network(sidebar: Page) -> None:
    hint = sidebar.locator("#hint")
    expect(hint).to_contain_text("parameters")
    batch_norm = sidebar.get_by_label("Batch norm").first
    batch_norm.select_option("off")
    expect(hint).to_contain_text("94,768 parameters")
    sidebar.get_by_label("Network").select_option("ch128")
    batch_norm.select_option("on")
    expect(sidebar.get_by_label("Layers", exact=True)).to_have_value("9")
    expect(hint).to_contain_text("2,071,184 parameters")
    sidebar.get_by_label("Layers", exact=True).select_option("3")
    sidebar.get_by_label("Network").select_option("base")
    expect(sidebar.get_by_label("Layers", exact=True)).to_have_value("5")


def test_a_double_click_launches_one_job(sidebar: Page, lab: Lab) -> None:
    expect(sidebar.locator("#hint")).to_contain_text("parameters")
    sidebar.get_by_label("Epochs").fill("3")
    sidebar.locator("#launch").dblclick()
    expect(sidebar.locator("#answer")).to_contain_text("Launched on gpu2")
    expect(sidebar.locator("#jobs > li")).to_have_count(5)
    assert lab.requests.count("POST /api/jobs") == 1
    assert [recipe_of(job).epochs for job in new_jobs(lab)] == [3]


def test_a_slow_double_click_launches_one_job(sidebar: Page, lab: Lab) -> None:
    expect(sidebar.locator("#hint")).to_contain_text("parameters")
    sidebar.locator("#launch").hover()
    for click in (1, 2):  # the answer comes between them
        sidebar.mouse.down(click_count=click)
        sidebar.mouse.up(click_count=click)
        expect(sidebar.locator("#answer")).to_contain_text("Launched on gpu2")
    settle(sidebar)
    assert lab.requests.count("POST /api/jobs") == 1


def test_a_launch_whose_answer_was_lost_is_sent_again_as_the_same(sidebar: Page, lab: Lab) -> None:
    expect(sidebar.locator("#hint")).to_contain_text("parameters")
    lab.loses_answers = True
    sidebar.locator("#launch").click()
    expect(sidebar.locator("#answer")).to_contain_text("Try again in a minute")
    lab.loses_answers = False
    sidebar.locator("#launch").click()
    expect(sidebar.locator("#answer")).to_contain_text("Launched on gpu2")
    assert lab.requests.count("POST /api/jobs") == 2
    assert len(new_jobs(lab)) == 1
    sidebar.locator("#launch").click()
    expect(sidebar.locator("#jobs > li")).to_have_count(6)
    assert len(new_jobs(lab)) == 2


def test_what_the_backend_refuses_is_said_in_its_words(sidebar: Page, lab: Lab) -> None:
    expect(sidebar.locator("#hint")).to_contain_text("parameters")
    sidebar.get_by_label("Data").fill("/nowhere")
    lab.servers = [server.model_copy(update={"name": "gpu9"}) for server in lab.servers[:1]]
    refresh(sidebar)
    expect(sidebar.locator("#servers b")).to_have_text(["gpu9"])
    sidebar.get_by_label("Server", exact=True).select_option("gpu9")
    sidebar.locator("#launch").click()
    expect(sidebar.locator("#answer")).to_contain_text("There is no server 'gpu9'. Choose one of gpu2")
    assert new_jobs(lab) == []


def test_a_person_s_choice_outlives_refreshes(sidebar: Page, lab: Lab) -> None:
    server = sidebar.get_by_label("Server", exact=True)
    first, second, *others = lab.servers
    swapped = [second.model_copy(update={"suggested": True}), first.model_copy(update={"suggested": False})]
    lab.servers = [*swapped, *others]
    refresh(sidebar)
    expect(server).to_have_value("gpu1")
    server.select_option("gpu3")
    lab.servers = [first, second]
    refresh(sidebar)
    expect(sidebar.locator("#servers b")).to_have_count(2)
    expect(server).to_have_value("gpu3")
    expect(sidebar.locator("#launch")).to_have_text("Train on gpu3")


def test_a_form_that_a_person_fills_in_keeps_its_server(sidebar: Page, lab: Lab) -> None:
    sidebar.get_by_label("Epochs").focus()
    first, second, *others = lab.servers
    verdict = Verdict(state=State.FULL, reason="no memory left")
    lab.servers = [
        second.model_copy(update={"suggested": True}),
        first.model_copy(update={"verdict": verdict}),
        *others,
    ]
    refresh(sidebar)
    expect(sidebar.locator("#servers b").first).to_have_text("gpu1")
    expect(sidebar.locator("#launch")).to_have_text("Train on gpu2")
    expect(sidebar.get_by_label("Epochs")).to_be_focused()


def test_cancelling_asks_first(sidebar: Page, lab: Lab) -> None:
    job = sidebar.locator("#jobs > li").nth(1)
    cancel = job.get_by_role("button", name="Cancel ch128 · 9 · DO(0.25)+BN on gpu1")
    cancel.click()
    expect(job.get_by_role("button", name="Keep")).to_be_focused()
    sidebar.keyboard.press("Escape")
    expect(cancel).to_be_focused()
    cancel.click()
    refresh(sidebar)
    job.get_by_role("button", name="Cancel job").click()
    cancelled = sidebar.locator("#jobs > li").filter(has_text="ch128")
    expect(cancelled).to_contain_text("cancelled")
    expect(cancelled).to_be_focused()
    assert lab.jobs.job("r000002").state is JobState.CANCELLED


def test_a_running_job_is_cancelling_until_it_has_ended(sidebar: Page, lab: Lab) -> None:
    job = sidebar.locator("#jobs > li").first
    cancel = job.get_by_role("button", name="Cancel ch32 · 8 · DO(0.75) on gpu2")
    cancel.click()
    job.get_by_role("button", name="Cancel job").click()
    expect(job).to_contain_text("cancelling")
    expect(job).to_contain_text("· cancelled by ")
    expect(job.get_by_role("progressbar")).to_be_hidden()
    expect(cancel).to_be_hidden()
    expect(job).to_be_focused()
    cancelling = lab.jobs.job("r000001")
    assert cancelling.state is JobState.CANCELLING
    lab.jobs.change_job(cancelling, state=JobState.CANCELLED, ended_at=now())
    refresh(sidebar)
    expect(sidebar.locator("#jobs > li").filter(has_text="ch32 · 8 · DO(0.75)").first).to_contain_text(
        "cancelled"
    )


def test_a_job_that_ended_meanwhile_cannot_be_cancelled(sidebar: Page, lab: Lab) -> None:
    job = sidebar.locator("#jobs > li").nth(1)
    job.get_by_role("button", name="Cancel ch128").click()
    lab.jobs.change_job(lab.jobs.job("r000002"), state=JobState.DONE, ended_at=now())
    job.get_by_role("button", name="Cancel job").click()
    expect(job).to_contain_text("Job r000002 is done already. There is nothing to cancel.")


def test_the_focus_stays_while_jobs_come_and_go(sidebar: Page, lab: Lab) -> None:
    button = sidebar.get_by_role("button", name="Cancel ch128")
    button.focus()
    recipe = Recipe(data="x")
    lab.jobs.add_job(Job(id="r0000aa", server="gpu5", recipe=recipe, requested_by="lee", submitted_at=now()))
    lab.jobs.change_job(lab.jobs.job("r000001"), state=JobState.CANCELLED, ended_at=now())
    refresh(sidebar)
    expect(sidebar.locator("#jobs")).to_contain_text("gpu5")
    expect(button).to_be_focused()


def test_the_focus_does_not_leave_with_a_job_that_is_gone(sidebar: Page, lab: Lab) -> None:
    sidebar.get_by_role("button", name="Cancel ch128").focus()
    lab.jobs.change_job(lab.jobs.job("r000002"), state=JobState.CANCELLED, ended_at=now())
    for number in range(20):
        job = Job(
            id=f"r00009{number:02}",
            server="gpu5",
            recipe=Recipe(data="x"),
            requested_by="lee",
            submitted_at=now(),
        )
        lab.jobs.add_job(
            job.model_copy(update={"state": JobState.DONE, "ended_at": now() + timedelta(minutes=1)})
        )
    refresh(sidebar)
    expect(sidebar.locator("#jobs")).not_to_contain_text("ch128")
    expect(sidebar.locator("#jobs")).to_be_focused()


def test_a_run_s_results_open_in_the_workbook(open_page: Open) -> None:
    page = open_page()
    page.frame_locator("iframe").get_by_role(
        "button", name=f"Results of ch32 · 8 · DO(0.75), run {RUN}"
    ).click()
    expect(page.get_by_role("tab", selected=True)).to_have_text(f"Run {RUN}")
    expect(page.locator("#sheet")).to_be_focused()


def test_a_tab_that_is_not_there_is_told(open_page: Open, lab: Lab) -> None:
    lab.add_sweep()
    lab.workbook.publish([], gone=["Fine-tuning ch32"])
    sidebar = open_page("/sidebar", width=300)
    sidebar.get_by_role("button", name="Results of Fine-tuning").click()
    expect(sidebar.locator("#jobs")).to_contain_text("There is no tab called Fine-tuning ch32.")


def test_script_run_behaves_as_in_google(sidebar: Page) -> None:
    assert sidebar.evaluate("typeof google.script.run.askBackend_") == "undefined"
    for given in ("new Date()", "{ at: [new Date()] }", "() => 1"):
        with pytest.raises(Exception, match="neither dates nor functions"):
            sidebar.evaluate(f"google.script.run.showTab({given})")
    called = """name => new Promise(resolve => google.script.run
        .withSuccessHandler((answer, object) => resolve(['answered', object]))
        .withFailureHandler((error, object) => resolve([error.message, object]))
        .withUserObject('mine')[name]('Servers'))"""
    assert sidebar.evaluate(called, "showTab") == ["answered", "mine"]
    for name in ("noSuchFunction", "close", "importScripts"):
        assert sidebar.evaluate(called, name) == [f"The add-on has no function {name}.", "mine"]
