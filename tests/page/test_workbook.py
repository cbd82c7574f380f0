"""The page: tabs, tables, and how they change.

With SCREENSHOT set to a file, a lab of made-up servers is kept there: the first picture in the README.
"""

import os
import re
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from playwright.sync_api import Browser, Page, expect

from backend.settings import Home
from backend.sheets.formats import LESS, MORE, WHITE
from backend.sheets.table import Bars, Column, Number, Section, Sound, Spark, Table, Text
from backend.tabs.names import JOBS, Rank
from backend.times import iso, now
from tests.page.accessibility import violations
from tests.page.conftest import poll, shared_page, show_tab
from tests.page.lab import TOKEN, Lab
from tests.page.runs import HOSTILE, RUN

pytestmark = pytest.mark.browser

Open = Callable[..., Page]
TABS = ["Servers", "Jobs", "Results", "Leaderboard", "Fine-tuning ch32", f"Run {RUN}"]


@pytest.fixture(scope="module")
def window(chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """The page of a lab that no test changes."""
    with shared_page(chromium, Home(tmp_path_factory.mktemp("home")), "/") as page:
        yield page


@pytest.fixture
def looked_at(window: Page) -> Page:
    """That page at its first tab, in a window of the usual size."""
    window.set_viewport_size({"width": 1280, "height": 800})
    show_tab(window, "Servers")
    return window


def test_tabs_show_their_tables(looked_at: Page) -> None:
    page = looked_at
    expect(page).to_have_title("Our lab's servers")
    expect(page.get_by_role("tab")).to_have_text(TABS)
    expect(page.get_by_role("tab", selected=True)).to_have_text("Servers")
    row = page.get_by_role("row").filter(has=page.get_by_role("rowheader", name="gpu1"))
    expect(row.get_by_role("cell").nth(0)).to_have_text("busy 1 of 2 GPUs free")
    expect(row.get_by_role("img", name="GPU 0 97% (memory 97%), GPU 1 0% (memory 2%)")).to_be_visible()
    expect(row.get_by_role("cell").nth(2)).to_have_text("24.2 GiB")
    expect(row.get_by_role("cell").nth(3)).to_have_text("41 %")
    page.get_by_role("tab", name=f"Run {RUN}").click()
    expect(page.get_by_role("table", name="Confusion matrix").get_by_role("row")).to_have_count(17)
    assert page.url.endswith(f"#Run%20{RUN}")


def test_workbook_and_sidebar_say_the_same_of_the_servers(looked_at: Page) -> None:
    looked_at.set_viewport_size({"width": 1280, "height": 500})
    servers = looked_at.frame_locator("iframe").locator("#servers > li")
    rows = looked_at.get_by_role("row").filter(has=looked_at.get_by_role("rowheader"))
    expect(servers).to_have_count(5)
    expect(rows).to_have_count(5)
    for server, row in zip(servers.all(), rows.all(), strict=True):
        name, verdict = server.locator("b").inner_text(), server.locator(".verdict").inner_text()
        expect(row.get_by_role("rowheader")).to_have_text(name)
        expect(row.get_by_role("cell").nth(0)).to_have_text(re.compile(f"^{re.escape(verdict)} "))
    if path := os.environ.get("SCREENSHOT"):
        looked_at.screenshot(path=path)


def test_the_document_is_no_taller_than_the_window(looked_at: Page) -> None:
    page = looked_at
    for tab in TABS:
        page.get_by_role("tab", name=tab).click()
        expect(page.get_by_role("tab", selected=True)).to_have_text(tab)
        expect(page.locator("#sheet table").first).to_be_visible()
        assert page.evaluate("document.documentElement.scrollHeight <= innerHeight"), tab


def test_values_are_written_for_people(open_page: Open, lab: Lab) -> None:
    titles = ["integer", "decimal", "percent", "accuracy", "gib", "seconds", "time", "text"]
    values = (94768, 0.12345, 0.41, 0.95331, 1047.13, 754, iso(now() - timedelta(minutes=12)), True)
    columns = tuple(Column.model_validate({"title": title, "format": title}) for title in titles)
    own = (*(Number(value=None) for _ in titles[:-1]), Number(value=0.5, format="percent"))
    section = Section(columns=columns, rows=(values, (None,) * 8, own), row_headers=False)
    lab.workbook.publish([Table(name=JOBS, rank=Rank.JOBS, sections=(section,))])
    rows = open_page("/#Jobs").locator("tbody tr")
    expect(rows.nth(0).locator("td")).to_have_text(
        ["94,768", "0.1235", "41 %", "95.33 %", "1,047.1 GiB", "12 min 34 s", "12 min ago", "yes"]
    )
    expect(rows.nth(1).locator("td")).to_have_text([""] * 8)
    expect(rows.nth(2).locator("td")).to_have_text([""] * 7 + ["50 %"])


def test_text_from_outside_is_text(open_page: Open, lab: Lab) -> None:
    hostile = "<img src=x onerror=alert(1)>"
    cells = (Text(text=hostile, note=hostile, tab=hostile), Spark(values=(1, 2), label=hostile))
    columns = (Column(title=hostile), Column(title="=1+1"))
    section = Section(title=hostile, note=hostile, columns=columns, rows=(cells,))
    lab.workbook.publish([Table(name=hostile, rank=Rank.RUN, sections=(section,))])
    page = open_page("/#Results")
    expect(page.get_by_text(HOSTILE).first).to_be_visible()
    page.get_by_role("tab", name=hostile).click()
    expect(page.get_by_role("heading", level=2)).to_have_text(hostile)
    expect(page.get_by_role("rowheader")).to_have_text(f"{hostile} {hostile}")
    expect(page.get_by_role("columnheader")).to_have_text([hostile, "=1+1"])
    expect(page.locator("#sheet img")).to_have_count(0)


def srgb(colour: str) -> str:
    """As Chromium writes a mixed colour such as #6A9BE8."""
    parts = (int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))
    return f"color(srgb {' '.join(f'{part:.6g}' for part in parts)})"


