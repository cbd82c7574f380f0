"""Networks of the lab's own: the one of the README, and files with mistakes beside it."""

import json
import re
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from backend.errors import ConflictError, InvalidError
from backend.jobs import architectures
from backend.jobs.architectures import check, source_of
from backend.settings import Home
from models.recipe import Recipe
from tests.cli.command_line import data, run_here
from tests.patience import PATIENCE_SECONDS, wait_until

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


@pytest.fixture
def own(home: Home) -> Path:
    """The folder of the lab's own networks, with the file of the README."""
    folder = home.path / "architectures"
    folder.mkdir(parents=True)
    code = re.search(r"`tiny.py`:\n```python\n(.*?)```", README, re.DOTALL)
    assert code
    (folder / "tiny.py").write_text(code[1])
    return folder


@pytest.mark.usefixtures("pictures")
def test_the_network_of_the_readme_trains_and_a_mistake_beside_it_costs_only_itself(
    own: Path, home: Home, speech: Path
) -> None:
    (own / "wrong.py").write_text("def wrong(words):\n    return words +\n")
    listed = data(run_here("architectures", "--json"))
    tiny = [row for row in listed if row["architecture"] == "tiny"]
    assert [(row["depth"], row["default"]) for row in tiny] == [(1, False), (2, False), (3, True)]
    # One layer: 9 taps, 16 filters and biases; 16 channels of 4,000 values for 16 words.
    assert tiny[0]["parameters"] == 16 * (9 + 1) + 16 * (16 * 4000 + 1)
    [wrong] = [row for row in listed if row["architecture"] == "wrong"]
    assert "wrong.py line 2: SyntaxError" in wrong["error"]
    shipped = json.loads((ROOT / "models" / "architecture_table.json").read_text())["networks"]
    assert [row for row in listed if row not in (*tiny, wrong)] == shipped

    options = ["--data", str(speech), "--epochs", "1", "--batch-size", "8", "--json"]
    result = data(run_here("train", "tiny", *options))
    folder = home.runs / result["run"]
    assert (folder / "architecture.py").read_bytes() == (own / "tiny.py").read_bytes()
    kept = json.loads((folder / "recipe.json").read_text())
    assert (kept["depth"], kept["batch_norm"], len(kept["architecture_hash"])) == (3, False, 64)
    drawn = {file.stem for file in (folder / "figures").iterdir()}
    assert {"confusion", "filters_1", "filters_2", "responses", "feature_maps"} <= drawn


def test_sizes_are_measured_once_for_each_version_of_a_file(
    own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, ...]] = []

    def ask(*arguments: str) -> str:
        asked.append(arguments)
        row = {"architecture": "tiny", "depth": 3, "batch_norm": False, "default": True}
        return json.dumps([row | {"parameters": len(asked)}])

    monkeypatch.setattr(architectures, "ask", ask)

    def parameters() -> list[int | None]:
        return [row.parameters for row in architectures.architectures() if row.architecture == "tiny"]

    assert parameters() == parameters() == [1]
    first = check(Recipe(architecture="tiny", data="tones"))
    assert source_of(first, own) == (own / "tiny.py").read_bytes()
    (own / "tiny.py").write_text("# another\n")
    assert parameters() == parameters() == [2]
    assert check(first).architecture_hash != first.architecture_hash
    with pytest.raises(ConflictError, match="has changed"):
        source_of(first, own)
    assert asked == [("architecture", str(own / "tiny.py"))] * 2


def test_a_list_waits_for_no_file_that_was_broken_before(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file without an end takes longer than the form waits, again and again."""
    good = json.dumps([{"architecture": "tiny", "depth": 3, "batch_norm": False, "default": True}])
    asked: list[str] = []
    may_answer = Event()

    def ask(_step: str, file: str) -> str:
        asked.append(file)
        if len(asked) == 1:
            raise InvalidError("tiny.py line 3: TimeoutError: not built after 20 s")
        assert may_answer.wait(PATIENCE_SECONDS)
        return good

    def error() -> str | None:
        [row] = [row for row in architectures.architectures() if row.architecture == "tiny"]
        return row.error

    monkeypatch.setattr(architectures, "ask", ask)
    monkeypatch.setattr(architectures, "_FAULT_SECONDS", 0)
    assert "not built" in str(error())
    assert "not built" in str(error())  # it is looked at again, beside this
    wait_until(lambda: len(asked) == 2)
    assert "not built" in str(error())
    assert asked == [str(own / "tiny.py")] * 2
    may_answer.set()
    # Who wants to train it waits until it is known.
    assert check(Recipe(architecture="tiny", data="tones")).depth == 3
    wait_until(lambda: error() is None)
    assert len(asked) == 2


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("ch32.py", "ch32 is a network of Sheetrack's"),
        ("my-net.py", "name the file like its function"),
        ("large.py", "larger than 64 KiB"),
        ("gone.py", "cannot be read"),
    ],
)
def test_a_file_that_cannot_be_a_network_is_named(own: Path, name: str, sentence: str) -> None:
    (own / "tiny.py").unlink()
    if name == "gone.py":
        (own / name).symlink_to(own / "nowhere")
    else:
        (own / name).write_text("#" * (70_000 if name == "large.py" else 1))
    faulty = [row for row in architectures.architectures() if row.error]
    assert [row.architecture for row in faulty] == [Path(name).stem]
    assert sentence in str(faulty[0].error)
    if name == "large.py":
        with pytest.raises(InvalidError, match="cannot be used"):
            check(Recipe(architecture="large", data="tones"))


@pytest.mark.parametrize(
    ("recipe", "sentence"),
    [
        ({"architecture": "lstm"}, "There is no architecture 'lstm'. Choose one of base, ch32"),
        ({"depth": 12}, "ch32 has no depth 12. Choose 1 to 9."),
        ({"architecture": "base", "depth": 4}, "base has no depth 4. Choose 5."),
    ],
)
def test_what_is_not_offered_is_refused(home: Home, recipe: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InvalidError) as refusal:
        check(Recipe(data="tones", **recipe))
    assert sentence in str(refusal.value)


def test_one_network_is_looked_at_without_the_files_of_others(
    own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ask(*_: str) -> str:
        pytest.fail("a file was measured")

    monkeypatch.setattr(architectures, "ask", ask)
    (own / "wrong.py").touch()
    assert len(architectures.depths_of("ch32")) == 18
    assert architectures.depths_of("lstm") == []
    with pytest.raises(InvalidError, match=r"Choose one of base, .*, bc192, tiny, wrong\."):
        check(Recipe(architecture="lstm", data="tones"))


def test_an_open_depth_becomes_the_default_one() -> None:
    assert check(Recipe(data="tones", architecture="ch128")).depth == 9
