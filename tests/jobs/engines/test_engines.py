"""The promises of every Engine: process groups here, and a real Ray elsewhere."""

import importlib.util
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
import pytest

from backend.errors import InvalidError, UnavailableError
from backend.jobs.engines import Engine, LostError, ProcessState, job_environment, ray
from backend.jobs.job import AssignedGpu, Job, JobState, Resources
from backend.servers.server import this_machine
from backend.service import connections as connection
from backend.service.wiring import Sheetrack
from backend.settings import Home
from backend.times import now
from models.command import Command
from models.program_reader import read_any_result
from models.recipe import Recipe
from models.run_folder import RunFolder
from models.run_reader import read_history, read_predictions, read_progress, read_result
from tests.examples import recipe_of
from tests.jobs.ending import end_all
from tests.jobs.engines.ray_cluster import NAMED_NOWHERE, SERVER, Cluster, ray_cluster
from tests.jobs.following import advance_until, state, tab_column
from tests.models.programs import RESULT
from tests.patience import wait_until
from tests.service.backends import backend, wait_for_state
from tests.speech import write_words

SCORED = 'echo "{\\"accuracy\\": 0.9}" > "$SHEETRACK_RUN/result.json"'
HOSTILE = """'; touch "$SHEETRACK_HOME"/broken-out; echo '$(touch broken-out) `id` "\\ 語 €"""


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    if sys.platform != "linux" or importlib.util.find_spec("ray") is None:
        missing = "needs Ray on Linux: pip install 'sheetrack[ray]'"
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    with ray_cluster() as cluster:
        write_words(cluster.home.data / "tones")
        yield cluster


@dataclass
class Place:
    """A backend, and the server on which its engine trains."""

    home: Home
    server: str
    far_home: Home
    """The server's own home."""

    def __post_init__(self) -> None:
        self.parts = Sheetrack(self.home)
        self._started: list[Job] = []
        self._former: list[Sheetrack] = []

    @property
    def engine(self) -> Engine:
        return self.parts.engines[self.server]

    def restart(self) -> None:
        self._former.append(self.parts)  # whose child the training stays, within one process
        self.parts.close()
        self.parts = Sheetrack(self.home)

    def job(self, server: str = "", **choices: object) -> Job:
        """A job that the engine may start; trains on tones for an epoch unless told otherwise."""
        small = {"architecture": "ch32", "depth": 4, "epochs": 1, "data": "tones"}
        recipe = Recipe.model_validate(small | choices)
        folder = RunFolder.create(self.home.runs, recipe)
        return Job(
            id=folder.id,
            server=server or self.server,
            recipe=recipe,
            requested_by="kim",
            submitted_at=now(),
            handle=None,
        )

    def program(self, text: str) -> Job:
        """A job that the engine may start; a shell runs `text`."""
        command = Command(command=text, folder="/", shell=True)
        folder = RunFolder.create(self.home.runs, command)
        return Job(id=folder.id, server=self.server, command=command, requested_by="kim", submitted_at=now())

    def start(self, job: Job) -> Job:
        job = job.model_copy(update={"handle": self.engine.start(job)})
        self._started.append(job)
        return job

    def close(self) -> None:
        for job in self._started:
            self.engine.stop(job, kill=True)
            self.wait_until_gone(job)
        end_all(self.parts)
        self.parts.close()

    def here(self, job: Job) -> RunFolder:
        return RunFolder(self.home.runs / job.id)

    def there(self, job: Job) -> RunFolder:
        return RunFolder(self.far_home.runs / job.id)

    def wait_until(self, seen: Callable[[], object]) -> None:
        wait_until(seen)

    def process(self, job: Job) -> psutil.Process:
        """Waits for the process that trains or runs the program; torch may not be imported yet."""
        found: list[psutil.Process] = []

        def is_there() -> bool:
            if pid := self.there(job).trainer_pid():
                found[:] = [psutil.Process(pid)]
            return bool(found) and bool({"train", "run"} & set(found[0].cmdline()))  # not the step before it

        self.wait_until(is_there)
        return found[0]

    def wait_until_gone(self, job: Job) -> None:
        self.wait_until(lambda: self.engine.poll(job) is ProcessState.EXITED)


