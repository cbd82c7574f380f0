"""The lab's people in Google's sidebar, in Chromium: the add-on's own files send identity tokens to the backend's
public address, and who may do what is said in the sidebar."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from backend.api.google_identity import GoogleIdentity
from backend.servers.server import this_machine
from backend.service.wiring import Sheetrack
from backend.settings import Home
from models.run_folder import RunFolder
from tests.apps_script.add_on import OpenSheet, opened
from tests.google.accounts import AUDIENCE, GoogleAccounts, from_now
from tests.page.conftest import backend, refresh
from tests.page.runs import draw_figures
from tests.patience import wait_until
from tests.speech import write_words

PUBLIC = "https://sheetrack.lab.example"
SETTINGS = f"""
[people]
public_address = "{PUBLIC}"
audiences = ["{AUDIENCE}"]
see = ["guest@elsewhere.example"]
launch = ["kim@lab.example"]
"""

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def accounts() -> Iterator[GoogleAccounts]:
    with GoogleAccounts() as accounts:
        yield accounts


@pytest.fixture(scope="module")
def sheetrack(tmp_path_factory: pytest.TempPathFactory) -> Sheetrack:
    home = Home(tmp_path_factory.mktemp("home"))
    home.settings_file.write_text(SETTINGS)
    write_words(home.data / "tones")
    return Sheetrack(home)


@pytest.fixture(scope="module")
def loopback(sheetrack: Sheetrack, accounts: GoogleAccounts) -> Iterator[str]:
    """Where the backend listens: the end of the tunnel that begins at the public address."""
    with pytest.MonkeyPatch.context() as patch:
        # All of it is real, but where Google's certificates are.
        patch.setattr(GoogleIdentity.__init__, "__defaults__", (accounts.address,))
        with backend(sheetrack) as local:
            yield local["address"]


@pytest.fixture
def sheet(loopback: str) -> Iterator[OpenSheet]:
    """A sheet whose Settings name the public address; no person is signed in yet."""
    with opened(tunnels={PUBLIC: loopback}, token=None, answers=[PUBLIC]) as sheet:
        sheet.choose("openSettings")
        yield sheet


@pytest.fixture
def sidebar(sheet: OpenSheet, google_page: Page) -> Page:
    """With a clock that the test moves."""
    google_page.clock.install()
    google_page.goto(f"{sheet.address}/openSidebar")
    expect(google_page.locator("#notice")).to_have_text(
        "No Google identity came with the request. "
        "If several Google accounts are signed in, use a window with only one of them."
    )
    expect(google_page.locator("section:visible")).to_have_count(0)  # no form that cannot work
    return google_page


def sign_in(sheet: OpenSheet, sidebar: Page, token: str) -> None:
    sheet.change(token=token)
    refresh(sidebar)


def test_kim_launches_sees_what_came_out_and_cancels_and_a_guest_only_sees(
    sheet: OpenSheet, sidebar: Page, sheetrack: Sheetrack, accounts: GoogleAccounts
) -> None:
    answer, jobs = sidebar.locator("#answer"), sidebar.locator("#jobs > li")
    guest_may_not = (
        "guest@elsewhere.example may look, but not launch or cancel. "
        "Ask the person who runs the backend to add it to people.launch in settings.toml."
    )
    sign_in(sheet, sidebar, accounts.token(email="guest@elsewhere.example"))
    expect(sidebar.locator("#servers b")).to_have_text([this_machine()])
    expect(sidebar.get_by_label("Data")).to_have_value("tones")
    sidebar.get_by_label("Layers", exact=True).select_option("4")
    sidebar.get_by_label("Epochs").fill("1")
    sidebar.locator("#launch").click()
    expect(answer).to_have_text(guest_may_not)
    assert sheetrack.jobs.unfinished_jobs() == []

    sign_in(sheet, sidebar, accounts.token())
    sidebar.locator("#launch").click()
    expect(answer).to_contain_text(f"Launched on {this_machine()}: r")
    (first,) = sheetrack.jobs.unfinished_jobs()
    assert first.requested_by == "kim@lab.example"
    sidebar.get_by_label("Layers", exact=True).select_option("5")
    sidebar.get_by_label("Epochs").fill("1000")
    sidebar.locator("#launch").click()
    expect(jobs).to_have_count(2)

    second = jobs.filter(has_text="ch32 · 5")
    for token, said in (
        (accounts.token(email="guest@elsewhere.example"), guest_may_not),
        (accounts.token(), "cancelled by kim@lab.example"),
    ):
        sign_in(sheet, sidebar, token)
        second.get_by_role("button", name="Cancel ch32 · 5").click()
        second.get_by_role("button", name="Cancel job").click()
        expect(second).to_contain_text(said)

    sign_in(sheet, sidebar, accounts.token(email="guest@elsewhere.example"))
    wait_until(lambda: sheetrack.jobs.job(first.id).state.is_over)
    draw_figures(sheetrack.home.runs / first.id)
    refresh(sidebar)
    expect(jobs.filter(has_text="ch32 · 4")).to_contain_text("done")
    sheet.change(cell={"row": 2, "column": 1, "text": first.id, "tab": "Notes"})
    sheet.choose("showRunHere")
    figures = RunFolder(sheetrack.home.runs / first.id).figures.glob("*.png")
    drawn = {f"Sheetrack {first.id} {file.stem}": file.stat().st_size for file in figures}
    assert drawn
    assert {image["title"]: image["bytes"] for image in sheet.seen()["images"]} == drawn


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        pytest.param(
            {"email": "stranger@lab.example"},
            "stranger@lab.example is not on the list of people. Ask the person who runs the backend to add it to "
            "people.see or people.launch in settings.toml.",
            id="unlisted",
        ),
        pytest.param(
            {"exp": from_now(-60)},
            "The identity token has expired. Try again; if that does not help, check the backend's clock.",
            id="expired",
        ),
        pytest.param(
            {"iat": from_now(600)},
            "The identity token is from the future. Set the clock of the machine that runs the backend.",
            id="future",
        ),
        pytest.param(
            {"aud": "456.apps.googleusercontent.com"},
            "The backend does not know this add-on yet (client ID 456.apps.googleusercontent.com). Accept it in the "
            "terminal of `sheetrack up` or on its page, then open the sidebar again. A copied sheet has another client ID.",
            id="audience",
        ),
    ],
)
def test_whom_the_backend_does_not_let_in_reads_why(
    sheet: OpenSheet, sidebar: Page, accounts: GoogleAccounts, changes: dict[str, object], said: str
) -> None:
    sign_in(sheet, sidebar, accounts.token(**changes))
    notice = sidebar.locator("#notice")
    expect(notice).to_have_text(said)
    assert sidebar.locator("#servers b").count() == 0
    sign_in(sheet, sidebar, accounts.token())
    expect(sidebar.locator("#servers b")).to_have_text([this_machine()])
    expect(notice).to_be_hidden()
