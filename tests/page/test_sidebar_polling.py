"""When the sidebar asks the backend, and what it says while nothing comes."""

import re
import threading
from datetime import datetime, timedelta

import pytest
from playwright.sync_api import Page, expect

from backend.jobs.job import JobState
from backend.times import now
from tests.page.conftest import as_in_google, refresh, settle
from tests.page.lab import Lab
from tests.patience import PATIENCE_SECONDS

pytestmark = pytest.mark.browser


def set_visibility(sidebar: Page, state: str) -> None:
    sidebar.evaluate(
        """state => {
          Object.defineProperty(document, 'visibilityState', { value: state, configurable: true });
          document.dispatchEvent(new Event('visibilitychange'));
        }""",
        state,
    )


def readings(lab: Lab) -> int:
    return lab.requests.count("GET /api/sidebar")


def test_more_is_asked_while_a_job_runs(sidebar: Page, lab: Lab) -> None:
    sidebar.clock.pause_at(datetime.now().astimezone() + timedelta(hours=1))
    rename_first(lab, "gpu8")
    sidebar.clock.run_for(4000)
    expect(sidebar.locator("#servers b").first).to_have_text("gpu8")
    lab.jobs.change_job(lab.jobs.job("r000001"), state=JobState.DONE, ended_at=now())
    sidebar.clock.run_for(4000)
    expect(sidebar.locator("#jobs")).not_to_contain_text("epoch 14")
    assert_unhurried(sidebar, lab)


def test_a_running_job_costs_none_of_google_s_quota(sidebar: Page, lab: Lab) -> None:
    sidebar.route("**/shim.js", as_in_google)
    sidebar.reload()
    expect(sidebar.locator("#jobs")).to_contain_text("epoch 14")
    sidebar.clock.pause_at(datetime.now().astimezone() + timedelta(hours=1))
    rename_first(lab, "gpu8")
    refresh(sidebar)
    expect(sidebar.locator("#servers b").first).to_have_text("gpu8")
    assert_unhurried(sidebar, lab)


def rename_first(lab: Lab, name: str) -> None:
    lab.servers = [lab.servers[0].model_copy(update={"name": name}), *lab.servers[1:]]


def assert_unhurried(sidebar: Page, lab: Lab) -> None:
    """Nothing is asked within 4 s, but within 24 s."""
    sidebar.evaluate("refresh()")
    sidebar.evaluate("round.isOver || refresh()")
    before = readings(lab)
    rename_first(lab, "gpu9")
    sidebar.clock.run_for(4000)
    settle(sidebar)
    assert readings(lab) == before
    sidebar.clock.run_for(20_000)
    expect(sidebar.locator("#servers b").first).to_have_text("gpu9")


def test_nothing_is_asked_while_hidden(sidebar: Page, lab: Lab) -> None:
    before = readings(lab)
    set_visibility(sidebar, "hidden")
    sidebar.clock.run_for(120_000)
    settle(sidebar)
    assert readings(lab) == before
    lab.servers = lab.servers[:1]
    set_visibility(sidebar, "visible")
    expect(sidebar.locator("#servers b")).to_have_count(1)
    assert readings(lab) == before + 1


def test_calls_never_overlap_and_old_numbers_are_called_old(sidebar: Page, lab: Lab) -> None:
    expect(sidebar.locator("#hint")).to_contain_text("parameters")
    expect(sidebar.locator("#notice")).to_be_hidden()
    asked, release = threading.Event(), threading.Event()

    def hang(path: str) -> None:
        if path == "/api/sidebar":
            asked.set()
            release.wait(PATIENCE_SECONDS)

    lab.before = hang
    before = readings(lab)
    sidebar.clock.run_for(60_000)
    expect(sidebar.locator("#notice")).to_contain_text("Not updated since")
    assert asked.wait(PATIENCE_SECONDS)
    for _ in range(3):
        set_visibility(sidebar, "visible")
    settle(sidebar)
    assert readings(lab) == before + 1
    lab.servers = lab.servers[:2]
    release.set()
    expect(sidebar.locator("#servers b")).to_have_count(2)
    expect(sidebar.locator("#notice")).to_be_hidden()
    assert readings(lab) <= before + 2


def test_an_error_of_the_backend_is_shown_until_it_is_over(sidebar: Page, lab: Lab) -> None:
    lab.loses_answers = True
    refresh(sidebar)
    notice = sidebar.locator("#notice")
    expect(notice).to_have_text(
        re.compile(
            r"^Not updated since .*\. The backend cannot answer now \(status 500\)\. Try again in a minute\.$"
        )
    )
    lab.loses_answers = False
    refresh(sidebar)
    expect(notice).to_be_hidden()


def test_what_hinders_the_sheet_is_told(sidebar: Page, lab: Lab) -> None:
    lab.sheet_errors = ["What is typed into G31 blocks the column 'Verdict'.", "Google is away."]
    refresh(sidebar)
    notice = sidebar.locator("#notice")
    expect(notice).to_have_text("What is typed into G31 blocks the column 'Verdict'. Google is away.")
    lab.sheet_errors = []
    refresh(sidebar)
    expect(notice).to_be_hidden()
