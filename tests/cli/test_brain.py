"""The commands about brain data, as people type them."""

import json
import shutil
from pathlib import Path

import pytest

from backend.jobs.job import JobState
from backend.service.wiring import Sheetrack
from models.brain.simulate import Plan, simulate
from models.run_folder import RunFolder
from tests.cli.command_line import complaint, data, run_here
from tests.jobs.following import advance_until, state
from tests.models.brain.made_network import make_network


def simulated(folder: Path, *options: str) -> Path:
    made = run_here("brain", "simulate", str(folder), "--voxels", "48", "--people", "2", *options)
    assert made.returncode == 0, made.stderr
    assert made.stdout == f"{folder}: simulated data set written; truth.tsv tells what drives each voxel\n"
    return folder


@pytest.mark.usefixtures("pictures")
def test_a_run_is_mapped_as_a_job_and_gets_a_tab(sheetrack: Sheetrack, tmp_path: Path) -> None:
    folder = make_network(sheetrack.home.runs, depth=2)
    sheetrack.results.collect()
    sounds = tmp_path / "sounds"
    simulate(sounds, Plan(("conv2",), snr=4, sounds=24, voxels=48, people=2, nulls=0), folder)
    known = dict(data(run_here("brain", "check", str(sounds), "--json"))["facts"])
    assert known["Responses"] == "24 sounds x 48 voxels x 3 repetitions"
    here = next(iter(sheetrack.servers))
    asked = run_here("brain", "map", folder.id, "--data", str(sounds), "--controls", "mel", "--server", here)
    assert f"is queued on {here}: brain map {folder.id}" in asked.stdout
    (job,) = sheetrack.jobs.unfinished_jobs()
    advance_until(sheetrack, lambda: state(sheetrack, job) is JobState.DONE)
    names = [name for name, _ in sheetrack.workbook.tabs()]
    assert f"Brain {folder.id}" in names
    assert f"Brain {job.id}" not in names
    table, _ = sheetrack.workbook.table(f"Brain {folder.id}")
    assert table.sections[0].title == "Brain data sounds (simulated)"
    assert len(table.sections[-1].pictures) == 3
    result = json.loads(RunFolder(sheetrack.home.runs / job.id).result_file.read_text())
    assert result["metrics"]["mapped run"] == folder.id
    compared = run_here("brain", "compare", folder.id, folder.id)
    assert "cannot be told apart" in compared.stdout or "too few" in compared.stdout
    # On another server the folder of the job is all that comes back.
    shutil.rmtree(folder.path)
    sheetrack.display.show_results()
    assert f"Brain {job.id}" in [name for name, _ in sheetrack.workbook.tabs()]
    copied, _ = sheetrack.workbook.table(f"Brain {job.id}")
    assert copied.sections[0] == table.sections[0]
    assert [picture.figure for picture in copied.sections[-1].pictures] == [
        "brain_sounds_profile",
        "brain_sounds_map",
        "brain_sounds_reliability",
    ]


def test_what_is_wrong_is_one_sentence(sheetrack: Sheetrack, tmp_path: Path) -> None:
    assert "There is no run 'r0'" in complaint(run_here("brain", "map", "r0", "--data", str(tmp_path)), 1)
    answer = run_here("brain", "check", str(tmp_path))
    assert complaint(answer, 1).startswith(f"error: {tmp_path} holds no data set: it needs responses.npy")
    assert run_here("brain", "glm", str(tmp_path)).returncode == 2


@pytest.mark.usefixtures("home")
def test_a_contrast_becomes_a_result(sheetrack: Sheetrack, tmp_path: Path) -> None:
    runs = simulated(tmp_path / "runs", "--continuous", "--runs", "2")
    found = data(run_here("brain", "glm", str(runs), "--contrast", "sound001 - silence", "--json"))
    assert found["voxels"] == 48
    (folder,) = sheetrack.home.runs.iterdir()
    sheetrack.results.collect()
    assert [result.run for result in sheetrack.jobs.results()] == [folder.name]
    assert f"Brain {folder.name}" in [name for name, _ in sheetrack.workbook.tabs()]
    refused = run_here("brain", "glm", str(runs), "--contrast", "sound001 - quiet")
    assert "cannot be understood at '- quiet'" in complaint(refused, 1)
    assert list(sheetrack.home.runs.iterdir()) == [folder]
