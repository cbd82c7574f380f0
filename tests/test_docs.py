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
DOCUMENTS = sorted(ROOT.glob("*.md"))


def tracked_files() -> list[str]:
    if not (ROOT / ".git").exists():
        pytest.skip("needs the git checkout")
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    return [file for file in listed.stdout.splitlines() if (ROOT / file).exists()]


def test_the_tree_in_the_readme_names_every_file_of_the_project() -> None:
    tree = README.split("## Where things are")[1]
    code = [
        file
        for file in tracked_files()
        if file.startswith(("apps_script/", "backend/", "models/", "deploy/", "benchmarks/"))
        and Path(file).name not in ("__init__.py", "__main__.py")
        and not file.startswith(("backend/migrations/", "models/published_tables/"))
    ]
    missing = [file for file in code if not re.search(rf"(?<![\w.]){re.escape(Path(file).name)}(?!\w)", tree)]
    assert missing == []


def test_the_tree_in_the_readme_names_no_file_that_is_not_there() -> None:
    tree = README.split("## Where things are")[1]
    there = {Path(file).name for file in tracked_files()}
    named = set(re.findall(r"[\w.-]+\.(?:py|js|html|css|json|toml|service|svg)\b", tree))
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
    for name in ("google", "reservations", "ray"):
        section = getattr(Settings.model_validate(settings), name)
        assert missing(type(section)) == []
    servers = tomllib.loads((ROOT / "deploy" / "servers.toml").read_text())
    ServerList.model_validate(servers)
    assert {name for server in servers["server"] for name in server} == set(Server.model_fields)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_links_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", document.read_text()):
        assert (document.parent / target).exists(), target
