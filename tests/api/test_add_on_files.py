"""The add-on as two files and a manifest."""

import json
from pathlib import Path

import pytest

from backend.api.add_on_files import ADD_ON, bundle, page
from backend.errors import NotFoundError
from tests.apps_script.add_on import run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in bundle().items():
        (tmp_path / name).write_text(text)
    return tmp_path


def test_it_is_the_whole_add_on() -> None:
    files = bundle()
    assert list(files) == ["Code.js", "Sidebar.html", "appsscript.json"]
    for script in ADD_ON.glob("*.js"):
        assert script.read_text() in files["Code.js"]
    assert "<?" not in files["Sidebar.html"]
    assert "Relay" not in files["Code.js"]
    assert json.loads(files["appsscript.json"])["runtimeVersion"] == "V8"
    with pytest.raises(NotFoundError, match="no Nothing"):
        page("Nothing")


def test_its_menu_is_the_same(folder: Path) -> None:
    seen = run(["onOpen"], folder=str(folder))
    assert seen["menu"] == run(["onOpen"])["menu"]
    assert all(kind == "function" for _, _, kind in seen["menu"])
