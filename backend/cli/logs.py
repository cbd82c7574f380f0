"""The command that shows the log of a job."""

import time

import click

from backend.cli.show import as_json, say, show_json
from backend.errors import NotFoundError
from backend.jobs.engines import LostError
from backend.jobs.job import Job
from backend.jobs.logs import Logs, shown_lines
from backend.service.wiring import Sheetrack

_BETWEEN_SECONDS = 1.0


@click.command()
@click.argument("job")
@click.option("-f", "--follow", is_flag=True, help="Go on until the job is over.")
@click.option(
    "--lines",
    default=200,
    show_default=True,
    type=click.IntRange(1, 2000),
    help="How many of the last lines.",
)
@click.option("--all", "is_whole", is_flag=True, help="All of it, byte for byte, for a file.")
@as_json
def logs(*, job: str, follow: bool, lines: int, is_whole: bool, is_json: bool) -> None:
    """Shows the last lines that JOB has written, wherever it runs."""
    sheetrack = Sheetrack()
    if is_whole:
        for part in sheetrack.logs.whole(job):
            click.echo(part, nl=False)
        return
    tail = sheetrack.logs.tail(job, lines)
    if is_json:
        show_json(tail)
        return
    known = _job(sheetrack, job)
    is_cut = follow and known is not None and tail.finished_bytes < tail.size_bytes
    for line in tail.lines[: -1 if is_cut else None]:
        say(line)
    if tail.note:
        say(tail.note, err=True)
    if not tail.lines and known:
        say(f"{job} is {known.state} and has written nothing. {known.reason}".strip(), err=True)
    if follow and known:
        _follow(sheetrack, job, tail.finished_bytes)


def _follow(sheetrack: Sheetrack, job: str, at: int) -> None:
    """Prints whole lines as they are added, until the job is over and all of them are printed."""
    rest = b""
    while True:
        known = _job(sheetrack, job)
        is_over = known is None or known.state.is_over
        while part := _added(sheetrack.logs, job, at):
            at += len(part)
            *whole, rest = (rest + part).split(b"\n")
            for line in whole:
                for shown in shown_lines(line) or [""]:
                    say(shown)
        if is_over:
            break
        time.sleep(_BETWEEN_SECONDS)
    for shown in shown_lines(rest):
        say(shown)
    if known:
        say(f"{job} is {known.state}. {known.reason}".strip(), err=True)


def _added(logs_of: Logs, job: str, at: int) -> bytes:
    """What was written from byte `at` on; empty also where the server does not answer now."""
    try:
        part = logs_of.part(job, at)
    except LostError:
        return b""
    return part.content if part.start == at else b""


def _job(sheetrack: Sheetrack, job: str) -> Job | None:
    try:
        return sheetrack.jobs.job(job)
    except NotFoundError:  # a run that was trained directly
        return None
