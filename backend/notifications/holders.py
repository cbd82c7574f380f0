"""What people who hold idle GPUs are told. Pure."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from backend.servers.reasons import held_gib, holders
from backend.servers.state import Held, ServerStatus, State
from backend.text import listed
from backend.times import duration

_MOST_GPUS = 8
"""How many a message names."""


def held_texts(
    servers: Iterable[ServerStatus], held: Mapping[str, Mapping[str, Held]], hours: float, at: datetime
) -> dict[str, str]:
    """By login, the message for each person whose GPUs have been idle for longer than `hours`.

    Args:
        servers: as they are at `at`; those in maintenance and without a present reading do not count.
        held: the GPUs that are held and idle, by server and GPU.
        hours: how long that is fine.
        at: now.
    """
    found: dict[str, list[str]] = {}
    for server in servers:
        if server.verdict.state is State.MAINTENANCE or server.snapshot is None:
            continue
        for gpu in server.snapshot.gpus or ():
            users, span = holders(gpu, held.get(server.name, {}), at)
            if span > timedelta(hours=hours):
                what = f"GPU {gpu.index} of {server.name} ({held_gib(gpu)} GiB, idle for {duration(span)})"
                for user in users:
                    found.setdefault(user, []).append(what)
    return {login: _text(gpus) for login, gpus in found.items()}


def _text(gpus: list[str]) -> str:
    which = "this GPU, and nothing runs on it" if len(gpus) == 1 else "these GPUs, and nothing runs on them"
    return (
        f"Your programs hold {which}: {listed(gpus, _MOST_GPUS)}. "
        "If you no longer need what is there, end the program or the notebook's kernel."
    )
