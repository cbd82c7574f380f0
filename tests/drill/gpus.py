"""Stub GPUs, which show the processes that are told to use them."""

import subprocess
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from tests.drill.processes import Seen
from tests.probe.fake_gpus import FakeGpus

_USED_MIB = 2000


@dataclass
class Foreigner:
    """A colleague's process on a GPU."""

    gpu: str
    process: "subprocess.Popen[bytes]"
    readings: set[str] = field(default_factory=set)
    """The moments of the readings that showed it."""
    known_at: float | None = None
    """Since when, in seconds since 1970, no job may start beside it; None: it is too new to be known."""

    def leave(self) -> None:
        self.process.kill()
        self.process.wait()


class Machine:
    """The GPUs of one server."""

    def __init__(self, name: str, number: int, gpus: int, library: Path, folder: Path) -> None:
        """The UUIDs of servers with another `number` are others."""
        self.name = name
        self.stub = FakeGpus(library, folder / f"gpus of {name}")
        self._head = (f"gpus={gpus}", f"generation={number}")
        self.uuids = [f"GPU-fake-{100 * number + index}" for index in range(gpus)]
        self._shown: tuple[str, ...] = ()
        self.show([])

    def show(self, processes: Iterable[Seen]) -> None:
        """Lets the driver tell of these processes, one for each GPU: a job that goes on has the same one."""
        users: dict[str, int] = {}
        for process in processes:
            for uuid in process.gpus:
                users[uuid] = min(process.pid, users.get(uuid, process.pid))
        lines = list(self._head)
        for index, uuid in enumerate(self.uuids):
            if uuid in users:
                lines += [f"pid.{index}={users[uuid]}"]
                lines += [f"pid_memory.{index}={_USED_MIB}", f"memory_used.{index}={_USED_MIB}"]
        if (now_shown := tuple(lines)) != self._shown:
            self.stub.become(*now_shown)
            self._shown = now_shown
