"""Jobs on GPUs from the request to the start, over a real store and an engine that the test decides."""

from collections.abc import Iterator

import pytest

from backend.database import open_database
from backend.errors import ConflictError, InvalidError, NotFoundError
from backend.jobs.job import Job, JobState, Resources
from backend.servers.state import ServerStatus, State
from backend.settings import Home
from models.recipe import Recipe
from tests.jobs.gpu_servers import gpu, server
from tests.jobs.scripted import ScriptedEngine, ScriptedLab

RECIPE = Recipe(data="speech")


class GpuLab(ScriptedLab):
    """gpu1 with two GPUs, gpu2 with one."""

    def __init__(self, home: Home, engine: ScriptedEngine) -> None:
        self.statuses = {"gpu1": server("gpu1", [gpu(0), gpu(1)]), "gpu2": server("gpu2", [gpu(0)])}
        self.now: dict[str, ServerStatus] = {}
        """What a look at the moment of a start finds, where that differs."""
        engines = {"gpu1": engine, "gpu2": engine}
        super().__init__(home, open_database(home.store_file), engines, self.statuses.__getitem__, self.look)

    def look(self, name: str) -> ServerStatus:
        if name in self.now:
            self.statuses[name] = self.now[name]
        return self.statuses[name]

    def launch(self, where: str, person: str = "kim", **resources: int) -> Job:
        return self.queue.launch(where, RECIPE, person, resources=Resources.model_validate(resources))

    def stored(self, job: Job) -> Job:
        return self.store.job(job.id)


@pytest.fixture
def gpus(home: Home, engine: ScriptedEngine) -> Iterator[GpuLab]:
    lab = GpuLab(home, engine)
    yield lab
    lab.database.dispose()


def test_the_gpus_are_stored_before_the_job_starts(gpus: GpuLab, engine: ScriptedEngine) -> None:
    seen: list[Job] = []
    engine.on_start = lambda job: seen.append(gpus.store.job(job.id))
    both = gpus.launch("any", gpus=2)
    assert (both.server, both.servers, both.runs_on) == ("", ("any",), "any")
    gpus.queue.advance()
    assert [(job.state, job.server, job.gpu_text) for job in seen] == [
        (JobState.STARTING, "gpu1", "GPUs 0, 1")
    ]


def test_jobs_that_start_in_the_same_second_get_different_gpus(gpus: GpuLab) -> None:
    jobs = [gpus.launch("gpu2,gpu1", person) for person in ("kim", "lee", "park")]
    assert jobs[0].servers == ("gpu1", "gpu2")
    gpus.queue.advance()
    placed = [gpus.stored(job) for job in jobs]
    assert len({(job.server, job.gpu_text) for job in placed}) == 3
    late = gpus.launch("gpu1", "choi")
    gpus.queue.advance()
    assert gpus.stored(late).reason.startswith("both GPUs in use (")


def test_a_job_whose_gpu_was_taken_goes_back_to_its_place_with_the_reason(
    gpus: GpuLab, engine: ScriptedEngine
) -> None:
    gpus.now["gpu2"] = server("gpu2", [gpu(0, ["park"])])
    first, second = gpus.launch("gpu2"), gpus.launch("gpu2")
    gpus.queue.advance()
    back = gpus.stored(first)
    assert (back.state, back.reason) == (
        JobState.QUEUED,
        "GPU 0 was taken by park when the job was to start",
    )
    assert (back.server, back.assigned, back.started_at) == ("gpu2", None, None)
    assert engine.calls == []
    gpus.queue.advance()
    assert gpus.stored(first).reason == "the GPU is in use (park)"
    assert gpus.queue.places() == {first.id: 1, second.id: 2}
    gpus.now["gpu2"] = gpus.statuses["gpu2"] = server("gpu2", [gpu(0)])
    gpus.queue.advance()
    assert gpus.stored(first).state is JobState.STARTING


def test_a_job_that_has_started_already_keeps_its_gpu(gpus: GpuLab, engine: ScriptedEngine) -> None:
    # Its start was not noted, and its own process is on the GPU by now, in a reading that does not say whose.
    job = gpus.launch("gpu2")
    gpus.now["gpu2"] = server("gpu2", [gpu(0, ["kim"])])
    engine.running.add(job.id)
    gpus.queue.advance()
    assert gpus.stored(job).handle == f"handle of {job.id}"


def test_who_gives_a_name_on_the_page_is_the_person_of_the_login_in_turns_alone(gpus: GpuLab) -> None:
    """The same key of two names launches twice: an answer about another person's job is none of theirs."""
    names = ("lee", "lee (self-declared)")
    jobs = [gpus.queue.launch("gpu2", RECIPE, name, key="one") for name in names]
    kims = gpus.launch("gpu2")
    assert [gpus.stored(job).requested_by for job in jobs] == list(names)
    assert gpus.queue.places() == {jobs[0].id: 1, kims.id: 2, jobs[1].id: 3}
    gpus.queue.advance()
    assert gpus.queue.places() == {kims.id: 1, jobs[1].id: 2}


def test_what_can_never_run_is_refused(gpus: GpuLab) -> None:
    with pytest.raises(InvalidError, match="gpu2 has 1 GPU for jobs, 2 are needed"):
        gpus.launch("gpu2", gpus=2)
    with pytest.raises(InvalidError, match="gpu1 has 2 GPUs for jobs, 3 are needed; gpu2 has 1 GPU"):
        gpus.launch("any", gpus=3)
    with pytest.raises(InvalidError, match="no GPU of gpu2 has 200 GiB"):
        gpus.launch("gpu2", gpu_memory_gib=200)
    with pytest.raises(NotFoundError, match="no server 'gpu9'"):
        gpus.launch("gpu1,gpu9")
    with pytest.raises(InvalidError, match="names no server"):
        gpus.launch("any,gpu1")
    assert gpus.launch("gpu1,gpu2", gpus=2).servers == ("gpu1", "gpu2")


def test_a_decision_of_a_person_is_recorded(gpus: GpuLab, caplog: pytest.LogCaptureFixture) -> None:
    gpus.statuses["gpu2"] = server("gpu2", [gpu(0)], State.DOWN)
    first, second = gpus.launch("gpu2"), gpus.launch("gpu2", "lee")
    with caplog.at_level("INFO"):
        gpus.queue.put_first(second.id, "park")
    decision = gpus.stored(second).put_first
    assert decision
    assert decision.by == "park"
    assert decision.at >= second.submitted_at
    assert f"job {second.id}: put_first by park" in caplog.text
    assert gpus.queue.places() == {second.id: 1, first.id: 2}
    assert gpus.queue.override_reservations(first.id, "park").override
    gpus.queue.cancel(first.id, "kim")
    with pytest.raises(ConflictError, match="it does not wait"):
        gpus.queue.put_first(first.id, "park")
