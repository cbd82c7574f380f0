"""The page of one server: its curves, its users, its incidents, and what runs there now."""

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from backend.settings import Home
from tests.page.accessibility import violations
from tests.page.conftest import shared_page, show_tab
from tests.page.lab import Lab
from tests.page.runs import HOSTILE

pytestmark = pytest.mark.browser

Open = Callable[..., Page]
CHARTS = ("CPU", "Memory", "GPU", "GPU memory")


@pytest.fixture
def open_server(open_page: Open, lab: Lab) -> Open:
    lab.add_history()

    def opened(name: str = "gpu1", **size: int) -> Page:
        page = open_page(f"/#server/{name}", **size)
        expect(page.get_by_role("heading", name=name, exact=True)).to_be_visible()
        return page

    return opened


@pytest.fixture(scope="module")
def gpu1(chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """The page of gpu1 for tests that only look."""
    home = Home(tmp_path_factory.mktemp("home"))
    with shared_page(chromium, home, "/#server/gpu1", history=True) as page:
        expect(page.get_by_role("heading", name="gpu1", exact=True)).to_be_visible()
        yield page


def test_a_server_s_name_leads_to_its_page_and_back(open_page: Open) -> None:
    page = open_page()
    page.get_by_role("link", name="gpu1").click()
    expect(page.get_by_role("heading", name="gpu1")).to_be_visible()
    expect(page.get_by_role("tab", selected=True)).to_have_text("Servers")
    page.get_by_role("tab", name="Servers").click()
    expect(page.get_by_role("link", name="gpu1")).to_be_visible()
    page.go_back()
    expect(page.get_by_role("heading", name="gpu1")).to_be_visible()
    show_tab(page, "Jobs")
    expect(page.get_by_role("heading", name="gpu1")).to_have_count(0)


def test_curves_have_units_gaps_and_words(gpu1: Page) -> None:
    page = gpu1
    of_each_gpu = ["GPU 0", "GPU 0, memory", "GPU 1", "GPU 1, memory"]
    expect(page.locator("figcaption b")).to_have_text([*CHARTS, *of_each_gpu])
    cpu = page.get_by_role("img", name="CPU over the last hour: 41 % to 41 %, now ")
    expect(cpu.locator("polyline")).to_have_count(2)
    expect(cpu.locator(".incident.down")).to_have_count(1)
    expect(cpu.locator("text").nth(2)).to_have_text("100 %")
    expect(cpu.locator("text").last).to_have_text(
        re.compile(r"^(\d\d:\d0|\w{3} \d+)$")
    )  # midnight has a name
    left, right = cpu.locator("polyline").all()
    band = edges(cpu.locator(".incident"))
    assert edges(left)[1] <= band[0] + 4
    assert edges(right)[0] >= band[1] - 4


def edges(shape: Locator) -> tuple[float, float]:
    box = shape.bounding_box()
    assert box
    return box["x"], box["x"] + box["width"]


def test_the_curves_are_there_in_numbers(open_server: Open) -> None:
    page = open_server()
    numbers = page.get_by_role("table", name="In numbers")
    expect(numbers).to_be_hidden()
    page.get_by_text("The same in numbers").click()
    expect(numbers.get_by_role("row")).to_have_count(13)
    expect(numbers.get_by_role("columnheader")).to_have_text(["From", *CHARTS])
    values = numbers.get_by_role("row").nth(12).get_by_role("cell")
    expect(values).to_have_text(["41 %", "38 %", "49 %", "50 %"])
    expect(numbers.get_by_role("row").nth(7).get_by_role("cell")).to_have_text([""] * 4)
    with page.expect_response("**/history*"):
        page.clock.run_for(11_000)
    expect(numbers).to_be_visible()


def test_a_day_and_a_week_can_be_looked_back_on(open_server: Open) -> None:
    page = open_server()
    for name in ("day", "week"):
        page.get_by_role("button", name=name).click()
        expect(page.get_by_role("button", name=name)).to_have_attribute("aria-pressed", "true")
        expect(page.get_by_role("img", name=re.compile(f"^CPU over the last {name}: 41 %"))).to_be_visible()
    expect(page.get_by_role("button", name="hour")).to_have_attribute("aria-pressed", "false")


def test_who_used_it_and_what_went_wrong(gpu1: Page) -> None:
    page = gpu1
    kim = page.get_by_role("table", name="Who used its GPUs").get_by_role("row").filter(has_text="kim")
    used, idle = re.compile(r"^0\.[78]$"), "0"  # in whole five minutes
    expect(kim.get_by_role("cell")).to_have_text([used, idle])
    row = page.get_by_role("table", name="Incidents").get_by_role("row").nth(1)
    expect(row).to_contain_text("10 min 00 s")
    expect(row).to_contain_text("down agent not answering")


def test_what_runs_there_now(gpu1: Page) -> None:
    page = gpu1
    expect(page.get_by_text("reserved by kim until 18:00").first).to_be_visible()
    gpu = page.get_by_role("table", name="GPUs", exact=True).get_by_role("row").nth(1)
    expect(gpu).to_have_text("0NVIDIA GeForce RTX 409097 %23.3 GiB24.0 GiB72351450")
    process = page.get_by_role("table", name="On the GPUs now").get_by_role("row").nth(1)
    expect(process).to_have_text("0kimpython train.py1.0 GiB100")
    expect(page.get_by_role("table", name="Top processes now")).to_contain_text(HOSTILE)


def test_faults_and_what_is_not_known_are_told(open_page: Open) -> None:
    page = open_page("/#server/gpu3")
    gpus = page.get_by_role("table", name="GPUs", exact=True)
    expect(gpus.get_by_role("row").nth(1)).to_contain_text("slowed by power")
    expect(gpus.get_by_role("row").nth(2).get_by_role("cell")).to_have_text([""] * 7 + ["not answering"])
    expect(page.get_by_role("img", name="CPU over the last hour: unknown, now unknown")).to_be_visible()
    page.goto(page.url.replace("gpu3", "gpu4"))
    expect(page.get_by_role("heading", name="gpu4")).to_be_visible()
    expect(page.locator("figcaption b")).to_have_text(["CPU", "Memory"])
    page.goto(page.url.replace("gpu4", "gpu9"))
    expect(page.locator("#sheet")).to_have_text("There is no server called gpu9.")


@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_fits_and_has_no_violations(open_server: Open, width: int) -> None:
    page = open_server(width=width)
    page.get_by_text("The same in numbers").click()
    assert page.evaluate("document.getElementById('sheet').scrollWidth <= innerWidth")
    assert violations(page) == []
    page.set_viewport_size({"width": 390, "height": 844})
    chart = page.get_by_role("img", name=re.compile("^CPU over"))
    expect(chart).to_have_attribute("width", "366")
