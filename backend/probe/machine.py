"""Everything that is read of this machine, as plain data: the same through an agent and over SSH."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from backend.probe.accelerators import Accelerators, accelerators
from backend.probe.background import BackgroundReader
from backend.probe.disks import Disks
from backend.probe.gpu_reader import GpuReader
from backend.probe.host import HostProbe
from backend.probe.owners import UserNames, hidden_processes
from backend.probe.processes import BusiestProcesses, Programs

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_WAIT_SECONDS = 0.5


class Machine:
    """One for the whole process, safe to use from several threads.

    What may hang (the GPU driver, a network disk, the process table, the users' directory) is read in
    separate threads: `read` takes about half a second at worst, and a millisecond without GPUs.
    """

    def __init__(
        self, home: Path, data: Path | None = None, host: Callable[[], dict[str, Any]] | None = None
    ) -> None:
        """`home` and `data` are folders whose disks count as well; `host` reads a machine without /proc."""
        self._lock = threading.Lock()
        self._host = host or HostProbe().read
        self._names = UserNames()
        self._programs = Programs(self._names)
        self._disks = Disks(home, data)
        self._busiest = BusiestProcesses(self._programs)
        self._top: BackgroundReader[tuple[dict[str, Any], ...]] = BackgroundReader(
            "process table", self._busiest.read, fresh_seconds=5
        )
        self._gpu_reader = GpuReader()
        self._gpus: BackgroundReader[dict[str, Any]] = BackgroundReader(
            "GPUs", self._read_gpus, fresh_seconds=1, close=self._gpu_reader.close
        )
        self._accelerators: BackgroundReader[Accelerators] = BackgroundReader(
            "accelerators", accelerators, fresh_seconds=60
        )
        self._hidden: BackgroundReader[tuple[str, ...]] = BackgroundReader(
            "hidden processes", hidden_processes, fresh_seconds=60
        )
        self._had_gpus = False
        for reader in (self._top, self._gpus, self._accelerators, self._hidden):
            reader.latest(0)  # the first answers take longest

    def read(self) -> dict[str, Any]:
        """The fields of a `Snapshot`, but for its server and its time."""
        host = self._read_host()
        disks, free_gib, silent_disks = self._disks.read()
        top = self._top.latest(0)
        silences = {
            **silent_disks,
            "process table": top.silent_seconds,
            "user names": self._names.silent_seconds(),
        }
        host["disk_free_gib"], host["disks"] = free_gib, disks
        host["top"] = top.value or ()
        host["stuck_processes"] = self._busiest.stuck
        host["not_answering"] = {
            what: round(seconds, 1) for what, seconds in silences.items() if seconds is not None
        }
        host["hidden"] = self._hidden.latest(_WAIT_SECONDS).value or ()
        return {"host": host, **self._gpu_fields()}

    def _read_host(self) -> dict[str, Any]:
        with self._lock:
            return self._host()

    def close(self) -> None:
        self._disks.close()
        for reader in (self._top, self._gpus, self._accelerators, self._hidden):
            reader.close()

    def _gpu_fields(self) -> dict[str, Any]:
        """`gpus`, () where there are none; None with a `gpu_fault`, or without one before the first answer."""
        there = self._accelerators.latest(_WAIT_SECONDS).value or Accelerators(0, False, {})
        latest = self._gpus.latest(_WAIT_SECONDS)
        answer = latest.value or {}
        if latest.silent_seconds is not None:
            answer = {"fault": "GPU driver not answering", "fault_seconds": round(latest.silent_seconds, 1)}
        fields: dict[str, Any] = {"gpus": None, "other_gpus": dict(there.others)}
        self._had_gpus = self._had_gpus or bool(answer.get("gpus"))
        is_there = self._had_gpus or there.nvidia > 0
        may_be_unused = answer.get("has_no_library") and not self._had_gpus and not there.is_driver_loaded
        if "gpus" in answer:
            fields["gpus"] = answer["gpus"]
        elif may_be_unused or (answer.get("has_no_driver") and not is_there):
            fields["gpus"] = []
        elif "fault" in answer:
            fields.update(gpu_fault=answer["fault"], gpu_fault_seconds=answer.get("fault_seconds"))
        if fields["gpus"] == [] and there.nvidia:
            fields["other_gpus"]["NVIDIA"] = there.nvidia
        return fields

    def _read_gpus(self) -> dict[str, Any]:
        answer = self._gpu_reader.read()
        for gpu in answer.get("gpus") or ():
            for part in (gpu, *(gpu.get("instances") or ())):
                for process in part.get("processes") or ():
                    user, command = self._programs.owner_and_command(process["pid"])
                    process.update(user=user, command=command, job=self._programs.job(process["pid"]))
            if gpu.pop("shares_memory", False):
                self._count_shared_memory(gpu)
        return answer

    def _count_shared_memory(self, gpu: dict[str, Any]) -> None:
        """A GPU without its own memory uses the machine's, as much as its processes report."""
        amounts = [process["memory_mib"] for process in gpu["processes"] or ()]
        total = self._read_host()["memory_total_mib"]
        if gpu["processes"] is not None and None not in amounts and total:
            gpu.update(memory_used_mib=round(sum(amounts), 1), memory_total_mib=total)
