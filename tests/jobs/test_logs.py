"""The logs of jobs, through engines and where none answers."""

from pathlib import Path

import pytest

from backend.errors import NotFoundError
from backend.jobs.engines import LogPart, LostError
from backend.jobs.engines.log_file import part_of
from backend.jobs.job import Job
from backend.jobs.logs import Logs, shown_lines
from backend.settings import Home
from models.run_folder import RunFolder
from tests.jobs.scripted import ScriptedEngine, ScriptedLab


class FileEngine(ScriptedEngine):
    """Reads the log of its own runs; may be silent."""

    def __init__(self, runs: Path) -> None:
        super().__init__()
        self.runs = runs
        self.is_silent = False

    def read_log(self, job: Job, start: int, most_bytes: int) -> LogPart:
        if self.is_silent:
            raise LostError("gpu1 does not answer.", "")
        return part_of(RunFolder(self.runs / job.id), start, most_bytes)


@pytest.fixture
def far(tmp_path: Path) -> FileEngine:
    return FileEngine(tmp_path / "far")


@pytest.fixture
def logs(lab: ScriptedLab, home: Home, far: FileEngine) -> Logs:
    return Logs(home, {"gpu1": far}, lab.store)


def write(runs: Path, job: Job, content: bytes) -> None:
    folder = RunFolder(runs / job.id)
    folder.path.mkdir(parents=True, exist_ok=True)
    folder.log_file.write_bytes(content)


def test_the_last_lines_are_read_where_the_job_runs(lab: ScriptedLab, logs: Logs, far: FileEngine) -> None:
    job = lab.started()
    write(far.runs, job, b"".join(b"line %d\n" % number for number in range(500)))
    tail = logs.tail(job.id, 200)
    assert (len(tail.lines), tail.lines[0], tail.lines[-1]) == (200, "line 300", "line 499")
    assert tail.note == ""


def test_a_log_of_any_size_is_read_from_its_end_alone(lab: ScriptedLab, logs: Logs, far: FileEngine) -> None:
    job = lab.started()
    write(far.runs, job, b"")
    with RunFolder(far.runs / job.id).log_file.open("r+b") as log:
        log.truncate(1 << 40)  # takes no space; more than could be read
        log.seek(0, 2)
        log.write(b"\nthe end\n")
    assert logs.tail(job.id, 1).lines == ["the end"]


def test_where_the_server_is_silent_the_log_that_was_brought_is_shown(
    lab: ScriptedLab, logs: Logs, far: FileEngine, home: Home
) -> None:
    job = lab.started()
    write(home.runs, job, b"brought\n")
    far.is_silent = True
    tail = logs.tail(job.id, 200)
    assert tail.lines == ["brought"]
    assert tail.note == "gpu1 does not answer. This is what was brought here before."
    with pytest.raises(LostError):
        next(logs.whole(job.id))


def test_the_whole_log_comes_in_parts(lab: ScriptedLab, logs: Logs, far: FileEngine) -> None:
    job = lab.started()
    content = bytes(range(256)) * 10_000
    write(far.runs, job, content)
    parts = list(logs.whole(job.id))
    assert b"".join(parts) == content
    assert [len(part) for part in parts] == [1 << 20, 1 << 20, len(content) - (2 << 20)]


def test_only_jobs_and_runs_have_logs(logs: Logs, home: Home) -> None:
    for name in ("r000000", "..", "../x"):
        with pytest.raises(NotFoundError):
            logs.tail(name, 1)
    (home.runs / "r000001").mkdir(parents=True)
    assert logs.tail("r000001", 1).lines == []


def test_control_characters_are_text(home: Home) -> None:
    assert shown_lines(b"a\x1b[31mb\tc\n10 %\r90 %\r\n\xff\xe2\x80\xae\n") == [
        r"a\x1b[31mb" + "\tc",
        "90 %",
        "\N{REPLACEMENT CHARACTER}" + r"\u202e",
    ]
    assert shown_lines(b"") == []
    assert len(shown_lines(b"x" * 1_000_000)[0]) == 2001
