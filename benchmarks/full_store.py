"""How long the commands take that read a full store: `python -m benchmarks.full_store [HOME]`.

The store has 10,000 jobs and 5,000 results, with a run folder each; the newest 20 runs have tabs with their
pictures. With HOME it is kept there and used again. Each command is a separate process; beside them stands what
every command needs at least, in the same round.
"""

import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import sqlalchemy as sa

from backend.jobs import rows
from backend.jobs.job import Job, JobState
from backend.service.wiring import Sheetrack
from backend.settings import Home
from models.figures import draw
from models.recipe import WORDS, Recipe
from models.result import DataFacts, RunResult
from models.run_folder import RunFolder, write_atomically
from tests.models.made_run import make_run

JOBS, RESULTS = 10_000, 5_000
ROUNDS = 3
BEGIN = datetime(2026, 3, 2, tzinfo=UTC)
PEOPLE = ("kim", "lee", "park", "max")
NETWORKS = {"ch32": 94_768, "ch64": 363_600, "ch128": 1_443_856, "vgg": 470_736}
SERVED = ("history.jsonl", "predictions.csv", "filters.json")
COMMANDS = {
    "`python -c pass`": ("-c", "pass"),
    "`sheetrack --help`": ("-m", "backend.cli", "--help"),
    "`sheetrack jobs`": ("-m", "backend.cli", "jobs"),
    "`sheetrack results`": ("-m", "backend.cli", "results"),
    "`sheetrack export lab.xlsx`": ("-m", "backend.cli", "export", "lab.xlsx"),
}


def fill(home: Home) -> None:
    """Makes everything that a lab has after years of runs."""
    draw_from = random.Random(1)  # noqa: S311 - no secret
    sheetrack = Sheetrack(home)
    pattern = make_run(home.path / "pattern")
    draw(pattern)
    with sheetrack.database.begin() as connection:
        for number in range(JOBS):
            job = a_job(number, draw_from)
            connection.execute(sa.insert(rows.JOBS).values(rows.columns_of(job, Job.model_fields)))
            if number % 2:
                keep_run(RunFolder(home.runs / job.id), job, draw_from, pattern, number)
    shutil.rmtree(home.path / "pattern")
    sheetrack.results.collect()
    sheetrack.display.show_jobs()
    sheetrack.close()


def a_job(number: int, draw_from: random.Random) -> Job:
    """Every second one is done."""
    begin = BEGIN + timedelta(minutes=20 * number)
    recipe = Recipe(
        architecture=draw_from.choice(list(NETWORKS)),
        depth=draw_from.randrange(4, 9),
        dropout=draw_from.choice((0.25, 0.5, 0.75)),
        learning_rate=draw_from.choice((1e-4, 3e-4, 1e-3)),
        seed=number % 5,
        data="/data/speech",
    )
    return Job(
        id=f"r{number:06x}",
        server=f"gpu{number % 4}",
        recipe=recipe,
        requested_by=draw_from.choice(PEOPLE),
        submitted_at=begin,
        started_at=begin + timedelta(minutes=1),
        ended_at=begin + timedelta(minutes=15),
        state=JobState.DONE if number % 2 else draw_from.choice((JobState.FAILED, JobState.CANCELLED)),
        reason="" if number % 2 else "exit status 1",
    )


def keep_run(folder: RunFolder, job: Job, draw_from: random.Random, pattern: RunFolder, number: int) -> None:
    """The folder of a finished run; the newest have all files and pictures too."""
    folder.path.mkdir(parents=True)
    if number >= JOBS - 2 * 20:
        for name in SERVED:
            shutil.copy(pattern.path / name, folder.path)
        shutil.copytree(pattern.figures, folder.figures)
    assert job.recipe  # noqa: S101
    assert job.ended_at  # noqa: S101
    right = draw_from.randrange(80, 99)
    matrix = np.eye(len(WORDS), dtype=int) * right
    matrix[np.arange(len(WORDS)), np.arange(1, len(WORDS) + 1) % len(WORDS)] = 100 - right
    result = RunResult(
        run=job.id,
        words=WORDS,
        test_accuracy=right / 100,
        test_accuracy_full_length=right / 100,
        test_clips=100 * len(WORDS),
        test_clips_full_length=90 * len(WORDS),
        validation_accuracy=right / 100,
        confusion_matrix=tuple(map(tuple, matrix.tolist())),
        confusion_matrix_full_length=tuple(map(tuple, matrix.tolist())),
        parameters=NETWORKS[job.recipe.architecture],
        epochs=45,
        best_epoch=40,
        seconds=840.0,
        clips_per_second=900.0,
        device="cuda",
        data=DataFacts(name="speech", hash="abc", synthetic=False, words=WORDS, clips={"test": 1600}),
        recipe=job.recipe,
        finished_at=job.ended_at,
    )
    write_atomically(folder.recipe_file, job.recipe.model_dump_json())
    write_atomically(folder.result_file, result.model_dump_json())


def took(words: tuple[str, ...], home: Path) -> tuple[float, float]:
    """Seconds on the clock and of the processor."""
    before, began = os.times(), time.perf_counter()
    environment = {**os.environ, "SHEETRACK_HOME": str(home)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # as installed: compiled once
    with tempfile.TemporaryDirectory() as folder:
        environment["PYTHONPATH"] = os.pathsep.join([str(Path.cwd()), os.environ.get("PYTHONPATH", "")])
        subprocess.run([sys.executable, *words], check=True, capture_output=True, env=environment, cwd=folder)
    seconds, after = time.perf_counter() - began, os.times()
    used = after.children_user + after.children_system - before.children_user - before.children_system
    return seconds, used


def measure(path: Path) -> None:
    home = Home(path)
    if not home.store_file.exists():
        fill(home)
    sheetrack = Sheetrack(home)
    print(
        f"{sum(sheetrack.jobs.count_jobs().values()):,} jobs, {len(sheetrack.jobs.result_ids()):,} results, "
        f"{len(sheetrack.workbook.tabs())} tabs"
    )
    sheetrack.close()
    spans: dict[str, list[tuple[float, float]]] = {what: [] for what in COMMANDS}
    for number in range(ROUNDS + 1):
        for what, words in COMMANDS.items():
            span = took(words, path)
            if number:  # the first one reads files that are in memory later
                spans[what].append(span)
    print("| command | median | processor | shortest |\n|---|---|---|---|")
    for what, some in spans.items():
        wall, used = (statistics.median(each) for each in zip(*some, strict=True))
        print(f"| {what} | {wall:.2f} s | {used:.2f} s | {min(some)[0]:.2f} s |")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        measure(Path(sys.argv[1]).absolute())
    else:
        with tempfile.TemporaryDirectory() as name:
            measure(Path(name) / "home")
