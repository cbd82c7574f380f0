"""The sidebar's form for a program of the lab's own, and the logs of jobs."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from models.run_folder import RunFolder
from tests.page.conftest import poll, refresh, show_tab
from tests.page.lab import Lab

pytestmark = pytest.mark.browser


def write_log(lab: Lab, run: str, content: str) -> None:
    folder = RunFolder(lab.home.runs / run)
    folder.path.mkdir(parents=True, exist_ok=True)
    folder.log_file.write_text(content)


def test_a_program_is_launched_and_the_training_is_not_asked_for(sidebar: Page, lab: Lab) -> None:
    sidebar.get_by_text("A program of your own").click()
    expect(sidebar.get_by_label("Network")).to_be_hidden()
    expect(sidebar.locator("#hint")).to_be_hidden()
    sidebar.locator("#data").evaluate("field => { field.value = '' }")
    sidebar.get_by_label("Command").fill("python train.py --lr 0.1")
    sidebar.get_by_label("Folder on the server").fill("/home/kim/study")
    sidebar.get_by_role("button", name="Run on gpu2").click()
    expect(sidebar.locator("#answer")).to_contain_text("Launched on gpu2: r")
    expect(sidebar.locator("#jobs")).to_contain_text("python train.py --lr 0.1")
    (job,) = (job for job in lab.jobs.unfinished_jobs() if job.command)
    assert job.command
    assert (job.command.command, job.command.folder) == ("python train.py --lr 0.1", "/home/kim/study")
    sidebar.get_by_label("Command").fill("a | b")
    sidebar.get_by_role("button", name="Run on gpu2").click()
    expect(sidebar.locator("#answer")).to_contain_text("means something to a shell only")
    sidebar.get_by_text("A program of your own").click()
    expect(sidebar.get_by_role("button", name="Train on gpu2")).to_be_visible()


def test_a_log_is_followed_below_its_job(sidebar: Page, lab: Lab) -> None:
    write_log(lab, "r000001", "one\n<b>two\x1b[1m</b>\n")
    button = sidebar.get_by_role("button", name=re.compile("^Log of .* run r000001$"))
    button.click()
    log = sidebar.get_by_role("region", name=re.compile("^Log of .* run r000001$"))
    expect(log).to_have_text("one\n<b>two\\x1b[1m</b>")
    write_log(lab, "r000001", "one\ntwo\nthree\n")
    refresh(sidebar)
    expect(log).to_have_text("one\ntwo\nthree")
    expect(button).to_have_attribute("aria-expanded", "true")
    with sidebar.expect_download() as download:
        sidebar.get_by_role("link", name="Whole log").and_(sidebar.locator(":visible")).click()
    assert download.value.suggested_filename == "r000001.log"
    button.click()
    expect(log).to_be_hidden()
    expect(sidebar.get_by_role("button", name=re.compile("^Log of .* run r000002$"))).to_have_count(0)


def test_the_page_of_a_job_follows_its_log(open_page: Callable[..., Page], lab: Lab) -> None:
    write_log(lab, "r000001", "one\n")
    page = open_page("/")
    show_tab(page, "Jobs")
    page.get_by_role("link", name="r000001").click()
    expect(page.get_by_role("heading", name="r000001")).to_be_visible()
    expect(page.locator("#log")).to_have_text("one")
    write_log(lab, "r000001", "".join(f"{number}\n" for number in range(500)))
    poll(page)
    expect(page.locator("#log")).to_contain_text("470\n")
    expect(page.locator("#log")).not_to_contain_text("469\n")
    assert page.locator("#log").evaluate("log => log.scrollTop + log.clientHeight >= log.scrollHeight - 1")
