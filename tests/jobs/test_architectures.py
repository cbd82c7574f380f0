"""A network of the lab's own, as the README says, and one with a mistake."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from backend.errors import InvalidError
from backend.jobs.architectures import check
from models.recipe import Recipe

ROOT = Path(__file__).parents[2]
MISTAKES = {
    "syntax": "def syntax(words, depth, dropout, batch_norm:\n",
    "missing": "import a_package_that_is_not_here\n",
    "nameless": "from torch import nn\n",
    "raising": "def raising(words, depth, dropout, batch_norm):\n    return depth / (depth - 2)\n",
    "leaving": "def leaving(words, depth, dropout, batch_norm):\n    raise SystemExit\n",
    "wordless": """from torch import nn
def wordless(words, depth, dropout, batch_norm):
    return nn.Sequential(nn.Linear(16000, 5))
""",
}


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project with the network of the README, and with mistakes."""
    lab = tmp_path_factory.mktemp("lab")
    shutil.copytree(ROOT / "models", lab / "models", ignore=shutil.ignore_patterns("__pycache__"))
    (lab / "backend").symlink_to(ROOT / "backend")
    readme = (ROOT / "README.md").read_text()
    code, line = (
        re.search(r"```python\n(from torch import nn.*?)```", readme, re.DOTALL),
        re.search(r'`("tiny": .*?)`', readme),
    )
    assert code
    assert line
    families = lab / "models" / "architectures"
    (families / "tiny.py").write_text(code[1])
    for name, mistake in MISTAKES.items():
        (families / f"{name}.py").write_text(mistake)
    lines = [line[1], *(f'"{name}": Architecture("{name}", 3, [3]),' for name in MISTAKES)]
    file = lab / "models" / "architecture_table.py"
    text = file.read_text()
    file.write_text(text.replace("ARCHITECTURES = {\n", "\n    ".join(["ARCHITECTURES = {", *lines, ""]), 1))
    return lab


def networks(lab: Path, home: Path) -> "tuple[list[dict[str, Any]], str]":
    answer = subprocess.run(
        [sys.executable, "-m", "backend.cli", "architectures", "--json"],
        cwd=lab,
        env={**os.environ, "PYTHONPATH": str(lab), "SHEETRACK_HOME": str(home)},
        capture_output=True,
        text=True,
        check=True,
    )
    rows: list[dict[str, Any]] = json.loads(answer.stdout)
    return rows, answer.stderr


def test_a_function_and_a_line_add_a_network_and_mistakes_cost_only_themselves(
    lab: Path, tmp_path: Path
) -> None:
    known, _ = networks(lab, tmp_path)
    tiny = [row for row in known if row["architecture"] == "tiny" and not row["batch_norm"]]
    assert [row["depth"] for row in tiny if row["parameters"]] == [1, 2, 3, 4, 5]
    # One layer: 9 taps, 16 filters and biases; 16 channels of 4,000 values for 16 words.
    assert tiny[0]["parameters"] == 16 * (9 + 1) + 16 * (16 * 4000 + 1)
    errors = {row["architecture"]: row["error"] for row in known if row["error"]}
    assert errors.keys() == MISTAKES.keys()
    assert "SyntaxError" in errors["syntax"]
    assert "a_package_that_is_not_here" in errors["missing"]
    assert "nameless" in errors["nameless"]
    assert "TypeError" in errors["raising"] or "AttributeError" in errors["raising"]
    assert "SystemExit" in errors["leaving"]
    assert "one for each word" in errors["wordless"]
    others = [row for row in known if row["architecture"] not in (*MISTAKES, "tiny")]
    shipped = json.loads((ROOT / "models" / "architecture_table.json").read_text())["networks"]
    assert others == shipped


def test_a_measured_network_is_kept_in_the_home_until_its_file_changes(lab: Path, tmp_path: Path) -> None:
    sound = tmp_path / "sound"
    shutil.copytree(lab, sound, symlinks=True)
    for name in MISTAKES:
        (sound / "models" / "architectures" / f"{name}.py").unlink()
    table = sound / "models" / "architecture_table.py"
    lines = table.read_text().splitlines(keepends=True)
    table.write_text("".join(line for line in lines if not any(f'("{name}", 3' in line for name in MISTAKES)))
    home = tmp_path / "home"
    known, _ = networks(sound, home)
    kept = home / "cache" / "architectures.json"
    assert json.loads(kept.read_text())["networks"] == known
    # Without torch: what was measured stays known; after a change the sizes are missing, and the rest works.
    (sound / "torch.py").write_text("raise ModuleNotFoundError('no torch here', name='torch')\n")
    assert networks(sound, home) == (known, "")
    (sound / "models" / "architectures" / "tiny.py").write_text("")
    rows, told = networks(sound, home)
    assert [(row["architecture"], row["depth"]) for row in rows] == [
        (row["architecture"], row["depth"]) for row in known
    ]
    assert {row["parameters"] for row in rows} == {None}
    assert "pip install 'sheetrack[train]'" in told


@pytest.mark.parametrize(
    ("recipe", "sentence"),
    [
        ({"architecture": "lstm"}, "There is no architecture 'lstm'. Choose one of base, ch32"),
        ({"depth": 12}, "ch32 has no depth 12. Choose 1 to 9."),
        ({"architecture": "base", "depth": 4}, "base has no depth 4. Choose 5."),
    ],
)
def test_what_is_not_offered_is_refused(recipe: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InvalidError) as refusal:
        check(Recipe(data="tones", **recipe))
    assert sentence in str(refusal.value)


def test_an_open_depth_becomes_the_default_one() -> None:
    assert check(Recipe(data="tones", architecture="ch128")).depth == 9
