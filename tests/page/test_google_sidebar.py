"""The sidebar as Google gives it, in Chromium: each call runs the add-on's server files in Node, and these ask a
real backend."""

import json
import re
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect

from backend.jobs.job import JobState
from backend.servers.server import this_machine
from backend.service.wiring import Sheetrack
from backend.settings import Home
from tests.apps_script.add_on import opened
from tests.examples import recipe_of
from tests.page.conftest import backend, refresh
from tests.patience import wait_until
from tests.speech import write_words

pytestmark = pytest.mark.browser


@pytest.fixture
def sheetrack(home: Home) -> Sheetrack:
    write_words(home.data / "tones")
    return Sheetrack(home)


def test_a_training_is_launched_followed_and_opened_and_another_cancelled(
    sheetrack: Sheetrack, google_page: Page
) -> None:
    here = this_machine()
    google_page.clock.install()
    with backend(sheetrack) as local, opened(**local) as sheet:
        google_page.goto(f"{sheet.address}/openSidebar")
        expect(google_page.locator("#servers b")).to_have_text([here])
        expect(google_page.get_by_label("Data")).to_have_value("tones")
        google_page.get_by_label("Server", exact=True).select_option(here)
        google_page.get_by_label("Network").select_option("ch64")
        google_page.get_by_label("Layers", exact=True).select_option("4")
        google_page.get_by_label("Epochs").fill("1")
        google_page.locator("#launch").dblclick()
        expect(google_page.locator("#answer")).to_contain_text(f"Launched on {here}: r")
        jobs = google_page.locator("#jobs > li")
        expect(jobs).to_contain_text(["ch64 · 4 · DO(0.5)+BN"])
        (first,) = sheetrack.jobs.unfinished_jobs()
        assert (first.server, recipe_of(first).architecture, recipe_of(first).depth) == (here, "ch64", 4)

        google_page.get_by_label("Layers", exact=True).select_option("5")
        google_page.get_by_label("Epochs").fill("1000")
        google_page.locator("#launch").click()
        expect(jobs).to_have_count(2)
        (second,) = (job for job in sheetrack.jobs.unfinished_jobs() if job.id != first.id)
        google_page.get_by_role("button", name=f"Cancel {second.work.title} on {here}").click()
        google_page.get_by_role("button", name="Cancel job").click()
        wait_until(lambda: sheetrack.jobs.job(second.id).state is JobState.CANCELLED)
        refresh(google_page)
        expect(jobs.filter(has_text=second.work.title)).to_contain_text("cancelled")

        done = jobs.filter(has_text=first.work.title)
        wait_until(lambda: sheetrack.jobs.job(first.id).state.is_over)
        refresh(google_page)
        expect(done).to_contain_text("done")
        assert {job.id for job in sheetrack.jobs.finished_jobs(20)} == {first.id, second.id}
        assert sheetrack.jobs.unfinished_jobs() == []
        sheet.change(cell={"row": 1, "column": 1, "text": "", "tab": f"Run {first.id}"})
        with google_page.expect_response("**/showTab"):
            done.get_by_role("button", name=f"Results of {first.work.title}").click()
        assert sheet.seen()["active"] == f"Run {first.id}"


def test_a_backend_that_stops_is_told_and_one_that_is_back_is_believed(
    home: Home, sheetrack: Sheetrack, google_page: Page
) -> None:
    google_page.clock.install()
    notice, answer = google_page.locator("#notice"), google_page.locator("#answer")
    with backend(sheetrack) as local:
        port = urlsplit(local["address"]).port or 0
    with opened(**local) as sheet:
        google_page.goto(f"{sheet.address}/openForm")
        away = (
            f"The backend at {local['address']} does not answer. See whether it is running, then try again."
        )
        expect(notice).to_have_text(away)
        expect(google_page.locator("#hint")).to_have_text(away)
        with backend(Sheetrack(home), port):
            refresh(google_page)
            expect(google_page.locator("#servers b")).to_have_text([this_machine()])
            expect(google_page.locator("#hint")).to_contain_text("parameters")
            expect(notice).to_be_hidden()
        google_page.locator("#launch").click()
        expect(answer).to_have_text(away)
        refresh(google_page)
        expect(notice).to_have_text(re.compile(f"^Not updated since .*{re.escape(away)}$"))
        expect(google_page.locator("#servers b")).to_have_text([this_machine()])
        with backend(Sheetrack(home), port):
            google_page.locator("#launch").click()
            expect(answer).to_contain_text("Launched on")
            expect(google_page.locator("#jobs > li")).to_contain_text(["ch32 · 8 · DO(0.5)+BN"])
            expect(notice).to_be_hidden()


SCRIPT = """
    var calls = 0;
    function echo(...given) { return [++calls, ...given]; }
    function returnDate() { return { at: [new Date(0)] }; }
    function returnFunction() { return [() => 1]; }
    function returnCircle() { const circle = {}; circle.inside = circle; return circle; }
    function returnNothing() {}
    function raise() { throw new TypeError('This went wrong.'); }
    function hidden_() {}
"""
CALL = """([name, given]) => new Promise((resolve) => google.script.run
    .withSuccessHandler((answer, object) => resolve(object === document.body && ['answered', answer]))
    .withFailureHandler((error, object) => resolve(object === document.body && [error.name, error.message]))
    .withUserObject(document.body)[name](...eval(given)))"""


def test_values_cross_as_google_lets_them(google_page: Page) -> None:
    with opened(more_script=SCRIPT) as sheet:
        google_page.goto(f"{sheet.address}/openSidebar")

        def called(name: str, given: str = "[]") -> object:
            return google_page.evaluate(CALL, [name, given])

        plain = ["ä", 1.5, True, None, {"in": [{}]}]
        assert called("echo", json.dumps(plain)) == ["answered", [1, *plain]]
        assert called("echo", "[[undefined, 1], { gone: undefined }]") == ["answered", [1, [None, 1], {}]]
        for foreign in ("new Date()", "{ at: [() => 1] }", "document.body", "new Map()", "10n"):
            with pytest.raises(Exception, match="illegal value in property"):
                called("echo", f"[{foreign}]")
        with pytest.raises(Exception, match="circular"):
            called("echo", "(() => { const circle = []; circle.push(circle); return circle; })()")
        assert called("returnNothing") == ["answered", None]
        illegal = ["ScriptError", "TypeError: Failed due to illegal value in property: 0"]
        assert called("returnDate") == called("returnFunction") == illegal
        assert "circular" in str(called("returnCircle"))
        assert called("raise") == ["ScriptError", "TypeError: This went wrong."]
        for name in ("hidden_", "askBackend_", "noSuchFunction"):
            assert google_page.evaluate(f"typeof google.script.run.{name}") == "undefined"
