"""The menu, and what the page may call."""

import json
import re
from pathlib import Path

import pytest

from tests.apps_script.add_on import run
from tests.apps_script.answering import Reply, answering, hang_up, reply


@pytest.mark.parametrize("mode", ["NONE", "LIMITED", "FULL"])
@pytest.mark.parametrize("function", ["onOpen", "onInstall"])
def test_the_menu_needs_no_authorization(mode: str, function: str) -> None:
    seen = run([function], mode=mode)
    assert seen["results"] == [{"answer": None}]
    assert [label for label, _, _ in seen["menu"]] == [
        "Open sidebar",
        "Refresh now",
        "Launch training",
        "Show run here",
        "Show one figure here",
        "Settings",
        "Help",
    ]
    assert {kind for _, _, kind in seen["menu"]} == {"function"}


def test_only_what_the_page_and_the_menu_need_is_public() -> None:
    public = {name for name in run()["functions"] if not name.endswith("_")}
    menu = {function for _, function, _ in run(["onOpen"])["menu"]}
    page = set(re.findall(r"\bcall\('(\w+)'", run(["openSidebar"])["page"]))
    assert len(page) == 17
    assert public == menu | page | {"onOpen", "onInstall", "include"}


def test_the_sidebar_is_one_whole_page() -> None:
    page = run(["openSidebar"])["page"]
    assert "<?" not in page
    assert page.count("<script>") == page.count("</script>") == 10
    assert page.count("<style>") == 1


def test_the_menu_can_open_the_sidebar_with_the_form_on_top() -> None:
    seen = run(["openSidebar"], ["openForm"])
    assert seen["page"] == run(["openSidebar"])["page"] + "<script>showForm()</script>"


def test_the_readme_gives_the_reason_of_every_permission() -> None:
    project = Path(__file__).parents[2]
    manifest = json.loads((project / "apps_script/appsscript.json").read_text())
    readme = (project / "README.md").read_text()
    for scope in manifest["oauthScopes"]:
        assert f"`{scope.removeprefix('https://www.googleapis.com/auth/')}`" in readme


SHEETRACK = reply(200, '{"servers": []}')
REFUSES = reply(
    403, '{"error": {"code": "unknown_add_on", "message": "Not known yet.", "hint": "Accept it."}}'
)


@pytest.mark.parametrize(
    "pasted",
    ["https://lab.example", " HTTPS://Lab.Example/ ", '"https://lab.example//"', "<https://lab.example>\n"],
)
def test_settings_try_an_address_out_and_keep_it(pasted: str) -> None:
    with answering(SHEETRACK) as (address, requests):
        seen = run(["openSettings"], answers=[pasted], tunnels={"https://lab.example": address})
    assert seen["properties"] == {"backend": "https://lab.example"}
    assert seen["alerts"][1] == "Sheetrack answers at https://lab.example."
    assert [request.path for request in requests] == ["/api/sidebar"]


def test_settings_keep_the_address_of_a_backend_that_has_to_let_us_in_first() -> None:
    with answering(REFUSES) as (address, _):
        seen = run(
            ["openSettings"], answers=["https://lab.example"], tunnels={"https://lab.example": address}
        )
    assert seen["properties"] == {"backend": "https://lab.example"}
    assert seen["alerts"][1] == "Sheetrack answers at https://lab.example. Not known yet. Accept it."


@pytest.mark.parametrize(
    ("pasted", "said"),
    [
        ("http://lab.example", "no address that begins with https://"),
        ("lab.example", "no address that begins with https://"),
        ("", "no address that begins with https://"),
        ("https://lab.example/page", 'leave "/page" away'),
        ("https://lab.example?token=x", 'leave "?token=x" away'),
        ("https://localhost:8000", "Google's servers cannot reach localhost:8000"),
        ("https://127.0.0.1", "Google's servers cannot reach 127.0.0.1"),
        ("https://192.168.1.5:8000", "Google's servers cannot reach"),
        ("https://gpu1.local", "Google's servers cannot reach"),
        ("https://kim:secret@lab.example", "no user name or password"),
    ],
)
def test_settings_refuse_what_google_cannot_call(pasted: str, said: str) -> None:
    seen = run(["openSettings"], answers=[pasted], address="https://old.example.org")
    assert seen["properties"] == {"backend": "https://old.example.org"}
    assert seen["alerts"][0].endswith("Now: https://old.example.org")
    assert seen["alerts"][1].startswith("Not saved: ")
    assert said in seen["alerts"][1]
    assert seen["fetches"] == 0


@pytest.mark.parametrize("there", [reply(200, "<h1>Welcome</h1>"), reply(404, "{}"), hang_up])
def test_settings_keep_no_address_where_something_else_answers(there: Reply) -> None:
    with answering(there) as (address, _):
        tunnels = {"https://lab.example": address}
        seen = run(["openSettings"], answers=["https://lab.example"], tunnels=tunnels)
    assert seen["properties"] == {}
    assert "lab.example" in seen["alerts"][1]
    assert run(["openSettings"])["properties"] == {}


def test_help_names_every_item_of_the_menu() -> None:
    seen = run(["onOpen"], ["showHelp"])
    for label, _, _ in seen["menu"]:
        assert label == "Help" or f"{label}:" in seen["alerts"][0]


def test_a_tab_is_shown_when_it_is_there() -> None:
    seen = run(["showTab", "Notes"], ["showTab", "Run r3f2a9b"])
    assert seen["active"] == "Notes"
    assert seen["results"][1]["fault"].startswith("There is no tab called Run r3f2a9b.")
