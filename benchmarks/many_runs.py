"""A home with 5,000 results and 500 jobs: how long publishing and the page take. `python benchmarks/many_runs.py`

Publishing goes to the workbook and to the tests' stand-in for Google on this machine; the page is Chromium's.
"""

import os
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from playwright.sync_api import Page, sync_playwright

from backend.jobs.job import Job, JobState
from backend.jobs.result import Result
from backend.jobs.sweep import Grid, Sweep, sweep_id
from backend.service.serving import serving
from backend.service.wiring import Sheetrack
from backend.settings import Home
from backend.times import now
from models.recipe import Recipe
from models.result import DataFacts
from models.run_folder import RunFolder
from tests import examples
from tests.google.server import SheetsServer

RESULTS, JOBS, WAITING = 5000, 500, 30
STARTED_SECONDS = 20
"""A backend that starts draws every tab once more, which takes seconds of the same processor."""
DATA = DataFacts(name="speech16", hash="5e1f", synthetic=False)
PROGRAM = next(name for name in ("/usr/bin/chromium", "/usr/bin/google-chrome") if Path(name).exists())


def recipe(draw: random.Random) -> Recipe:
    """Half a dozen fields that differ, as in a lab."""
    return Recipe(
        architecture=draw.choice(("ch32", "ch64", "base", "vgg", "sep96")),
        depth=draw.randrange(3, 10),
        dropout=draw.choice((0.0, 0.25, 0.5)),
        batch_norm=draw.random() < 0.5,
        learning_rate=draw.choice((0.001, 0.002, 0.004)),
        seed=draw.randrange(5),
        epochs=draw.choice((40, 60)),
        data="speech16",
    )


def fill(sheetrack: Sheetrack, runs: Path) -> None:
    """Results over two years, jobs of the last days, and a sweep of 28 trainings among them."""
    draw, at = random.Random(0), now()  # noqa: S311 - not for secrets
    for number in range(RESULTS):
        finished = at - timedelta(hours=3.5 * number)
        accuracy = draw.uniform(0.7, 0.97)
        content = examples.run_result(
            f"r{number:06}",
            accuracy,
            recipe=recipe(draw),
            data=DATA,
            finished_at=finished,
            test_accuracy=accuracy,
        )
        result = Result(
            run=content.run, server="gpu1", requested_by="kim", finished_at=finished, content=content
        )
        sheetrack.jobs.add_result(result)
        if number < 20:  # those with a tab are read from their folders
            folder = RunFolder.receive(runs, content.run, content.recipe)
            folder.history_file.write_text(
                "".join(f"{line.model_dump_json()}\n" for line in examples.HISTORY)
            )
            folder.result_file.write_text(content.model_dump_json())
    grid = Grid(depths=tuple(range(3, 10)), dropouts=(0.25, 0.75))
    shared = Recipe(architecture="ch32", epochs=40, data="speech16")
    sweep = sheetrack.jobs.add_sweep(
        Sweep(
            id=sweep_id("gpu1", shared, DATA), server="gpu1", recipe=shared, grid=grid, layers={}, data=DATA,
            requested_by="lee", submitted_at=at,
        )
    )  # fmt: skip
    swept = grid.recipes(shared)
    for number in range(JOBS):
        is_waiting = number < WAITING
        submitted = at - timedelta(hours=number)
        sheetrack.jobs.add_job(
            Job(
                id=f"j{number:06}", server="gpu1", recipe=swept[number] if number < len(swept) else recipe(draw),
                requested_by=draw.choice(("kim", "lee", "park")), submitted_at=submitted,
                state=JobState.QUEUED if is_waiting else JobState.DONE,
                ended_at=None if is_waiting else submitted, sweep=sweep.id if number < len(swept) else None,
            )
        )  # fmt: skip


def took(what: str, do: Callable[[], object]) -> None:
    begun = time.monotonic()
    used = time.process_time()
    do()
    seconds = time.monotonic() - begun
    print(f"{what}: {seconds:.2f} s, processor here {time.process_time() - used:.2f} s", flush=True)


@contextmanager
def opened(address: str) -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=PROGRAM, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.goto(address)
        page.wait_for_selector("#sheet table")
        yield page
        browser.close()


def browse(page: Page, address: str) -> None:
    base = address.split("?", maxsplit=1)[0]

    def tab(name: str) -> None:
        page.goto("about:blank")
        page.goto(f"{base}#{name}")
        page.wait_for_selector("#sheet[aria-busy=false] tbody tr")

    took("page Results while the backend starts, from its address to its rows", lambda: tab("Results"))
    time.sleep(STARTED_SECONDS)
    for name in ("Results", "Results", "Leaderboard", "Leaderboard"):
        took(f"page {name}, once the backend has started", lambda: tab(name))  # noqa: B023 - called at once

    tab("Results")

    def sort() -> None:
        page.get_by_role("button", name="Test accuracy").click()
        page.wait_for_selector("th[aria-sort]")

    def search() -> None:
        page.get_by_label("Search the rows").fill("ch64")
        page.wait_for_function("document.querySelector('.controls').textContent.includes(' of ')")

    took("sorted by accuracy", sort)
    took("searched", search)
    took("page Jobs", lambda: tab("Jobs"))
    took("page of an old run", lambda: tab("Run%20r004000"))


def main() -> None:
    with tempfile.TemporaryDirectory() as place, SheetsServer() as google:
        home = Home(Path(place) / "home")
        home.path.mkdir()
        home.servers_file.write_text('[[server]]\nname = "gpu1"\nagent = "http://127.0.0.1:9"\nray = true\n')
        home.settings_file.write_text(
            f'[ray]\naddress = "http://127.0.0.1:9"\n[google]\nspreadsheet = "lab"\napi_endpoint = "{google.address}"\n'
        )
        sheetrack = Sheetrack(home)
        took(f"{RESULTS} results and {JOBS} jobs stored", lambda: fill(sheetrack, home.runs))
        display = sheetrack.display
        took("results made and published to the workbook", display.show_results)
        took("jobs made and published to the workbook", display.show_jobs)
        took("all sent to the stand-in for Google", sheetrack.publisher.flush)
        new = examples.result("r999999", 0.95, finished_at=now())
        sheetrack.jobs.add_result(new)
        RunFolder.receive(home.runs, new.run, examples.recipe()).result_file.write_text(
            new.content.model_dump_json()
        )
        took("one result more, published to the workbook", lambda: display.show_results({new.run}))
        took("and sent to the stand-in", sheetrack.publisher.flush)
        os.environ["NO_PROXY"] = "127.0.0.1"
        with serving(sheetrack, 0) as address, opened(address) as page:
            browse(page, address)


if __name__ == "__main__":
    main()
