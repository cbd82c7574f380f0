"""Nouns as they come, for tests of what is shown of them."""

from datetime import UTC, datetime, timedelta
from typing import Any

from backend.jobs.job import Job, JobState
from backend.jobs.result import Result
from backend.probe.snapshot import GpuProcess, GpuReading, HostReading, Snapshot
from backend.servers.state import ServerStatus, State, Verdict
from models.recipe import WORDS, Recipe
from models.result import DataFacts, Epoch, Progress, RunResult

NOON = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)


def recipe(**changes: Any) -> Recipe:
    return Recipe(data="/data/speech", depth=8, dropout=0.75, batch_norm=False).model_copy(update=changes)


def recipe_of(job: Job) -> Recipe:
    """The recipe of a job that trains."""
    assert job.recipe
    return job.recipe


def training_of(result: Result) -> RunResult:
    """The content of a training's result."""
    assert isinstance(result.content, RunResult)
    return result.content


def job(name: str = "r1", **changes: Any) -> Job:
    plain = Job(id=name, server="gpu1", recipe=recipe(), requested_by="kim", submitted_at=NOON)
    return plain.model_copy(update=changes)


def running(name: str = "r1") -> Job:
    progress = Progress(epoch=14, epochs=40, fraction=0.34, loss=0.21, validation_accuracy=0.9312)
    return job(name, state=JobState.RUNNING, started_at=NOON, progress=progress)


def run_result(run: str = "r1", accuracy: float = 0.9, **changes: Any) -> RunResult:
    """A run that predicts `accuracy` of ten clips a word right and the rest as the next word."""
    size, clips = len(WORDS), 10
    right = round(accuracy * clips)
    matrix = [[0] * size for _ in range(size)]
    for place in range(size):
        matrix[place][place] = right
        matrix[place][(place + 1) % size] = clips - right
    plain = RunResult(
        run=run,
        words=WORDS,
        test_accuracy=right / clips,
        test_accuracy_full_length=right / clips,
        test_clips=size * clips,
        test_clips_full_length=size * clips,
        validation_accuracy=0.91,
        confusion_matrix=tuple(tuple(row) for row in matrix),
        parameters=94_768,
        epochs=2,
        best_epoch=2,
        seconds=754.0,
        clips_per_second=170.0,
        device="cpu",
        data=DataFacts(name="speech", hash="abc", synthetic=True, held_out="the voices f2 and m3"),
        recipe=recipe(),
        finished_at=NOON + timedelta(minutes=13),
    )
    return plain.model_copy(update=changes)


def result(run: str = "r1", accuracy: float = 0.9, **changes: Any) -> Result:
    content = run_result(run, accuracy, **changes)
    return Result(
        run=run, server="gpu1", requested_by="kim", finished_at=content.finished_at, content=content
    )


HISTORY = [
    Epoch.model_validate(
        {"epoch": 1, "loss": 2.1, "validation_loss": 1.9, "train_accuracy": 0.3, "validation_accuracy": 0.41}
    ),
    Epoch.model_validate(
        {"epoch": 2, "loss": 0.9, "validation_loss": 0.8, "train_accuracy": 0.8, "validation_accuracy": 0.91}
    ),
]


def busy_server() -> ServerStatus:
    gpus = (
        GpuReading(
            index=0,
            utilization_percent=97,
            memory_used_mib=22_000,
            memory_total_mib=24_576,
            processes=(GpuProcess(pid=9, user="kim", command="python", memory_mib=21_000),),
        ),
        GpuReading(index=1, memory_used_mib=512, memory_total_mib=24_576, fault="not answering"),
    )
    host = HostReading(cpu_percent=41, cpu_count=32, memory_total_mib=1000, memory_available_mib=620)
    snapshot = Snapshot(server="gpu1", at=NOON, host=host, gpus=gpus)
    verdict = Verdict(state=State.BUSY, reason="1 of 2 GPUs free")
    hour = (None, 10.0, 55.0, 97.0)
    return ServerStatus(name="gpu1", verdict=verdict, snapshot=snapshot, seen_at=NOON, last_hour=hour)


def down_server() -> ServerStatus:
    verdict = Verdict(state=State.DOWN, reason="agent not answering since 11:48, 3 tries")
    return ServerStatus(name="gpu4", verdict=verdict, seen_at=NOON - timedelta(minutes=12))
