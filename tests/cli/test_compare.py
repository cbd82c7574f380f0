"""`sheetrack compare`: what it draws, where that lies, and where it is shown."""

from collections.abc import Iterator
from pathlib import Path

import openpyxl
import pytest
from flask.testing import FlaskClient

from backend.api.app import create_app
from backend.service.wiring import Sheetrack
from backend.settings import Home
from models.recipe import Recipe
from models.run_folder import RunFolder
from tests.cli.command_line import complaint, data, run_here
from tests.models.made_run import make_run

SIDE = "published:base"


@pytest.fixture
def made(home: Home) -> RunFolder:
    """A run that keeps a comparison of an older release among its figures."""
    folder = make_run(home.runs)
    folder.figures.mkdir(exist_ok=True)
    for name in ("confusion_matrix", "compare_published_base"):
        (folder.figures / f"{name}.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    return folder


@pytest.fixture
def api(home: Home) -> Iterator[FlaskClient]:
    sheetrack = Sheetrack(home)
    client = create_app(sheetrack, "token").test_client()
    client.environ_base |= {"HTTP_AUTHORIZATION": "Bearer token", "HTTP_HOST": "localhost"}
    yield client
    sheetrack.close()


@pytest.mark.filterwarnings("ignore:Sparkline Group extension")
def test_its_picture_is_kept_with_the_comparison(
    made: RunFolder, home: Home, api: FlaskClient, tmp_path: Path
) -> None:
    tab = f"Compare {made.id} {SIDE}"
    assert data(run_here("compare", made.id, SIDE, "--json"))["a"]["name"] == made.id
    kept = home.comparisons / made.id / f"{SIDE}.png"
    assert kept.read_bytes().startswith(b"\x89PNG")
    assert [file.stem for file in made.drawn()] == ["confusion_matrix"]
    assert api.get(f"/api/runs/{made.id}").get_json()["figures"] == ["confusion_matrix"]
    with api.get(f"/api/comparisons/{made.id}/{SIDE}.png") as served:
        assert served.data == kept.read_bytes()
    for path in (f"{SIDE}/{made.id}", "../runs", "%2e%2e/store", f"{made.id}/%2e%2e%2f%2e%2e%2fstore"):
        assert api.get(f"/api/comparisons/{path}.png").status_code == 404
    shown = api.get(f"/api/tables/{tab}").get_json()["table"]["sections"][-1]["pictures"]
    assert [picture["comparison"] for picture in shown] == [[made.id, SIDE]]
    file = tmp_path / "all.xlsx"
    assert run_here("export", str(file)).returncode == 0
    book = openpyxl.load_workbook(file)
    assert len(book[tab.replace(":", "-")[:31]]._images) == 1


def test_two_published_matrices_have_a_picture_too(home: Home, tmp_path: Path) -> None:
    copy = tmp_path / "copy.png"
    shown = run_here("compare", SIDE, "published:ch32", "--picture", str(copy))
    assert shown.returncode == 0, shown.stderr
    assert "two-proportion z-test: p < 0.0001" in shown.stdout
    assert copy.read_bytes() == (home.comparisons / SIDE / "published:ch32.png").read_bytes()


def test_runs_beside_each_other_bear_the_names_that_people_gave(made: RunFolder, api: FlaskClient) -> None:
    def title() -> str:
        [run] = api.get(f"/api/comparisons?run={made.id}").get_json()["runs"]
        return str(run["title"])

    before = title()
    assert run_here("runs", "rename", made.id, "by hand").returncode == 0
    assert (before != "by hand", title()) == (True, "by hand")
    assert run_here("runs", "rename", made.id, "").returncode == 0
    assert title() == before


def test_what_cannot_be_compared_leaves_nothing(home: Home) -> None:
    unfinished = RunFolder.create(home.runs, Recipe(data="sounds"))
    assert "There is no run 'r0'" in complaint(run_here("compare", "r0", SIDE), 1)
    assert unfinished.id in complaint(run_here("compare", unfinished.id, SIDE), 1)
    recorded = RunFolder.create(home.runs, None)
    recorded.result_file.write_text(
        '{"metrics": {}, "words": ["a", "b"], "confusion_matrix": [[1, 0], [0, 1]]}'
    )
    assert "do not have the same words" in complaint(run_here("compare", recorded.id, SIDE), 1)
    assert not home.comparisons.exists()
