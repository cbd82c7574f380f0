"""How many of Google's calls a day an open sidebar uses, and how tall it gets with long texts."""

import logging
import math
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from backend.jobs.job import Job, JobState
from backend.servers.reservations import NotSetUp
from backend.times import now
from models.recipe import Recipe
from tests.page.conftest import as_in_google
from tests.page.lab import Lab
from tests.patience import PATIENCE_SECONDS

pytestmark = pytest.mark.browser

log = logging.getLogger(__name__)

TEN_MINUTES_SECONDS = 600
SLOWEST_SECONDS = 60
A_DAY = 6000


def fetches(lab: Lab) -> int:
    """How many of Google's calls it would be: files that the local page's worker loads are none."""
    return sum(" /api/" in request for request in lab.requests)


def fetches_within_half_an_hour(sidebar: Page, lab: Lab) -> int:
    """Lets ten minutes pass, round after round. The rounds after them are like the last one."""
    sidebar.clock.pause_at(time.time() + 3600)
    before, passed = fetches(lab), 0
    while passed < TEN_MINUTES_SECONDS:
        seconds = seconds_to_the_next(sidebar)
        since = fetches(lab)
        sidebar.clock.run_for(1000 * seconds)
        passed += seconds
        until = time.monotonic() + PATIENCE_SECONDS
        while not sidebar.evaluate("round.isOver"):
            assert time.monotonic() < until
            time.sleep(0.05)
    last = fetches(lab) - since
    assert seconds_to_the_next(sidebar) == seconds
    return fetches(lab) - before + math.ceil(last * 2 * TEN_MINUTES_SECONDS / seconds)


def seconds_to_the_next(sidebar: Page) -> int:
    return math.ceil(float(sidebar.evaluate("refreshMs")) / 1000)


@pytest.fixture
def google_sidebar(sidebar: Page) -> Page:
    """The sidebar without what only the local page has."""
    sidebar.route("**/shim.js", as_in_google)
    sidebar.reload()
    expect(sidebar.locator("#servers b")).to_have_count(5)
    expect(sidebar.locator("#hint")).to_contain_text("parameters")
    return sidebar


def test_half_an_hour_in_which_nothing_changes(google_sidebar: Page, lab: Lab) -> None:
    before = fetches(lab)
    count = fetches_within_half_an_hour(google_sidebar, lab)
    log.info("idle: %d fetches in half an hour, %d a day", count, 48 * count)
    assert 30 <= count <= 40
    assert seconds_to_the_next(google_sidebar) == SLOWEST_SECONDS
    assert lab.requests.count("GET /api/sidebar") >= fetches(lab) - before, "one call a round"


def test_half_an_hour_in_which_something_always_changes(google_sidebar: Page, lab: Lab) -> None:
    def train(path: str) -> None:
        job = lab.jobs.job("r000001")
        progress = job.progress.model_copy(update={"epoch": (job.progress.epoch or 0) + 1})
        lab.jobs.change_job(job, progress=progress)

    lab.before = train
    count = fetches_within_half_an_hour(google_sidebar, lab)
    log.info("busy: %d fetches in half an hour, %d a day", count, 48 * count)
    assert count >= 100
    assert 48 * count < A_DAY, "even if every half hour began with rounds that come sooner"


def test_a_backend_that_does_not_answer_is_asked_less_and_less(google_sidebar: Page, lab: Lab) -> None:
    lab.loses_answers = True
    assert 48 * fetches_within_half_an_hour(google_sidebar, lab) < A_DAY
    assert seconds_to_the_next(google_sidebar) == SLOWEST_SECONDS


def test_long_texts_are_cut_everywhere(open_page: Callable[..., Page], lab: Lab) -> None:
    long = "a-very-long-name-" * 180
    for place, state in enumerate((JobState.QUEUED, JobState.FAILED, JobState.CANCELLED)):
        recipe = Recipe(data="speech16", name="n" * 64)
        job = Job(
            id=f"r0000f{place}", server="gpu2", recipe=recipe, requested_by=long, submitted_at=now(),
            state=state, reason=long,
        )  # fmt: skip
        lab.jobs.add_job(job)
    lab.servers = [
        server.model_copy(
            update={"verdict": server.verdict.model_copy(update={"reason": long}), "reserved": long}
        )
        for server in lab.servers
    ]
    lab.sheet_errors = [long]
    lab.not_set_up = [NotSetUp(name="gpu77", lines=long)]
    lab.add_sweep()
    lab.pairing.note(long, long)
    sidebar = open_page("/sidebar", width=300, height=900)
    expect(sidebar.locator("#servers b")).to_have_count(5)
    expect(sidebar.locator("#jobs")).to_contain_text("r0000f0")
    if folder := os.environ.get("SCREENSHOTS"):
        sidebar.screenshot(path=Path(folder) / "long.png", full_page=True)
    assert sidebar.evaluate("document.documentElement.scrollHeight") < 3000
    assert sidebar.evaluate("document.documentElement.scrollWidth") <= 300
