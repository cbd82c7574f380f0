"""The documents, held to what is there."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from pydantic import BaseModel

from backend.cli import COMMANDS
from backend.servers.server import Server, ServerList
from backend.settings import Settings

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
DOCUMENTS = [*sorted(ROOT.glob("*.md")), ROOT / "benchmarks" / "README.md", ROOT / "deploy" / "google.md"]


def tracked_files() -> list[str]:
    if not (ROOT / ".git").exists():
        pytest.skip("needs the git checkout")
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    return [file for file in listed.stdout.splitlines() if (ROOT / file).exists()]


def named_in_the_tree() -> dict[str, str]:
    """What the tree in the README says of each folder: the lines below it, and its own."""
    lines: dict[str, str] = {}
    folders: list[str] = []
    for line in README.split("## Where things are")[1].split("```")[1].strip("\n").splitlines():
        depth = (len(line) - len(line.lstrip())) // 2
        folders = folders[:depth]
        if begun := re.match(r" *(\w+)/", line):
            folders.append(begun[1])
        lines["/".join(folders)] = lines.get("/".join(folders), "") + line + "\n"
    return lines


def test_the_tree_in_the_readme_names_every_file_in_its_folder() -> None:
    tree = named_in_the_tree()
    code = [
        Path(file)
        for file in tracked_files()
        if file.startswith(("apps_script/", "backend/", "models/", "deploy/", "benchmarks/"))
        and Path(file).name not in ("__init__.py", "__main__.py")
        and not file.startswith(("backend/migrations/", "models/published_tables/"))
    ]
    missing = [
        file
        for file in code
        if not re.search(rf"(?<![\w.]){re.escape(file.name)}(?!\w)", tree.get(str(file.parent), ""))
    ]
    assert missing == []


def test_the_tree_in_the_readme_names_no_file_that_is_not_there() -> None:
    there = set(tracked_files())
    named = {
        f"{folder}/{name}"
        for folder, lines in named_in_the_tree().items()
        for name in re.findall(r"[\w.-]+\.(?:py|js|html|css|json|service|svg|c|h)\b", lines)
    }
    assert named - there == set()


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_every_command_is_in_the_readme(command: str) -> None:
    assert re.search(rf"(sheetrack|make) {command}\b", README)


def test_every_setting_is_in_the_examples() -> None:
    settings = tomllib.loads((ROOT / "deploy" / "settings.toml").read_text())
    Settings.model_validate(settings)
    commented = (ROOT / "deploy" / "settings.toml").read_text()

    def missing(model: type[BaseModel]) -> list[str]:
        return [
            name
            for name in model.model_fields
            if not re.search(rf"^#? ?\[?{name}\b", commented, re.MULTILINE)
        ]

    assert missing(Settings) == []
    for name in ("google", "reservations", "people", "notify", "ray"):
        section = getattr(Settings.model_validate(settings), name)
        assert missing(type(section)) == []
    servers = tomllib.loads((ROOT / "deploy" / "servers.toml").read_text())
    ServerList.model_validate(servers)
    assert {name for server in servers["server"] for name in server} == set(Server.model_fields)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: str(document.relative_to(ROOT)))
def test_links_lead_somewhere(document: Path) -> None:
    for target, place in re.findall(r"\]\((?!https?:)([^)#]*)#?([^)]*)", document.read_text()):
        file = document.parent / target if target else document
        assert file.exists(), target
        if place:
            headings = re.findall(r"^#+ (.*)$", file.read_text(), re.MULTILINE)
            assert place in {
                re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings
            }


def test_no_test_imports_from_a_module_of_tests() -> None:
    """As CONTRIBUTING says: what several tests use has a module apart."""
    found = [
        file
        for file in tracked_files()
        if file.startswith("tests/")
        and file.endswith(".py")
        and re.search(r"^from tests(\.\w+)*\.test_\w+ import", (ROOT / file).read_text(), re.MULTILINE)
    ]
    assert not found
