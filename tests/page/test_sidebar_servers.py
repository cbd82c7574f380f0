"""The sidebar's servers: what each does, who has it, and how people are kept off it."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from backend.probe.snapshot import GpuReading, Snapshot
from backend.servers.reservations import NotSetUp
from backend.servers.state import Fault
from backend.times import now
from tests.page.accessibility import violations
from tests.page.conftest import refresh
from tests.page.lab import Lab
from tests.page.runs import HOSTILE

pytestmark = pytest.mark.browser


def test_servers_show_verdict_load_and_reason(sidebar: Page) -> None:
    expect(sidebar.locator("#servers b")).to_have_text(["gpu2", "gpu1", "gpu5", "gpu3", "gpu4"])
    servers = sidebar.locator("#servers > li")
    expect(servers.nth(0)).to_contain_text("take this one · both GPUs free")
    busy = servers.nth(1)
    expect(busy.locator(".verdict")).to_have_text("busy")
    expect(busy).to_contain_text("24.2 GiB free · kim")
    expect(busy).to_contain_text("1 of 2 GPUs free")
    expect(busy).to_contain_text("reserved by kim until 18:00")
    expect(busy.get_by_role("img", name="GPU 0 97 % (memory 97 %), GPU 1 0 % (memory 2 %)")).to_be_visible()
    expect(servers.nth(4)).to_contain_text("seen 12 min ago")


def test_a_gpu_that_does_not_answer_is_told(sidebar: Page) -> None:
    bars = sidebar.get_by_role("img", name=re.compile(r"GPU 0 99 % \(memory \d+ %\), GPU 1 not answering"))
    expect(bars.locator(".fault")).to_have_count(1)


def test_the_memory_of_a_faulty_gpu_is_not_free(sidebar: Page, lab: Lab) -> None:
    gpu1 = sidebar.locator("#servers > li").nth(1)
    expect(gpu1).to_contain_text("24.2 GiB free")
    fault = Fault(kind="gpu", what="GPU 1 has uncorrected ECC errors", detail="(2 since the driver started)")
    lab.servers[1] = lab.servers[1].model_copy(update={"faults": (fault,)})
    refresh(sidebar)
    expect(
        sidebar.get_by_role("img", name="GPU 0 97 % (memory 97 %), GPU 1 has uncorrected ECC errors")
    ).to_be_visible()
    expect(gpu1).to_contain_text("0.6 GiB free · kim")


def test_a_gpu_of_unknown_utilisation_is_told(sidebar: Page, lab: Lab) -> None:
    server = lab.servers[1]
    assert server.snapshot
    assert server.snapshot.gpus
    gpus = tuple(gpu.model_copy(update={"utilization_percent": None}) for gpu in server.snapshot.gpus)
    lab.servers[1] = server.model_copy(update={"snapshot": server.snapshot.model_copy(update={"gpus": gpus})})
    refresh(sidebar)
    name = ", ".join(rf"GPU {gpu.index}: utilisation unknown \(memory \d+ %\)" for gpu in gpus)
    expect(sidebar.get_by_role("img", name=re.compile(name))).to_be_visible()


def test_a_server_is_put_into_maintenance_and_out_of_it(sidebar: Page, lab: Lab) -> None:
    gpu1 = sidebar.locator("#servers > li").nth(1)
    more = gpu1.get_by_role("button", name="Maintenance of gpu1")
    expect(more).to_have_attribute("aria-expanded", "false")
    more.click()
    reason = gpu1.get_by_label("Reason for the maintenance of gpu1")
    gpu1.get_by_role("button", name="Set maintenance").click()
    expect(reason).to_be_focused()  # it wants a reason
    reason.fill("new disk")
    refresh(sidebar)
    expect(reason).to_have_value("new disk")
    reason.press("Enter")
    expect(gpu1.locator(".verdict")).to_have_text("maintenance")
    expect(gpu1).to_contain_text("new disk")
    expect(more).to_be_focused()
    assert lab.current()[1].verdict.reason == "new disk"
    more.click()
    expect(reason).to_be_hidden()
    gpu1.get_by_role("button", name="End maintenance").click()
    expect(gpu1.locator(".verdict")).to_have_text("busy")
    assert lab.requests.count("DELETE /api/servers/gpu1/maintenance") == 1


def test_gpus_that_are_gone_are_confirmed(sidebar: Page, lab: Lab) -> None:
    gpu1 = sidebar.locator("#servers > li").nth(1)
    button = gpu1.get_by_role("button", name="Confirm that these GPUs are gone")
    expect(button).to_be_hidden()
    gone = GpuReading(index=7, uuid="GPU-gone")
    lab.known_gpus.note([Snapshot(server="gpu1", at=now(), gpus=(gone,))])
    refresh(sidebar)
    expect(sidebar.get_by_role("button", name="Confirm that these GPUs are gone")).to_have_count(1)
    button.click()
    expect(button).to_be_hidden()
    assert lab.known_gpus.by_server() == {}
    assert lab.requests.count("POST /api/servers/gpu1/confirm-gpus") == 1


def test_what_hinders_maintenance_is_told_beside_the_server(sidebar: Page, lab: Lab) -> None:
    gpu1 = sidebar.locator("#servers > li").nth(1)
    gpu1.get_by_role("button", name="Maintenance of gpu1").click()
    gpu1.get_by_label("Reason").fill("new disk")
    lab.loses_answers = True
    gpu1.get_by_role("button", name="Set maintenance").click()
    expect(gpu1).to_contain_text("The backend cannot answer now")
    expect(gpu1.get_by_label("Reason")).to_have_value("new disk")
    assert violations(sidebar) == []


def test_many_servers_are_shown_on_request(sidebar: Page, lab: Lab) -> None:
    lab.servers = [lab.servers[0].model_copy(update={"name": f"{HOSTILE}{number}"}) for number in range(50)]
    refresh(sidebar)
    sidebar.get_by_role("button", name="Show all 50").click()
    expect(sidebar.locator("#servers b")).to_have_count(50)
    refresh(sidebar)
    sidebar.get_by_role("button", name="Show fewer").click()
    expect(sidebar.locator("#servers b").nth(5)).to_have_text(f"{HOSTILE}5")
    expect(sidebar.locator("#servers b")).to_have_count(6)


def test_a_server_s_name_opens_its_page(open_page: Callable[..., Page]) -> None:
    page = open_page()
    page.frame_locator("iframe").get_by_role("button", name="gpu1", exact=True).click()
    expect(page.get_by_role("heading", name="gpu1")).to_be_visible()
    assert page.url.endswith("#server/gpu1")


def test_a_server_that_is_not_set_up_is_listed_with_what_to_add(sidebar: Page, lab: Lab) -> None:
    expect(sidebar.locator("#not-set-up li")).to_have_count(0)
    lab.not_set_up = [NotSetUp(name="gpu9", lines='[[server]]\nname = "gpu9"')]
    refresh(sidebar)
    new = sidebar.locator("#not-set-up li")
    expect(new).to_contain_text("gpu9not set up yet")
    new.get_by_text("Add to servers.toml").click()
    expect(new.locator("pre")).to_have_text('[[server]]\nname = "gpu9"')
    assert violations(sidebar) == []
    lab.not_set_up = []
    refresh(sidebar)
    expect(new).to_have_count(0)
