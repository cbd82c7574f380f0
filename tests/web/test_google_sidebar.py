"""The sidebar as Google gives it, in Chromium: each call runs the add-on's server files in Node, and these ask a
real backend."""

import json
import re
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect

from backend.job import JobState
from backend.server import this_machine
from backend.serving import serving
from backend.settings import Home
from backend.wiring import Sheetrack, build
from tests.apps_script.add_on import opened
from tests.speech import write_words
from tests.web.conftest import refresh

PATIENCE_MILLISECONDS = 240_000

pytestmark = pytest.mark.browser


@pytest.fixture
def sheetrack(home: Home) -> Sheetrack:
    write_words(home.data / "tones")
    return build(home)


def test_a_training_is_launched_followed_and_opened_and_another_cancelled(
    sheetrack: Sheetrack, google_page: Page
) -> None:
    here = this_machine()
    with serving(sheetrack, 0) as page, opened(**backend_at(page)) as sheet:
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
        expect(jobs).to_have_count(1)
        (first,) = sheetrack.store.unfinished_jobs()
        assert (first.server, first.recipe.architecture, first.recipe.depth) == (here, "ch64", 4)

        google_page.get_by_label("Layers", exact=True).select_option("5")
        google_page.get_by_label("Epochs").fill("1000")
        google_page.locator("#launch").click()
        expect(jobs).to_have_count(2)
        (second,) = (job for job in sheetrack.store.unfinished_jobs() if job.id != first.id)
        google_page.get_by_role("button", name=f"Cancel {second.recipe.title} on {here}").click()
        google_page.get_by_role("button", name="Cancel job").click()
        expect(jobs.filter(has_text=second.recipe.title)).to_contain_text("cancelled")
        assert sheetrack.store.job(second.id).state is JobState.CANCELLED

        done = jobs.filter(has_text=first.recipe.title)
        expect(done).to_contain_text("done", timeout=PATIENCE_MILLISECONDS)
        assert {job.id for job in sheetrack.store.finished_jobs(20)} == {first.id, second.id}
        assert sheetrack.store.unfinished_jobs() == []
        sheet.change(cell={"row": 1, "column": 1, "text": "", "tab": f"Run {first.id}"})
        with google_page.expect_response("**/showTab"):
            done.get_by_role("button", name=f"Results of {first.recipe.title}").click()
        assert sheet.seen()["active"] == f"Run {first.id}"


def test_a_backend_that_stops_is_told_and_one_that_is_back_is_believed(
    home: Home, sheetrack: Sheetrack, google_page: Page
) -> None:
    google_page.clock.install()
    notice, answer = google_page.locator("#notice"), google_page.locator("#answer")
    with serving(sheetrack, 0) as page:
        backend = backend_at(page)
    with opened(**backend) as sheet:
        google_page.goto(f"{sheet.address}/openForm")
        away = (
            f"The backend at {backend['address']} does not answer. See whether it is running, then try again."
        )
        expect(notice).to_have_text(away)
        expect(google_page.locator("#hint")).to_have_text(away)
        with serving(build(home), urlsplit(backend["address"]).port or 0):
            refresh(google_page)
            expect(google_page.locator("#servers b")).to_have_text([this_machine()])
            expect(google_page.locator("#hint")).to_contain_text("parameters")
            expect(notice).to_be_hidden()
        google_page.locator("#launch").click()
        expect(answer).to_have_text(away)
        refresh(google_page)
        expect(notice).to_have_text(re.compile(f"^Not updated since .*{re.escape(away)}$"))
        expect(google_page.locator("#servers b")).to_have_text([this_machine()])
        with serving(back := build(home), urlsplit(backend["address"]).port or 0):
            google_page.locator("#launch").click()
            expect(answer).to_contain_text("Launched on")
            expect(google_page.locator("#jobs > li")).to_have_count(1)
            expect(notice).to_be_hidden()
            (job,) = back.store.unfinished_jobs()
            back.training.cancel(job.id, "the test")


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
    .withSuccessHandler((answer, object) => resolve(['answered', answer, object === document.body]))
    .withFailureHandler((error, object) => resolve([error.name, error.message, object === document.body]))
    .withUserObject(document.body)[name](...eval(given)))"""


def test_values_cross_as_google_lets_them(google_page: Page) -> None:
    with opened(more_script=SCRIPT) as sheet:
        google_page.goto(f"{sheet.address}/openSidebar")

        def called(name: str, given: str = "[]") -> object:
            return google_page.evaluate(CALL, [name, given])

        plain = ["ä", 1.5, True, None, {"in": [{}]}]
        assert called("echo", json.dumps(plain)) == ["answered", [1, *plain], True]
        assert called("echo", "[[undefined, 1], { gone: undefined }]") == [
            "answered",
            [1, [None, 1], {}],
            True,
        ]
        for foreign in ("new Date()", "{ at: [() => 1] }", "document.body", "new Map()", "10n"):
            with pytest.raises(Exception, match="illegal value in property"):
                called("echo", f"[{foreign}]")
        with pytest.raises(Exception, match="circular"):
            called("echo", "(() => { const circle = []; circle.push(circle); return circle; })()")
        assert called("returnNothing") == ["answered", None, True]
        for name in ("returnDate", "returnFunction"):
            assert called(name) == [
                "ScriptError",
                "TypeError: Failed due to illegal value in property: 0",
                True,
            ]
        assert "circular" in str(called("returnCircle"))
        assert called("raise") == ["ScriptError", "TypeError: This went wrong.", True]
        for name in ("hidden_", "askBackend_", "noSuchFunction"):
            assert google_page.evaluate(f"typeof google.script.run.{name}") == "undefined"


def backend_at(page: str) -> dict[str, str]:
    address, token = page.split("/?token=")
    return {"address": address, "token": token}
