"""The models as a process, from any working directory."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from backend.errors import InvalidError, UnavailableError
from backend.jobs.models_cli import ask
from backend.service.wiring import Sheetrack
from backend.settings import Home
from models.command import Command
from models.process import command
from models.recipe import Recipe
from models.run_folder import RunFolder
from tests.jobs.following import advance_until, state

SMALL = {"architecture": "ch32", "depth": 3, "batch_size": 4}
PROGRAM = Command(command="true", folder="/")


@pytest.fixture(params=["models.py", "models/__init__.py"])
def foreign(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with a package of the same name that leaves a file when it is run."""
    file = tmp_path / "here" / request.param
    file.parent.mkdir(parents=True)
    ran = tmp_path / "here" / "ran"
    file.write_text(f"open({str(ran)!r}, 'w').close()\n")
    if request.param.count("/"):
        (file.parent / "__main__.py").write_text("")
    monkeypatch.chdir(ran.parent)
    return ran


def test_a_foreign_package_of_that_name_is_not_run(foreign: Path, home: Home, sheetrack: Sheetrack) -> None:
    assert json.loads(ask("compare", "published:base", "published:ch32"))["a"]["name"] == "published:base"
    job = sheetrack.queue.launch(next(iter(sheetrack.servers)), PROGRAM, "kim")
    advance_until(sheetrack, lambda: state(sheetrack, job).is_over)
    assert RunFolder(home.runs / job.id).exit_file.exists()
    assert not foreign.exists()


def test_a_job_of_another_backend_runs_no_foreign_package(home: Home, tmp_path: Path) -> None:
    home.data.mkdir(parents=True)
    ran = tmp_path / "ran"
    for folder in (tmp_path, home.data):
        (folder / "models.py").write_text(f"open({str(ran)!r}, 'w').close()\n")
    subprocess.run(command("job", "r1", PROGRAM.model_dump_json()), cwd=tmp_path, check=True)
    assert RunFolder(home.runs / "r1").exit_file.exists()
    assert not ran.exists()


def test_a_refusal_is_in_the_models_own_words(tmp_path: Path) -> None:
    with pytest.raises(InvalidError, match=r"has no folders of recordings"):
        ask("data", "describe", str(tmp_path))


def test_no_answer_in_time_is_said(speech: Path) -> None:
    with pytest.raises(UnavailableError, match=r"`python -m models data` gave no answer within 0\.1 s"):
        ask("data", "describe", str(speech), timeout_seconds=0.1)


@pytest.mark.parametrize("to_all", [True, False], ids=["Ctrl-C", "kill -INT"])
def test_an_interrupted_training_ends_in_its_own_way(home: Home, speech: Path, to_all: bool) -> None:
    folder = RunFolder.create(home.runs, Recipe(data=str(speech), epochs=1000, **SMALL))
    words = [sys.executable, "-m", "backend.cli", "train", "--resume", folder.id]
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True, start_new_session=True) as process:
        while not folder.history_file.exists() or not folder.history_file.stat().st_size:
            assert process.poll() is None
            time.sleep(0.05)
        trainer = folder.trainer_pid()
        assert trainer
        # A terminal sends it to every process in the foreground.
        os.killpg(process.pid, signal.SIGINT) if to_all else process.send_signal(signal.SIGINT)
        _, told = process.communicate()
    assert process.returncode == 130
    assert f"go on with: sheetrack train --resume {folder.id}" in told
    assert "Traceback" not in told
    assert folder.trainer_pid() is None
    assert folder.checkpoint_file.exists()
