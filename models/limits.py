"""The limits of a server on a job, for its process and all its children."""

import os
import random
import sys
from collections.abc import Mapping

_THREADS = "SHEETRACK_THREADS"
_MEMORY_GIB = "SHEETRACK_MEMORY_GIB"
_HOURS = "SHEETRACK_HOURS"
_POOLS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")


class LimitError(RuntimeError):
    """A limit cannot be kept; the message says which and why."""


def keep_limits(environment: Mapping[str, str] = os.environ) -> None:
    """Bounds this process and its future children as the variables of a job say; without them does nothing.

    `SHEETRACK_THREADS`: their pools have that many threads at most.
    `SHEETRACK_MEMORY_GIB`: each of them gets no more memory for its data (`RLIMIT_DATA`), in GiB.

    Raises:
        LimitError: this system does not keep the limit.
    """
    if _THREADS in environment:
        for name in _POOLS:
            os.environ[name] = str(processors(environment))
    if _MEMORY_GIB in environment:
        _limit_memory(round(float(environment[_MEMORY_GIB]) * 2**30))


def processors(environment: Mapping[str, str] = os.environ) -> int:
    """How many processors this process may use."""
    allowed = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    return min(allowed, round(float(environment.get(_THREADS, allowed))))


def keep_to_processors(environment: Mapping[str, str] = os.environ) -> None:
    """Lets this process and its future children run on `SHEETRACK_THREADS` processors alone.

    They are drawn for each job, so that jobs spread. For programs: a training starts no more threads than that, and
    the kernel spreads those better.

    Raises:
        LimitError: this system does not keep the limit.
    """
    if _THREADS not in environment:
        return
    if sys.platform != "linux":
        raise LimitError("threads cannot be limited here: this is not Linux")
    allowed, most = sorted(os.sched_getaffinity(0)), processors(environment)
    if len(allowed) > most:
        chosen = random.Random(environment.get("SHEETRACK_JOB", "")).sample(allowed, most)  # noqa: S311 - no secret
        os.sched_setaffinity(0, chosen)


def time_limit_hours(environment: Mapping[str, str] = os.environ) -> float | None:
    """How long a program may run, from `SHEETRACK_HOURS`; None: for ever."""
    return float(environment[_HOURS]) if _HOURS in environment else None


def _limit_memory(most_bytes: int) -> None:
    if sys.platform != "linux":
        raise LimitError("memory cannot be limited here: this is not Linux")
    import resource  # noqa: PLC0415 - Windows has no such module

    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    most_bytes = most_bytes if hard == resource.RLIM_INFINITY else min(most_bytes, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (most_bytes, most_bytes))
