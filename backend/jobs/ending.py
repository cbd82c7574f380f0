"""Why a job ended without a result, as one sentence for people."""

import re
from datetime import datetime

from backend.jobs.job import Job
from backend.text import plain_text
from backend.times import clock, now
from models.program_reader import read_exit
from models.result import ended
from models.run_folder import RunFolder
from models.run_reader import BrokenRunError

_LONGEST = 500
_EPOCH = re.compile(r"epoch \d+/\d+: loss ")
"""A line that a training writes while all is well: what stands above it, such as an earlier error, is past."""
_NOTE = "note: "
_OURS = "error: "
_REFUSED = ended(1)
"""How `python -m models` ends after a sentence that begins so."""
_FAULT = re.compile(r"^(error: |\w*(\.\w+)*(Error|Exception|Interrupt|Exit)\b)")
"""The line in which a program says what went wrong, such as the last one of Python's tracebacks."""
_RAY_STATUS = re.compile(r"failed with exit code (-?\d{1,3})\b")
_MOST_LINES = 3


def noted_ending(folder: RunFolder) -> str:
    """How a program of the lab's own ended, as it is noted in the run folder; empty where nothing is."""
    try:
        noted = read_exit(folder)
    except BrokenRunError as error:
        return str(error)
    return noted.in_words if noted else ""


def rebooted(job: Job, booted_at: datetime | None) -> str:
    """That the server was started again after the job was, if so."""
    if booted_at is None or job.started_at is None or booted_at <= job.started_at:
        return ""
    return f"{job.server} was rebooted at {clock(booted_at.astimezone(), now().astimezone())}"


def ended_on_ray(status: str, message: str) -> str:
    """How Ray says that a job ended: its exit status, or Ray's own words without the output of the job."""
    if status == "SUCCEEDED":
        return ""
    if status in ("PENDING", "RUNNING"):
        return "it ended while Ray's head was away"
    if found := _RAY_STATUS.search(message):
        code = int(found[1])
        return ended(code, None) if code >= 0 else ended(None, -code)
    first = message.partition("\n")[0].strip()
    return f"Ray says: {first}" if first else f"Ray says: {status}"


def why_it_ended(ending: str, log_tail: str) -> str:
    """How its processes ended, then its last words in the log.

    Args:
        ending: such as `exit status 3`; empty: not known.
        log_tail: the last lines of the log.
    """
    words = last_words(log_tail)
    if words.startswith(_OURS) and ending in ("", _REFUSED, words.removeprefix(_OURS)):
        return plain_text(words, _LONGEST)  # a sentence says it better than the exit status
    if not ending:
        ending = (
            "it ended without a result"
            if words
            else "it ended without a result and without a word in its log"
        )
    return plain_text(f"{ending}: {words}" if words else ending, _LONGEST)


def last_words(log_tail: str) -> str:
    """The last line that names an error; without one the last lines, but for those of a training that goes well."""
    lines = [line.strip() for line in log_tail.splitlines() if line.strip()]
    epochs = [at for at, line in enumerate(lines) if _EPOCH.match(line)]
    lines = [line for line in lines[epochs[-1] + 1 if epochs else 0 :] if not line.startswith(_NOTE)]
    faults = [line for line in lines if _FAULT.match(line)]
    return faults[-1] if faults else " · ".join(lines[-_MOST_LINES:])
