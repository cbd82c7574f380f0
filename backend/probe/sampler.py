"""This machine, read whenever somebody asks."""

import threading
from pathlib import Path
from typing import Self

from backend.probe.background import BackgroundReader
from backend.probe.gpu import GpuProbe, GpuReadings
from backend.probe.host import HostProbe, disk_free_gib
from backend.probe.processes import BusiestProcesses
from backend.probe.snapshot import Process, Snapshot
from backend.times import now

_WAIT_SECONDS = 0.5
_PATIENCE_SECONDS = 30  # how old the GPUs' readings may be before their driver counts as hung


class Sampler:
    """One for the whole process, safe to use from several threads.

    What may hang (the GPU driver, a network disk, the process table) is read in threads of its own:
    `sample` takes about half a second at worst, once, and a millisecond without GPUs.
    """

    def __init__(self, server: str, disk: Path) -> None:
        """`disk` is a folder on the disk whose free space counts."""
        self._server = server
        self._lock = threading.Lock()
        self._host = HostProbe()
        self._disk = BackgroundReader("disk", lambda: disk_free_gib(disk), fresh_seconds=10)
        self._top: BackgroundReader[tuple[Process, ...]] = BackgroundReader(
            "processes", BusiestProcesses().read, fresh_seconds=5
        )
        gpus = GpuProbe()
        self._gpus: BackgroundReader[GpuReadings] = BackgroundReader(
            "GPUs", gpus.read, fresh_seconds=1, close=gpus.close
        )

    def sample(self) -> Snapshot:
        with self._lock:
            host = self._host.read()
        disk, top, gpus = self._disk.latest(0), self._top.latest(0), self._gpus.latest(_WAIT_SECONDS)
        readings, silent_seconds = gpus.value, None
        if gpus.age_seconds > _PATIENCE_SECONDS:
            readings, silent_seconds = GpuReadings(None, "GPU driver not answering"), gpus.age_seconds
        return Snapshot(
            server=self._server,
            at=now(),
            host=host.model_copy(update={"disk_free_gib": disk.value, "top": top.value or ()}),
            gpus=readings.gpus if readings else None,
            gpu_fault=readings.fault if readings else None,
            gpu_fault_seconds=silent_seconds and round(silent_seconds, 1),
        )

    def close(self) -> None:
        for watched in (self._disk, self._top, self._gpus):
            watched.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