def test_heat_maps_are_scaled_over_their_section(looked_at: Page) -> None:
    page = looked_at
    show_tab(page, "Fine-tuning ch32")
    blue = page.get_by_role("cell", name="95.33 %")
    white = page.get_by_role("cell", name="50.34 %")
    expect(blue).to_have_css("background-color", srgb(MORE))
    expect(white).to_have_css("background-color", srgb(WHITE))
    expect(page.get_by_role("cell", name="X").first).to_have_css("background-color", "rgb(255, 255, 255)")


def test_differences_are_orange_below_zero_and_blue_above(open_page: Open, lab: Lab) -> None:
    columns = tuple(Column(title=title, format="integer", heat=True) for title in "abcd")
    section = Section(columns=columns, rows=((-8, 0, 2, 8),), row_headers=False, heat="difference")
    lab.workbook.publish([Table(name=JOBS, rank=Rank.JOBS, sections=(section,))])
    cells = open_page("/#Jobs").locator("tbody td")
    expect(cells).to_have_count(4)
    colours = [cell.evaluate("cell => getComputedStyle(cell).backgroundColor") for cell in cells.all()]
    less, none, some, more = (tuple(map(float, re.findall(r"[\d.]+", colour))) for colour in colours)
    assert less[0] > less[2]
    assert none == (1, 1, 1)
    assert more[2] > more[0]
    assert some[0] == pytest.approx((1 + more[0]) / 2)
    assert colours[0] == srgb(LESS)


def test_a_clip_is_played_when_asked_for(open_page: Open, lab: Lab) -> None:
    clip = Text(text="bed/1 & 2.wav", sound=Sound(run=RUN, clip="bed/1 & 2.wav"))
    lab.workbook.publish(
        [
            Table(
                name=JOBS,
                rank=Rank.JOBS,
                sections=(Section(columns=(Column(title="Clip"),), rows=((clip,),)),),
            )
        ]
    )
    page = open_page("/#Jobs")
    with page.expect_request("**/clips/**") as asked:
        page.get_by_role("button", name="Play bed/1 & 2.wav").click()
    assert asked.value.url.endswith(f"/api/runs/{RUN}/clips/bed/1%20%26%202.wav")
    expect(page.get_by_role("status")).to_contain_text("cannot be played")


