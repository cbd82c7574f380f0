"""Commands that serve."""

import platform
import shlex
import shutil
import signal
import socket
import sys
import threading
import time
import uuid
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import click
import httpx
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from backend.cli.show import say
from backend.cli.train import run_models
from backend.cli.watch import watch
from backend.errors import SheetrackError
from backend.jobs.job import Job, JobState
from backend.jobs.result import trainings
from backend.service.serving import ADDRESS, Port, serving
from backend.service.wiring import Sheetrack
from backend.settings import this_user
from backend.sheets.xlsx import write_workbook
from backend.times import duration
from models.presets import preset
from models.recipe import Recipe

port_option = click.option(
    "--port", default=8000, show_default=True, type=click.IntRange(0, 65535), help="Of the page; 0: any."
)

_SILENT_SECONDS = 8
"""Outside a terminal a line tells at least every 10 s that the training goes on."""
_PATIENCE_SECONDS = 30

DEMO = {
    "name": "demonstration",
    **preset("fast"),
    "epochs": 12,
    "batch_size": 32,
    "augmentation": "light",  # what is strong pays in longer trainings
    "label_smoothing": 0.0,
}
"""The recipe of the demonstration without its data: the fastest preset in the time that a demonstration may take."""


@click.command()
@port_option
@click.option(
    "--host",
    default=ADDRESS,
    show_default=True,
    metavar="ADDRESS",
    help="For colleagues: an address of this machine, or 0.0.0.0. Not encrypted; the token opens everything.",
)
def up(*, port: int, host: str) -> None:
    """Serves the page, reads the servers, runs the queue.

    Ctrl-C stops it; trainings continue.
    """
    stop_signal = _stop_signal()
    sheetrack: Sheetrack | None = Sheetrack()
    is_first = True
    with closing(Port(port, host)) as opened:
        while sheetrack:
            with serving(sheetrack, opened, host) as address:
                port = urlsplit(address).port or port
                again = f"{sheetrack.home.settings_file} is read again."
                say(f"Sheetrack is at {address}" if is_first else again)
                if is_first and host == ADDRESS:
                    say(
                        f"From another machine: ssh -L {port}:{ADDRESS}:{port} {this_user()}@{platform.node()}"
                    )
                is_first = False
                sheetrack = watch(sheetrack, stop_signal)
    say("Stopped. Trainings continue.", err=True)


def _stop_signal() -> socket.socket:
    """A socket that has a byte to read once SIGTERM or SIGINT has come.

    Python runs handlers between two of its instructions. A main thread that is about to wait for a lock runs
    none, so an event that a handler sets could be waited for without end. The byte stays until it is read.
    """
    received, sent = socket.socketpair()
    sent.setblocking(False)
    signal.set_wakeup_fd(sent.detach())
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    return received


@click.command()
@port_option
@click.option("--exit", "is_brief", is_flag=True, help="Stop when the training is done.")
def demo(*, port: int, is_brief: bool) -> None:
    """Shows the whole path, on synthetic speech.

    Makes the speech, serves the page, launches a training over HTTP, and writes the workbook.
    """
    sheetrack = Sheetrack()
    data = sheetrack.home.data / "synthetic"
    run_models("data", "prepare", "synthetic", str(data))
    with serving(sheetrack, port) as address:
        say(f"Sheetrack is at {address}")
        job = _launch_and_follow(address, next(iter(sheetrack.servers)), data)
        if job.state is not JobState.DONE:
            raise SheetrackError(f"The training {job.state}: {job.reason}", "Its log is in the run's folder.")
        _tell(sheetrack, job.id, "" if is_brief else address)
        if not is_brief:
            stop_signal = _stop_signal()
            say("Serving until Ctrl-C.")
            stop_signal.recv(1)


def _this_program() -> str:
    """How a person calls it: by its path where its name is not found, as after `make demo`."""
    return "sheetrack" if shutil.which("sheetrack") else sys.argv[0]


def _launch_and_follow(address: str, server: str, data: Path) -> Job:
    parts = urlsplit(address)
    token = parse_qs(parts.query)["token"][0]
    recipe = Recipe.model_validate({**DEMO, "data": str(data)})
    with httpx.Client(
        base_url=f"http://{parts.netloc}/api", headers={"Authorization": f"Bearer {token}"}, timeout=60
    ) as api:
        body = {"server": server, "recipe": recipe.model_dump(mode="json")}
        job = _job(api.post("/jobs", json=body, headers={"Idempotency-Key": uuid.uuid4().hex}))
        with Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:3.0f} %"),
            TimeRemainingColumn(),
            console=(console := Console(stderr=True)),
            disable=not console.is_terminal,
        ) as bar:
            line = bar.add_task(job.work.title, total=1)
            told, told_at = "", time.monotonic()
            try:
                while not job.state.is_over:
                    threading.Event().wait(1)
                    job = _job(api.get(f"/jobs/{job.id}"))
                    bar.update(line, completed=job.progress.fraction or 0, description=_stage(job))
                    is_silent = time.monotonic() - told_at > _SILENT_SECONDS
                    if not bar.console.is_terminal and (_stage(job) != told or is_silent):
                        told, told_at = _stage(job), time.monotonic()
                        say(f"{told} ({job.progress.fraction or 0:.0%})", err=True)
            except KeyboardInterrupt:
                bar.stop()
                _end(api, job)
                raise
    return job


def _end(api: httpx.Client, job: Job) -> None:
    """Cancels the training, and waits until it has ended."""
    say("Ending the training ...", err=True)
    job = _job(api.post(f"/jobs/{job.id}/cancel"))
    until = time.monotonic() + _PATIENCE_SECONDS
    while not job.state.is_over and time.monotonic() < until:
        threading.Event().wait(0.5)
        job = _job(api.get(f"/jobs/{job.id}"))
    ended = "is ended" if job.state.is_over else "is being ended"
    say(
        f"The training {ended}; its checkpoint is kept. To go on with it: sheetrack resume {job.id}", err=True
    )


def _stage(job: Job) -> str:
    progress = job.progress
    if job.state is JobState.QUEUED:
        return f"waits: {job.reason}" if job.reason else "waits"
    if not progress.epoch:
        return progress.phase or "starting"
    accuracy = progress.validation_accuracy
    right = "" if accuracy is None else f", {accuracy:.1%} of validation clips right"
    return f"epoch {progress.epoch} of {progress.epochs}{right}"


def _job(answer: httpx.Response) -> Job:
    content: dict[str, Any] = answer.json()
    if answer.is_error:
        raise SheetrackError(content["error"]["message"], content["error"]["hint"])
    return Job.model_validate(content)


def _tell(sheetrack: Sheetrack, run: str, address: str) -> None:
    """Says what the demonstration has measured, and where; `address` is empty where the page is gone then."""
    result = {each.run: content for each, content in trainings(sheetrack.jobs.results())}[run]
    page = f"Page          {address}\n" if address else ""
    file = sheetrack.home.path / "demonstration.xlsx"
    write_workbook(file, sheetrack.workbook.tables(), sheetrack.display.picture_file)
    say(
        f"\nTest accuracy {result.test_accuracy:.2%} on synthetic speech "
        f"({result.test_clips:,} clips; {result.data.held_out})\n"
        f"Parameters    {result.parameters:,}\n"
        f"Took          {duration(result.seconds, exact=True)}\n"
        f"Workbook      {file}\n"
        f"{page}"
        f"See it again  SHEETRACK_HOME={shlex.quote(str(sheetrack.home.path))} {shlex.quote(_this_program())} up"
    )
