"""The menu, and what the page may call."""

import json
import re
from pathlib import Path

import pytest

from tests.apps_script.add_on import run


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
        "Settings",
        "Help",
    ]
    assert {kind for _, _, kind in seen["menu"]} == {"function"}


def test_only_what_the_page_and_the_menu_need_is_public() -> None:
    public = {name for name in run()["functions"] if not name.endswith("_")}
    menu = {function for _, function, _ in run(["onOpen"])["menu"]}
    page = set(re.findall(r"\bcall\('(\w+)'", run(["openSidebar"])["page"]))
    assert len(page) == 9
    assert public == menu | page | {"onOpen", "onInstall", "include"}


def test_the_sidebar_is_one_whole_page() -> None:
    page = run(["openSidebar"])["page"]
    assert "<?" not in page
    assert page.count("<script>") == page.count("</script>") == 7
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


def test_settings_keep_only_a_safe_address() -> None:
    kept = run(["openSettings"], answers=[" https://lab.example.org/ "])
    assert kept["properties"] == {"backend": "https://lab.example.org/"}
    refused = run(["openSettings"], answers=["http://lab.example.org"], address="https://old.example.org")
    assert refused["properties"] == {"backend": "https://old.example.org"}
    assert "Now: https://old.example.org" in refused["alerts"][0]
    assert "was not saved" in refused["alerts"][1]
    assert run(["openSettings"])["properties"] == {}


def test_help_names_every_item_of_the_menu() -> None:
    seen = run(["onOpen"], ["showHelp"])
    for label, _, _ in seen["menu"]:
        assert label == "Help" or f"{label}:" in seen["alerts"][0]


def test_a_tab_is_shown_when_it_is_there() -> None:
    seen = run(["showTab", "Notes"], ["showTab", "Run r3f2a9b"])
    assert seen["active"] == "Notes"
    assert seen["results"][1]["fault"].startswith("There is no tab called Run r3f2a9b.")
