"""`python -m models explain` on a run that was trained."""

import shutil
import subprocess
from pathlib import Path

import pytest

from models.analyses import WHAT
from models.explain import stimuli, strf, where, words
from models.explain.run import explain as run_analyses
from models.explanation import read_explanation, read_explanations
from models.recipe import Recipe
from models.run_folder import RunFolder
from tests.models.forked import Forked
from tests.models.raw_files import recipe_of
from tests.models.tone_words import write_tones

PIXELS = 1_000_000


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    place = tmp_path_factory.mktemp("explained")
    data = write_tones(place / "tones", clips=(12, 4, 2))
    folder = RunFolder.create(
        place, Recipe(architecture="ch32", depth=2, epochs=2, batch_size=8, dropout=0, data=str(data))
    )
    trained = Forked("train", folder.path, "--no-figures").ended()
    assert trained.returncode == 0, trained.stderr
    return folder


def explain(folder: RunFolder, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return Forked("explain", folder.path, *arguments).ended()


def test_every_analysis_leaves_a_table_and_a_picture(run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    # A few lags, levels, clips and values tell as well as all of them how a finding is kept.
    monkeypatch.setattr(strf, "LAGS", 10)
    monkeypatch.setattr(strf, "FIRST_MS", -50)
    monkeypatch.setattr(stimuli, "LEVELS_DB", (-40, -20))
    monkeypatch.setattr(where, "_MOST_OF_A_WORD", 1)
    monkeypatch.setattr(where, "_STEPS", 8)
    monkeypatch.setattr(words, "_MOST_VALUES", 64)
    _, refused = run_analyses(run, list(WHAT))
    assert not refused
    found = read_explanations(run)
    assert [each.what for each in found] == list(WHAT)
    for each in found:
        assert each.rows, each.what
        assert {len(row) for row in each.rows} == {len(each.columns)}
        assert each.null
        assert not each.notices
        png = (run.figures / f"{each.figure}.png").read_bytes()
        width, height = (int.from_bytes(png[at : at + 4]) for at in (16, 20))
        assert 0 < width * height < PIXELS
        assert (run.explanations / f"{each.what}.pdf").read_bytes().startswith(b"%PDF")


def test_a_run_without_its_start_is_shown_without_null(run: RunFolder, tmp_path: Path) -> None:
    old = RunFolder(Path(shutil.copytree(run.path, tmp_path / run.id)))
    old.start_file.unlink()
    assert explain(old, "tuning", "same").stderr.endswith("name a second run to compare with\n")
    found = read_explanation(old, "tuning")
    assert found is not None
    assert "start.pt" in found.notices[0]
    column = [quantity.title for quantity in found.columns].index("Best frequency at start")
    assert {row[column] for row in found.rows} == {None}
    done = explain(old, "same", "--with", str(run.path))
    assert done.returncode == 0, done.stderr
    found = read_explanation(old, "same")
    assert found is not None
    assert found.other == run.id
    assert [row[1] for row in found.rows] == pytest.approx([1.0] * 2)


def test_what_is_missing_is_named(run: RunFolder, tmp_path: Path) -> None:
    moved = RunFolder(Path(shutil.copytree(run.path, tmp_path / run.id)))
    data = Path(recipe_of(moved).data)
    data.rename(data.with_name("elsewhere"))
    try:
        refused = explain(moved, "filters")
    finally:
        data.with_name("elsewhere").rename(data)
    assert refused.returncode == 1
    assert f"there is no data folder '{data}'" in refused.stderr
    moved.checkpoint_file.unlink()
    assert "checkpoints stay on the server" in explain(moved, "filters").stderr
