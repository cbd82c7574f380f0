"""Programs of a lab's own from the command line: launched, followed, and what is wrong named."""

from pathlib import Path

from backend.jobs.job import JobState
from backend.service.wiring import Sheetrack
from models.command import Command
from tests.cli.command_line import complaint, data, run_here
from tests.jobs.following import advance_until, state


def test_a_program_is_launched_followed_and_its_log_is_text(sheetrack: Sheetrack, tmp_path: Path) -> None:
    here = next(iter(sheetrack.servers))
    words = ["--shell", "--command", r"printf 'a\033[1mb\nlast'; exit 4", "--folder", str(tmp_path)]
    job = data(run_here("launch", "--server", here, *words, "--json"))
    assert "has written nothing" in run_here("logs", job["id"]).stderr
    known = sheetrack.jobs.job(job["id"])
    advance_until(sheetrack, lambda: state(sheetrack, known) is JobState.FAILED)
    answer = run_here("logs", job["id"], "-f")
    assert answer.stdout == "a\\x1b[1mb\nlast\n"
    assert "is failed. exit status 4: " in answer.stderr
    assert data(run_here("logs", job["id"], "--json"))["lines"] == ["a\\x1b[1mb", "last"]
    assert run_here("logs", job["id"], "--lines", "1").stdout == "last\n"
    assert "There is no job" in complaint(run_here("logs", "r000000"), 1)


def test_the_folder_is_where_one_stands(sheetrack: Sheetrack) -> None:
    here = next(iter(sheetrack.servers))
    job = data(run_here("launch", "--server", here, "--command", "true", "--json"))
    command = Command.model_validate(job["command"])
    assert command.folder == str(Path.cwd())
    assert job["recipe"] is None


def test_what_does_not_fit_together_is_refused(sheetrack: Sheetrack, tmp_path: Path) -> None:
    here = next(iter(sheetrack.servers))

    def refused(*words: str, code: int = 2) -> str:
        return complaint(run_here("launch", "--server", here, *words), code)

    assert "means something to a shell only" in refused("--command", "a | b")
    assert "takes no architecture" in refused("ch32", "--command", "true")
    assert "takes no epochs" in refused("--command", "true", "--epochs", "3")
    assert "belong to --command" in refused("ch32", "--data", "x", "--shell")
    assert "There is no folder" in refused("--command", "true", "--folder", str(tmp_path / "no"), code=1)
    assert "has no environment 'x'" in refused("--command", "true", "--environment", "x", code=1)
    assert sheetrack.jobs.unfinished_jobs() == []