def test_curves_break_where_a_value_is_not_known(open_page: Open, lab: Lab) -> None:
    row = (
        Spark(values=(0, 1, None, 1, None, 0.5), low=0, high=1, label="a line"),
        Spark(values=(1, None, 3), style="column", label="columns"),
        Bars(fractions=(0.5, None), label="half, and unknown"),
    )
    columns = tuple(Column(title=title, width=16) for title in "abc")
    lab.workbook.publish(
        [
            Table(
                name=JOBS,
                rank=Rank.JOBS,
                sections=(Section(columns=columns, rows=(row,), row_headers=False),),
            )
        ]
    )
    page = open_page("/#Jobs")
    expect(page.get_by_role("img", name="a line").locator("polyline")).to_have_count(3)
    expect(page.get_by_role("img", name="columns").locator("rect")).to_have_count(2)
    bars = page.get_by_role("img", name="half, and unknown")
    expect(bars.locator(".fill")).to_have_attribute("width", "23")
    expect(bars.locator(".unknown")).to_have_count(1)


def test_many_bars_share_the_width_of_a_few(open_page: Open, lab: Lab) -> None:
    counts = (2, 8, 16)
    rows = tuple((Bars(fractions=(1,) * count, label=f"{count} GPUs"),) for count in counts)
    section = Section(columns=(Column(title="GPUs", width=16),), rows=rows, row_headers=False)
    lab.workbook.publish([Table(name=JOBS, rank=Rank.JOBS, sections=(section,))])
    page = open_page("/#Jobs")
    for count in counts:
        drawn = page.get_by_role("img", name=f"{count} GPUs")
        expect(drawn.locator(".fill")).to_have_count(count)
        assert float(drawn.get_attribute("width") or "inf") < 105


def test_pictures_load_when_they_come_into_view(open_page: Open) -> None:
    page = open_page(f"/#Run%20{RUN}")
    picture = page.get_by_role("img", name=f"Confusion matrix of run {RUN}")
    picture.scroll_into_view_if_needed()
    page.wait_for_function("image => image.naturalWidth === 640", arg=picture.element_handle())


def test_keys_move_between_tabs(looked_at: Page) -> None:
    page = looked_at
    page.get_by_role("tab", name="Servers").focus()
    for key, tab in [
        ("ArrowRight", "Jobs"),
        ("End", TABS[-1]),
        ("ArrowRight", "Servers"),
        ("ArrowLeft", TABS[-1]),
    ]:
        page.keyboard.press(key)
        expect(page.get_by_role("tab", name=tab)).to_be_focused()
        expect(page.get_by_role("tab", selected=True)).to_have_text(tab)
    expect(page.locator('[role="tab"][tabindex="0"]')).to_have_count(1)


def test_a_change_touches_only_what_differs(open_page: Open, lab: Lab) -> None:
    columns = (Column(title="Run"), Column(title="Epoch", format="integer"))

    def publish(epoch: int) -> None:
        rows = tuple((Text(text=f"r{row}", tab="Servers"), epoch if row == 0 else row) for row in range(80))
        lab.workbook.publish(
            [Table(name=JOBS, rank=Rank.JOBS, sections=(Section(columns=columns, rows=rows),))]
        )

    publish(1)
    page = open_page("/#Jobs")
    page.get_by_role("link", name="r40").focus()
    box = page.get_by_role("group", name="Jobs")
    scrolled = box.evaluate("box => box.scrollTop")
    assert scrolled > 0
    publish(2)
    poll(page)
    expect(page.get_by_role("row").nth(1)).to_have_text("r02")
    expect(page.get_by_role("link", name="r40")).to_be_focused()
    assert box.evaluate("box => box.scrollTop") == scrolled


def test_tabs_come_and_go(open_page: Open, lab: Lab) -> None:
    page = open_page("/#Run%20r77c0de")
    expect(page.locator("#sheet")).to_have_text("There is no run called r77c0de.")
    page.evaluate("location.hash = '#Fine-tuning%20vgg'")
    expect(page.locator("#sheet")).to_have_text("There is no tab called Fine-tuning vgg.")
    table = Table(
        name="Fine-tuning vgg",
        rank=Rank.RUN,
        sections=(Section(columns=(Column(title="Fact"),), empty="No facts."),),
    )
    lab.workbook.publish([table], gone=["Leaderboard"])
    poll(page)
    expect(page.get_by_role("cell")).to_have_text("No facts.")
    expect(page.get_by_role("tab", name="Leaderboard")).to_have_count(0)
    lab.workbook.publish([], gone=[name for name, _ in lab.workbook.tabs()])
    page.goto(page.url.split("#")[0])
    expect(page.locator("#sheet")).to_contain_text("Nothing here yet.")


