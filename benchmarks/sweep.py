"""A sweep of 28 small trainings on a processor: one at a time with all threads, and as the queue shares it.

`python -m benchmarks.sweep`, through a backend as people start it. ch32 with 2 to 8 layers, two dropouts, with and
without batch norm, one epoch of 240 clips of synthetic tones, no pictures. Prints a table.
"""

import os
import tempfile
import time
from pathlib import Path

import httpx

from backend.jobs.job import JobState
from backend.settings import Home
from tests.service.backends import backend
from tests.speech import write_words

WORDS = ("one", "two", "three", "four", "five", "six", "seven", "eight")
GRID = {"depths": list(range(2, 9)), "dropouts": [0.25, 0.75], "batch_norms": [True, False]}

TRAININGS = 28


def seconds_of(settings: str) -> float:
    """From the request to the end of the last training."""
    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder) / "home")
        home.path.mkdir()
        home.servers_file.write_text(f'[[server]]\nname = "here"\n{settings}')
        write_words(home.data / "tones", WORDS, (30, 4, 4))
        with backend(home, {"SHEETRACK_FIGURES": "0"}, is_calm=True) as (api, _):
            recipe = {"architecture": "ch32", "epochs": 1, "data": "tones"}
            body = {"server": "here", "recipe": recipe, "grid": GRID, "resources": {"gpus": 0}}
            began = time.monotonic()
            answer = api.post("/api/sweeps", json=body)
            if answer.is_error:
                raise SystemExit(answer.text)
            while len(ended := [state for state in states(api) if JobState(state).is_over]) < TRAININGS:
                time.sleep(0.2)
            seconds = time.monotonic() - began
            if set(ended) != {JobState.DONE}:
                raise SystemExit(f"not all are done: {ended}")
    return seconds


def states(api: httpx.Client) -> list[str]:
    return [job["state"] for job in api.get("/api/jobs?limit=100").json()["jobs"]]


def main() -> None:
    processors = len(os.sched_getaffinity(0))
    print(f"| {TRAININGS} trainings | seconds | trainings an hour |\n|---|---|---|")
    for what, settings in (
        (f"one at a time, {processors} threads", "cpu_jobs = 1\n"),
        (f"{processors} at a time, one thread each, as the queue chooses", ""),
    ):
        seconds = seconds_of(settings)
        print(f"| {what} | {seconds:.0f} | {TRAININGS * 3600 / seconds:,.0f} |", flush=True)


if __name__ == "__main__":
    main()
