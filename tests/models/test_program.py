"""Programs of a lab's own as real processes."""

import os
import signal
import sys
from pathlib import Path

import psutil
import pytest

from models.command import Command
from models.program_reader import read_any_result, read_exit
from models.result import ProgramResult
from models.run_folder import RunFolder
from tests.models.programs import RESULT, ended, shell, start
from tests.patience import wait_until


def in_words(folder: RunFolder) -> str:
    found = read_exit(folder)
    assert found
    return found.in_words


def log(folder: RunFolder) -> str:
    return folder.log_file.read_text()


def test_a_program_knows_its_run_and_leaves_its_result_and_pictures(tmp_path: Path) -> None:
    text = f"""echo '{RESULT}' > "$SHEETRACK_RUN/result.json"; echo '{{"epoch": 1, "loss": 2}}' > "$SHEETRACK_RUN/history.jsonl"; pwd"""
    folder = ended(shell(text, tmp_path), tmp_path / "runs")
    result = read_any_result(folder)
    assert isinstance(result, ProgramResult)
    assert result.metrics == {"accuracy": 0.9, "f1": 0.85}
    assert [file.stem for file in folder.drawn()] == [
        "confusion", "confusion_normalised", "mistakes", "learning_curve",
    ]  # fmt: skip
    assert log(folder) == f"{tmp_path}\n"
    assert in_words(folder) == "exit status 0"


def test_a_program_that_fails_has_no_result(tmp_path: Path) -> None:
    folder = ended(
        shell(f"echo '{RESULT}' > $SHEETRACK_RUN/result.json; exit 3", tmp_path), tmp_path / "runs"
    )
    assert in_words(folder) == "exit status 3"
    assert read_any_result(folder) is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("kill -9 $$", "killed by signal 9"),
        ("kill -11 $$; sleep 9", "killed by signal 11 (segmentation fault)"),
        ("sh -c 'kill -9 $$'; exit $?", "exit status 137, which tells of signal 9"),
    ],
)
def test_the_end_by_a_signal_is_noted(tmp_path: Path, text: str, words: str) -> None:
    assert in_words(ended(shell(text, tmp_path), tmp_path / "runs")) == words


def test_what_cannot_be_started_says_why(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    folder = ended(Command(command="no-such-program x", folder=str(tmp_path)), runs)
    assert in_words(folder) == "there is no program 'no-such-program' on this server"
    assert log(folder) == f"error: {in_words(folder)}\n"
    folder = ended(Command(command="true", folder=str(tmp_path / "gone")), runs)
    assert in_words(folder) == f"there is no folder {tmp_path / 'gone'} on this server"
    folder = ended(Command(command="true", folder=str(tmp_path)), runs, prefix=str(tmp_path / "env"))
    assert in_words(folder) == f"the environment has no folder {tmp_path / 'env' / 'bin'} on this server"
    (tmp_path / "plain").touch(mode=0o644)
    folder = ended(Command(command="./plain", folder=str(tmp_path)), runs)
    assert in_words(folder) == f"{tmp_path / 'plain'} cannot be started: Permission denied"


def test_the_programs_of_the_environment_come_first(tmp_path: Path) -> None:
    programs = tmp_path / "env" / "bin"
    programs.mkdir(parents=True)
    (programs / "python").write_text('#!/bin/sh\necho "mine $VIRTUAL_ENV $CONDA_PREFIX $*"\n')
    (programs / "python").chmod(0o755)
    command = Command(command="python train.py '*.wav'", folder=str(tmp_path))
    env = str(tmp_path / "env")
    assert log(ended(command, tmp_path / "runs", prefix=env)) == f"mine {env}  train.py *.wav\n"
    (tmp_path / "env" / "conda-meta").mkdir()
    assert log(ended(command, tmp_path / "runs", prefix=env)) == f"mine  {env} train.py *.wav\n"


def test_the_agents_token_is_not_given_to_programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHEETRACK_AGENT_TOKEN", "secret")
    assert "secret" not in log(ended(shell("env", tmp_path), tmp_path / "runs"))


def test_the_lock_is_held_until_the_last_child_has_ended(tmp_path: Path) -> None:
    folder, process = start(shell("sleep 600 & echo $!", tmp_path), tmp_path / "runs")
    assert process.wait() == 0
    child = psutil.Process(int(log(folder)))
    try:
        assert folder.trainer_pid()
    finally:
        child.kill()
    wait_until(lambda: folder.trainer_pid() is None)


def test_a_run_that_has_ended_does_not_start_again(tmp_path: Path) -> None:
    folder = ended(shell("echo once", tmp_path), tmp_path / "runs")
    os.spawnv(os.P_WAIT, sys.executable, [sys.executable, "-P", "-m", "models", "run", str(folder.path)])
    assert log(folder) == "once\n"


def test_who_runs_the_program_waits_for_it_when_asked_to_end(tmp_path: Path) -> None:
    text = "trap 'echo saved; exit 5' TERM; echo ready; while :; do sleep 0.1; done"
    folder, process = start(shell(text, tmp_path), tmp_path / "runs")
    wait_until(lambda: "ready" in log(folder))
    parent = psutil.Process(process.pid)
    (program,) = parent.children()
    parent.send_signal(signal.SIGTERM)
    program.send_signal(signal.SIGTERM)
    assert process.wait() == 5
    assert "saved" in log(folder)
    assert in_words(folder) == "exit status 5"


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel of Linux does this")
def test_the_program_ends_with_the_process_that_runs_it(tmp_path: Path) -> None:
    folder, process = start(shell("echo $$; exec sleep 600", tmp_path), tmp_path / "runs")
    wait_until(lambda: log(folder).endswith("\n"))
    program = psutil.Process(int(log(folder)))
    process.kill()
    process.wait()
    wait_until(lambda: not program.is_running() or program.status() == psutil.STATUS_ZOMBIE)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("exec sleep 600", "killed by signal 15 (its time limit of 0.0003 h is over)"),
        (
            "trap 'kill $!; exit 3' TERM; sleep 600 & wait",
            "exit status 3 (its time limit of 0.0003 h is over)",
        ),
    ],
)
def test_a_program_is_ended_at_its_time_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, words: str
) -> None:
    monkeypatch.setenv("SHEETRACK_HOURS", "0.0003")
    assert in_words(ended(shell(text, tmp_path), tmp_path / "runs")) == words


def test_the_gpus_of_a_program_are_in_its_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHEETRACK_GPUS", "GPU 3 (H100)")
    assert log(ended(shell("echo hello", tmp_path), tmp_path / "runs")) == "runs on GPU 3 (H100)\nhello\n"