def test_an_address_that_cannot_be_read_shows_the_first_tab(open_page: Open, lab: Lab) -> None:
    page = open_page("/#%")
    columns = (Column(title="Server"), Column(title="Round", format="integer"))
    for place, fragment in enumerate(("#%", "#%E0%A4%A", "#%u0041", "#%ff%", "#server/%", "#server/", "#")):
        page.evaluate("fragment => { location.hash = fragment; }", fragment)
        section = Section(columns=columns, rows=(("gpu1", place),))
        lab.workbook.publish([Table(name="Servers", rank=Rank.SERVERS, sections=(section,))])
        poll(page)
        expect(page.get_by_role("tab", selected=True)).to_have_text("Servers")
        expect(page.get_by_role("row").nth(1)).to_have_text(f"gpu1{place}")
        expect(page.get_by_role("status")).to_be_empty()


def test_a_backend_that_went_away_is_told(open_page: Open, lab: Lab) -> None:
    page = open_page()
    expect(page.get_by_role("tab").first).to_be_visible()
    notice = page.locator("#notice")
    expect(notice).to_be_empty()
    released = threading.Event()
    page.route("**/api/tables", lambda route: route.continue_() if released.is_set() else route.abort())
    poll(page)
    expect(notice).to_contain_text("The backend does not answer. Start it with")
    expect(page.get_by_role("rowheader", name="gpu1")).to_be_visible()
    released.set()
    poll(page)
    expect(notice).to_be_empty()
    lab.loses_answers = True
    poll(page)
    expect(notice).to_contain_text("status 500")


def test_a_phone_shows_everything_without_scrolling_sideways(looked_at: Page) -> None:
    page = looked_at
    page.set_viewport_size({"width": 390, "height": 844})
    for tab in TABS:
        show_tab(page, tab)
        for inside in ("document.documentElement", "document.getElementById('sheet')"):
            assert page.evaluate(f"{inside}.scrollWidth <= {inside}.clientWidth"), tab


def test_a_phone_switches_between_workbook_and_sidebar(open_page: Open) -> None:
    page = open_page(width=390, height=844)
    sidebar = page.frame_locator("iframe")
    expect(sidebar.get_by_text("Train on gpu2")).to_be_hidden()
    page.get_by_role("button", name="Sidebar").click()
    expect(sidebar.get_by_text("Train on gpu2")).to_be_visible()
    expect(page.get_by_role("tab")).to_have_count(0)
    sidebar.get_by_role("button", name=f"Results of ch32 · 8 · DO(0.75), run {RUN}").click()
    expect(page.get_by_role("tab", selected=True)).to_have_text(f"Run {RUN}")


def test_a_browser_without_the_token_is_asked_for_it_and_then_for_a_name(
    address: str, new_page: Callable[..., Page], lab: Lab
) -> None:
    page = new_page()
    page.goto(address)
    assert violations(page) == []
    page.get_by_label("Token").fill("wrong")
    page.get_by_role("button", name="Open").click()
    expect(page.get_by_role("alert")).to_have_text("This is not the token.")
    page.get_by_label("Token").fill(TOKEN)
    page.get_by_role("button", name="Open").click()
    expect(page.get_by_role("tab", selected=True)).to_have_text("Servers")
    page.get_by_role("button", name="Who are you?").click()
    page.get_by_label("Your name").fill("Kîm")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="You are Kîm")).to_be_visible()
    form = page.frame_locator("iframe")
    expect(form.locator("#hint")).to_contain_text("parameters")
    form.locator("#launch").click()
    expect(form.locator("#answer")).to_contain_text("Launched")
    assert "Kîm (self-declared)" in [job.requested_by for job in lab.jobs.unfinished_jobs()]
