"""`sheetrack explain`: where analyses are shown. How they are made is tested in tests/models/explain."""

from datetime import timedelta

import pytest

import backend.cli.explain as explain_module
from backend.service.wiring import Sheetrack
from backend.settings import Home
from backend.tabs.names import is_explanation_tab
from models.analyses import WHAT
from models.explanation import write_explanation
from models.run_folder import RunFolder
from tests import examples
from tests.cli.command_line import complaint, data, run_here
from tests.models.made_run import make_run
from tests.tabs.explained import FOUND


def analysed(home: Home, what: str = "likes") -> RunFolder:
    folder = make_run(home.runs)
    write_explanation(folder, FOUND.model_copy(update={"run": folder.id, "what": what}))
    return folder


@pytest.fixture
def without_models(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """What the models are asked to do; their analysis lies there already."""
    asked: list[tuple[str, ...]] = []
    monkeypatch.setattr(explain_module, "run_models", lambda *words: asked.append(words))
    return asked


def test_an_analysis_has_a_tab_and_its_run_a_link(home: Home, without_models: list[tuple[str, ...]]) -> None:
    folder = analysed(home)
    run_here("results")  # takes the run in
    answer = run_here("explain", "likes", folder.id, "--words", "cat", "dog")
    assert answer.returncode == 0, answer.stderr
    assert without_models == [("explain", str(folder.path), "likes", "--words", "cat", "dog")]
    assert "One row a channel." in answer.stdout
    assert "No start." in answer.stderr
    assert data(run_here("explain", "likes", folder.id, "--json"))["title"] == FOUND.title
    sheetrack = Sheetrack(home)
    assert f"Likes {folder.id}" in sheetrack.workbook.shown()
    sheetrack.close()


def test_all_of_them_end_in_a_report(home: Home, without_models: list[tuple[str, ...]]) -> None:
    folder = analysed(home, "filters")
    answer = run_here("explain", "all", folder.id)
    assert answer.returncode == 0, answer.stderr
    assert without_models == [("explain", str(folder.path), *WHAT)]
    assert answer.stdout.rstrip().endswith("explain/report.html")


def test_only_the_newest_have_tabs(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backend.tabs.display.SHOWN_EXPLANATIONS", 2)
    sheetrack = Sheetrack(home)
    for place in range(4):
        found = FOUND.model_copy(
            update={"run": f"r{place}", "made_at": examples.NOON + timedelta(hours=place)}
        )
        sheetrack.display.show_explanations([found])
    shown = {tab for tab in sheetrack.workbook.shown() if is_explanation_tab(tab)}
    assert shown == {"Likes r2", "Likes r3"}
    sheetrack.close()


def test_a_wrong_use_is_a_sentence(home: Home) -> None:
    assert "There is no run 'r0'" in complaint(run_here("explain", "filters", "r0"), 1)
    assert "belongs to `same`" in run_here("explain", "filters", "r0", "r1").stderr