def has_ended(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return process.status() == psutil.STATUS_ZOMBIE
    return True


@pytest.fixture(params=["local", pytest.param("ray", marks=pytest.mark.ray)])
def place(request: pytest.FixtureRequest, home: Home) -> Iterator[Place]:
    if request.param == "ray":
        cluster: Cluster = request.getfixturevalue("cluster")
        cluster.join(home)
        place = Place(home, SERVER, cluster.home)
    else:
        write_words(home.data / "tones")
        place = Place(home, this_machine(), home)
    yield place
    place.close()


@pytest.fixture
def far(home: Home, cluster: Cluster) -> Iterator[Place]:
    cluster.join(home)
    place = Place(home, SERVER, cluster.home)
    place.parts.status.refresh()
    yield place
    place.close()


def bytes_of(run: RunFolder, names: list[str]) -> list[bytes]:
    return [(run.path / name).read_bytes() for name in names]


def test_a_training_is_started_once_and_all_that_it_leaves_is_here(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Without pictures, which one that is launched over HTTP draws.
    monkeypatch.setattr(ray, "job_environment", lambda job: job_environment(job) | {"SHEETRACK_FIGURES": "0"})
    job = place.start(place.job(name=HOSTILE))
    assert place.engine.poll(job) in (ProcessState.PENDING, ProcessState.RUNNING)
    assert place.engine.start(job) == job.handle
    place.wait_until_gone(job)
    assert place.start(job).handle
    place.wait_until_gone(job)
    left, brought = place.there(job), place.here(job)
    result = read_result(brought)
    assert result
    assert result == read_result(left)
    assert result.recipe.name == HOSTILE
    assert read_history(brought) == read_history(left) != []
    assert len(read_history(left)) == 1
    assert read_predictions(brought) == read_predictions(left) != []
    names = ["analysis.npz", "environment.json", "train.log"]
    assert bytes_of(brought, names) == bytes_of(left, names)
    assert "test accuracy" in place.engine.log(job)
    assert not list(place.far_home.path.rglob("broken-out"))


def test_a_restarted_backend_finds_a_training_and_ends_all_of_it(place: Place) -> None:
    job = place.start(place.job(epochs=500))
    trainer = place.process(job)
    place.restart()
    place.wait_until(lambda: place.engine.poll(job) is ProcessState.RUNNING and read_history(place.here(job)))
    assert read_progress(place.here(job)).epochs == 500
    place.engine.stop(job)
    place.wait_until_gone(job)
    place.wait_until(lambda: has_ended(trainer))  # the lock is released a moment before
    assert read_result(place.here(job)) is None
    place.engine.stop(job)
    place.engine.stop(job, kill=True)


def test_a_training_that_fails_says_why(place: Place) -> None:
    job = place.start(place.job(data="silence"))
    place.wait_until_gone(job)
    said = place.engine.log(job)
    assert "no data folder" in said
    assert str(place.far_home.data) in said
    assert "Traceback" not in said
    assert read_result(place.here(job)) is None


def test_what_never_started_is_gone(place: Place) -> None:
    job = place.job()
    assert place.engine.poll(job) is ProcessState.EXITED
    place.engine.stop(job)


def test_a_program_leaves_its_result_its_log_and_how_it_ended(place: Place) -> None:
    wait = 'while ! test -e "$SHEETRACK_RUN/go"; do sleep 0.1; done'
    text = f"""{wait}; echo "$SHEETRACK_RUN"; echo '{RESULT}' > "$SHEETRACK_RUN/result.json"; echo end"""
    job = place.start(place.program(text))
    assert place.engine.start(job) == job.handle
    place.wait_until(place.there(job).path.exists)
    (place.there(job).path / "go").touch()
    place.wait_until_gone(job)
    left, brought = place.there(job), place.here(job)
    assert read_any_result(brought) == read_any_result(left) is not None
    assert [file.name for file in brought.drawn()] == [file.name for file in left.drawn()] != []
    assert place.engine.log(job) == f"{left.path.resolve()}\nend"
    assert place.engine.ending(job) == "exit status 0"
    end = place.engine.read_log(job, -4, 100)
    assert (end.content, end.start, end.size) == (b"end\n", end.size - 4, left.log_file.stat().st_size)
    assert place.engine.read_log(job, -(1 << 18), 1 << 18).content == left.log_file.read_bytes()
    assert place.engine.read_log(job, 1, 3).content == str(left.path.resolve()).encode()[1:4]
    assert place.engine.read_log(job, end.size, 10).content == b""


def test_a_restarted_backend_follows_a_program_and_ends_it_with_its_children(place: Place) -> None:
    job = place.start(place.program("sleep 900 & echo $!; wait"))
    place.wait_until(lambda: place.there(job).log_tail())
    child = psutil.Process(int(place.there(job).log_tail()))
    place.restart()
    assert place.engine.poll(job) is ProcessState.RUNNING
    place.engine.stop(job)
    place.wait_until_gone(job)
    place.wait_until(lambda: has_ended(child))


GOES_ON = """
n=$(cat "$SHEETRACK_RUN/checkpoint.pt" 2>/dev/null || echo 0); n=$((n+1)); echo $n > "$SHEETRACK_RUN/checkpoint.pt"
echo "{\\"epoch\\": $n, \\"f1\\": 0.$n}" >> "$SHEETRACK_RUN/history.jsonl"
test $n = {} && : > "$SHEETRACK_RUN/history.jsonl"
"""
"""Ends well at the epoch {}, without a history: no picture is drawn."""


def follow_until(place: Place, job: Job, seen: Callable[[Job], bool]) -> Job:
    place.parts.status.refresh()
    advance_until(place.parts, lambda: seen(place.parts.jobs.job(job.id)))
    return place.parts.jobs.job(job.id)


def test_a_program_with_a_checkpoint_goes_on(place: Place) -> None:
    work = Command(command=GOES_ON.replace("{}", "2"), folder="/", shell=True)
    job = place.parts.queue.launch(place.server, work, "kim", resources=Resources(gpus=0))
    again = follow_until(place, job, lambda known: known.attempt == 2)
    assert again.continues == "continues from epoch 1 (exit status 1)", again.reason
    assert (again.server, again.epochs) == (place.server, 1)
    follow_until(place, job, lambda known: known.state is JobState.DONE)
    assert place.there(job).checkpoint_file.read_text() == "2\n"


def test_a_program_without_a_checkpoint_fails_and_starts_again_where_a_person_resumes_it(
    place: Place,
) -> None:
    text = 'test -e "$SHEETRACK_RUN/seen" || { touch "$SHEETRACK_RUN/seen"; exit 3; }'
    work = Command(command=text, folder="/", shell=True)
    job = place.parts.queue.launch(place.server, work, "kim", resources=Resources(gpus=0))
    failed = follow_until(place, job, lambda known: known.state is JobState.FAILED)
    assert place.engine.ending(failed) == "exit status 3"
    assert read_any_result(place.here(job)) is None
    resumed = place.parts.queue.resume(job.id, "lee")
    assert resumed.reason == "starts again (resumed by lee)"
    follow_until(place, job, lambda known: known.state is JobState.DONE)


@pytest.mark.parametrize("uuids", [("GPU-b", "GPU-a"), ()])
def test_a_training_sees_the_gpus_that_were_chosen_for_it_alone_and_is_told_by_the_signal_that_kills_it(
    place: Place, uuids: tuple[str, ...]
) -> None:
    assigned = tuple(AssignedGpu(uuid=uuid, index=number) for number, uuid in enumerate(uuids))
    job = place.start(place.job(epochs=500).model_copy(update={"assigned": assigned}))
    trainer = place.process(job)
    seen = trainer.environ()
    assert seen["CUDA_VISIBLE_DEVICES"] == ",".join(uuids)
    assert seen["CUDA_DEVICE_ORDER"] == "PCI_BUS_ID"
    assert seen["SHEETRACK_JOB"] == job.id
    assert seen.get("SHEETRACK_PROCESSES") == ("2" if uuids else None)
    trainer.kill()
    place.wait_until_gone(job)
    assert "signal 9" in place.engine.ending(job)


@pytest.mark.ray
def test_a_training_sees_the_whole_server_and_dies_with_whoever_runs_it(far: Place) -> None:
    job = far.start(far.job(epochs=500))
    trainer = far.process(job)
    seen = trainer.environ()
    assert {"CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS"} & seen.keys() == set()
    assert trainer.nice() >= 10
    assert int(Path(f"/proc/{trainer.pid}/oom_score_adj").read_text()) >= 500
    supervisor = trainer.parent()
    assert supervisor
    assert supervisor.cmdline() == ["ray::JobSupervisor"] or "ray" in supervisor.name()
    supervisor.kill()
    far.wait_until_gone(job)
    far.wait_until(lambda: has_ended(trainer))


@pytest.mark.ray
def test_what_is_left_while_the_agent_is_away_comes_when_it_is_back(far: Place, cluster: Cluster) -> None:
    job = far.start(far.program(SCORED))
    cluster.agent.kill()
    try:
        far.wait_until(far.there(job).result_file.exists)
        far.wait_until(lambda: cluster.direct.get(f"/api/jobs/{job.id}").json()["status"] == "SUCCEEDED")
        far.restart()  # knows nothing of it from before
        with pytest.raises(LostError, match="The agent of far does not answer"):
            far.engine.poll(job)
        assert not far.here(job).result_file.exists()
    finally:
        cluster.agent.start()
        cluster.agent.wait()
    far.restart()
    far.wait_until_gone(job)
    assert read_any_result(far.here(job)) == read_any_result(far.there(job)) is not None


def wait_until_told(place: Place, job: Job, *states: JobState) -> None:
    advance_until(place.parts, lambda: state(place.parts, job) in states)


@pytest.mark.ray
def test_a_job_is_followed_and_published_once_while_ray_is_away(far: Place, cluster: Cluster) -> None:
    queue = far.parts.queue
    wait = 'while ! test -e "$SHEETRACK_RUN/go"; do sleep 0.1; done'
    job = queue.launch(SERVER, far.program(f"{wait}; {SCORED}").work, "kim")
    wait_until_told(far, job, JobState.RUNNING)
    far.process(job)
    cluster.wire.cut()
    try:
        advance_until(far.parts, lambda: "does not answer" in far.parts.jobs.job(job.id).reason)
        assert state(far.parts, job) is JobState.RUNNING
        (far.there(job).path / "go").touch()
        far.parts.engines.ask_ray()
        assert any("Jobs on other servers cannot be" in error for error in far.parts.refresh.sheet_errors())
        wait_until_told(far, job, JobState.DONE)
    finally:
        cluster.wire.mend()
    far.parts.results.collect()
    far.parts.display.show_results()
    assert tab_column(far.parts, "Results", "Run") == [job.id]
    assert far.parts.jobs.results()[0].server == SERVER


@pytest.mark.ray
def test_a_job_cancelled_while_ray_is_away_is_ended_when_it_is_back(far: Place, cluster: Cluster) -> None:
    job = far.parts.queue.launch(SERVER, far.program("sleep 900").work, "kim")
    wait_until_told(far, job, JobState.RUNNING)
    process = far.process(job)
    cluster.wire.cut()
    try:
        far.parts.queue.cancel(job.id, "lee")
        wait_until_told(far, job, JobState.CANCELLING)
        assert not has_ended(process)
        reason = far.parts.jobs.job(job.id).reason
        assert "cancelled by lee; " in reason
        assert "does not answer" in reason
        next_one = far.parts.queue.launch(SERVER, far.job().work, "kim")
        far.parts.queue.advance()
        assert far.parts.jobs.job(next_one.id).reason == "a CPU job of kim runs on this server"
        far.parts.queue.cancel(next_one.id, "kim")
    finally:
        cluster.wire.mend()
    wait_until_told(far, job, JobState.CANCELLED)
    far.wait_until(lambda: has_ended(process))  # the lock is released a moment before


@pytest.mark.ray
def test_a_server_that_ray_does_not_know_keeps_its_jobs_waiting(far: Place, cluster: Cluster) -> None:
    job = far.job(NAMED_NOWHERE)
    with pytest.raises(UnavailableError, match="nowhere is not part of Ray's cluster"):
        far.engine.start(job)
    assert cluster.direct.get(f"/api/jobs/{job.id}").status_code == httpx.codes.NOT_FOUND
    jobs = [far.parts.queue.launch(NAMED_NOWHERE, job.work, "kim") for _ in range(2)]
    for _ in range(2):
        far.parts.queue.advance()
    for waiting in jobs:
        stored = far.parts.jobs.job(waiting.id)
        assert (stored.state, stored.started_at) == (JobState.QUEUED, None)
        assert "server:nowhere" in stored.reason


@pytest.mark.ray
def test_a_job_that_ray_has_forgotten_to_start_is_told_from_one_that_waits(
    far: Place, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    forgotten, waiting = far.program("true"), far.program("true")
    cluster.note_job(forgotten.id)
    answer = cluster.direct.post(
        "/api/jobs/",
        json={
            "submission_id": waiting.id,
            "entrypoint": "true",
            "entrypoint_resources": {f"server:{NAMED_NOWHERE}": 1},
        },
    )
    assert answer.is_success, answer.text
    assert far.engine.poll(forgotten) is ProcessState.PENDING  # a moment after the submission
    monkeypatch.setattr(ray, "_START_SECONDS", 0)
    far.restart()
    for expected in (ProcessState.PENDING, ProcessState.FORGOTTEN):
        assert far.engine.poll(forgotten) is expected
        assert far.engine.poll(waiting) is ProcessState.PENDING
    assert far.engine.note(forgotten) == "Ray forgot it before it started"
    cluster.direct.post(f"/api/jobs/{waiting.id}/stop")


@pytest.mark.ray
def test_a_job_that_ray_calls_running_and_that_nothing_runs_has_ended(
    far: Place, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Head and server lost power together: the head that starts again knows the job as it was."""
    lost = far.program("true")
    cluster.note_job(lost.id, "RUNNING")
    assert far.engine.poll(lost) is ProcessState.RUNNING  # it may not have taken its lock yet
    monkeypatch.setattr(ray, "_START_SECONDS", 0)
    far.restart()
    far.wait_until(lambda: far.engine.poll(lost) is ProcessState.EXITED)
    assert far.engine.ending(lost) == "it ended while Ray's head was away"


@pytest.mark.ray
def test_the_doctor_looks_at_ray(home: Home, cluster: Cluster) -> None:
    assert connection.ray(home) == "not set up in settings.toml"
    cluster.join(home)
    with pytest.raises(UnavailableError, match="nowhere is not part of Ray's cluster"):
        connection.ray(home)
    text = home.servers_file.read_text()
    home.servers_file.write_text(text[: text.rindex("[[server]]")])
    assert re.fullmatch(rf"Ray 2\.\S+ at http://127\.0\.0\.1:\d+; trains on {SERVER}", connection.ray(home))


def test_ray_has_to_be_named(home: Home) -> None:
    home.path.mkdir()
    home.servers_file.write_text('[[server]]\nname = "far"\nagent = "http://127.0.0.1:9"\nray = true\n')
    with pytest.raises(InvalidError, match=r"far trains through Ray, and \S+settings.toml names no Ray"):
        Sheetrack(home)
    home.servers_file.write_text('[[server]]\nname = "far"\nray = true\n')
    with pytest.raises(InvalidError, match="far has no agent"):
        Sheetrack(home)


@pytest.mark.ray
def test_a_token_that_ray_refuses(home: Home, cluster: Cluster) -> None:
    cluster.join(home, token="another one")
    place = Place(home, SERVER, cluster.home)
    with pytest.raises(LostError, match="refuses our token"):
        place.engine.start(place.job())
    place.parts.close()


@pytest.mark.ray
def test_another_run_of_the_same_name_is_left_alone(far: Place) -> None:
    job = far.job()
    other = RunFolder.receive(far.far_home.runs, job.id, recipe_of(job).model_copy(update={"seed": 1}))
    other.result_file.write_text('{"whose": "somebody else\'s"}')
    job = far.start(job)
    far.wait_until_gone(job)
    assert "another run" in far.engine.log(job)
    assert not far.here(job).result_file.exists()


@pytest.mark.ray
def test_a_training_launched_over_http_on_another_server_appears_in_the_sheet(
    home: Home, cluster: Cluster
) -> None:
    cluster.join(home)
    with backend(home) as (api, _):
        recipe = {"architecture": "ch32", "depth": 4, "epochs": 1, "data": "tones"}
        offered = {server["name"] for server in api.get("/api/servers").json()["servers"] if server["trains"]}
        assert offered == {SERVER, NAMED_NOWHERE}
        job = api.post("/api/jobs", json={"server": SERVER, "recipe": recipe}).json()["id"]
        wait_for_state(api, job, JobState.DONE)
        table = api.get("/api/tables/Results").json()["table"]
        assert [row[0]["text"] for row in table["sections"][0]["rows"]] == [job]
        figures = api.get(f"/api/runs/{job}").json()["figures"]
    brought, left = RunFolder(home.runs / job), RunFolder(cluster.home.runs / job)
    drawn = [file.name for file in left.drawn()]
    assert [file.name for file in brought.drawn()] == drawn == [f"{name}.png" for name in figures] != []
    names = ["filters.json", *(f"figures/{name}" for name in drawn)]
    assert bytes_of(brought, names) == bytes_of(left, names)


def test_a_server_that_is_only_watched_takes_no_training(home: Home, tmp_path: Path) -> None:
    home.path.mkdir()
    home.servers_file.write_text(
        '[[server]]\nname = "here"\n[[server]]\nname = "far"\nagent = "http://127.0.0.1:9"\n'
    )
    parts = Sheetrack(home)
    with pytest.raises(InvalidError, match="far is only watched"):
        parts.queue.launch("far", Recipe(data=str(tmp_path)), "kim")
    assert {server.name: server.trains for server in parts.status.current()} == {"here": True, "far": False}
    assert parts.jobs.unfinished_jobs() == []
    parts.close()
