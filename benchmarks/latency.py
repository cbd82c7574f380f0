"""From the click to the first step of a training: `python -m benchmarks.latency [ROUNDS]`, five rounds by default.

A backend, an agent and a real Ray on loopback; the training is of tones. Beside it stands what every training
needs at least, in the same round: `python -c "import torch"`.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import httpx

from backend.jobs.job import JobState
from backend.settings import Home
from models.run_folder import RunFolder
from tests.jobs.engines.ray_cluster import SERVER, ray_cluster
from tests.service.backends import backend, wait_for_state
from tests.speech import write_words

HERE = "here"
LONGEST_SECONDS = 90
RECIPE = {"architecture": "ch32", "depth": 4, "epochs": 1, "data": "tones"}


def clicked(api: httpx.Client, server: str, runs: Path) -> float:
    """Seconds from the request until the training is at its first step."""
    began = time.perf_counter()
    body = {"server": server, "recipe": RECIPE, "resources": {"gpus": 0}}
    answer = api.post("/api/jobs", json=body)
    if answer.is_error:
        raise SystemExit(answer.text)
    job = answer.json()["id"]
    folder = RunFolder(runs / job)
    until = time.monotonic() + LONGEST_SECONDS
    while not is_training(folder):
        if time.monotonic() > until:
            raise SystemExit(f"{server} trains nothing: {api.get(f'/api/jobs/{job}').json()['reason']}")
        time.sleep(0.005)
    seconds = time.perf_counter() - began
    wait_for_state(api, job, JobState.DONE)
    return seconds


def is_training(folder: RunFolder) -> bool:
    with suppress(FileNotFoundError):
        return json.loads(folder.progress_file.read_bytes())["phase"] not in ("reading data", None)
    return False


def importing() -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import torch"], check=True)
    return time.perf_counter() - began


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    with tempfile.TemporaryDirectory() as folder, ray_cluster() as cluster:
        home = Home(Path(folder) / "home")
        cluster.join(home)
        with home.servers_file.open("a") as servers:
            servers.write(f'[[server]]\nname = "{HERE}"\n')
        for place in (home, cluster.home):
            write_words(place.data / "tones")
        with backend(home, is_calm=True) as (api, _):
            clicked(api, HERE, home.runs)  # reads the data once
            clicked(api, SERVER, cluster.home.runs)
            seconds: dict[str, list[float]] = {"`import torch`": [], "local": [], "through Ray": []}
            for number in range(1, rounds + 1):
                print(f"round {number}", file=sys.stderr, flush=True)
                for what, measure in (
                    ("`import torch`", importing),
                    ("local", lambda: clicked(api, HERE, home.runs)),
                    ("through Ray", lambda: clicked(api, SERVER, cluster.home.runs)),
                ):
                    seconds[what].append(measure())
        print("| click to first step | median | shortest | longest |\n|---|---|---|---|")
        for what, spans in seconds.items():
            print(f"| {what} | {statistics.median(spans):.1f} s | {min(spans):.1f} s | {max(spans):.1f} s |")


if __name__ == "__main__":
    main()
