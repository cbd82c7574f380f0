"""The process that reads NVIDIA GPUs: each GPU in a thread, each field on its own.

It has no other task, because a driver may hang in any call, or end the process that made it. A line on
its standard input asks for a reading, a line of JSON is the answer; `gpu_reader` is the other side.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any, Dict

from backend.probe import background
from backend.probe import nvml as codes
from backend.probe.background import BackgroundReader
from backend.probe.nvidia_smi import has_nvidia_smi, read_nvidia_smi
from backend.probe.nvml import Handle, Nvml, NvmlError

if TYPE_CHECKING:
    from collections.abc import Callable

_MIB = 2**20
_NOT_AVAILABLE = (2**32 - 1, 2**64 - 1)  # NVML_VALUE_NOT_AVAILABLE as unsigned numbers
_WAIT_SECONDS = 0.4
_FRESH_SECONDS = 1.0
_MOST_XIDS = 32  # in one reading

# https://docs.nvidia.com/deploy/nvml-api/group__nvmlClocksEventReasons.html; the other bits are normal.
_THROTTLE_REASONS = {
    0x08: "hardware slowdown",
    0x20: "heat",
    0x40: "heat (hardware)",
    0x80: "power brake",
}

Reading = Dict[str, Any]
"""The fields of a `GpuReading`."""


def read_gpu(nvml: Nvml, index: int, before: Reading) -> Reading:
    """One GPU. Its name and UUID are those of `before` where it does not answer any more."""
    try:
        handle = nvml.gpu(index)
    except NvmlError as error:
        return {**_identity(before, index), "fault": _gpu_fault(error)}
    fields = _Fields()
    uuid, name = fields.get(lambda: nvml.uuid(handle)), fields.get(lambda: nvml.name(handle))
    use = fields.get(lambda: nvml.utilization(handle))
    memory = fields.get(lambda: nvml.memory(handle))
    shares_memory = fields.last_code == codes.NOT_SUPPORTED and memory is None
    reading: Reading = {
        "utilization_percent": use and _amount(use.gpu, most=100),
        "memory_used_mib": memory and _amount(memory.used, _MIB),
        "memory_total_mib": (memory and _amount(memory.total, _MIB)) or None,
        "temperature_c": _amount(fields.get(lambda: nvml.temperature_c(handle))),
        "power_w": _amount(fields.get(lambda: nvml.power_mw(handle)), 1000),
        "power_limit_w": _amount(fields.get(lambda: nvml.power_limit_mw(handle)), 1000),
        "throttle_reasons": _throttle_reasons(fields.get(lambda: nvml.throttle_bits(handle))),
        "processes": _processes(fields, nvml, handle),
        **_health(fields, nvml, handle),
    }
    fault = None
    if fields.lost is not None:
        fault = _gpu_fault(fields.lost)
        uuid, name = uuid or before.get("uuid"), name or before.get("name")
    elif fields.failure is not None and all(value is None for value in reading.values()):
        fault = _gpu_fault(fields.failure)
    if fields.get(lambda: nvml.is_divided(handle)):
        instances = fields.get(lambda: nvml.instances(handle)) or ()
        _add_instances(reading, [_instance(nvml, instance) for instance in instances])
    elif shares_memory:
        reading["shares_memory"] = True
    return {"index": index, "uuid": uuid, "name": name, **reading, "fault": fault}


def _health(fields: _Fields, nvml: Nvml, handle: Handle) -> Reading:
    rows = fields.get(lambda: nvml.remapped_rows(handle))
    return {
        "ecc_uncorrected": fields.get(lambda: nvml.ecc_uncorrected(handle)),
        "rows_pending": rows and rows[0],
        "rows_failed": rows and rows[1],
    }


def _instance(nvml: Nvml, handle: Handle) -> Reading:
    fields = _Fields()
    memory = fields.get(lambda: nvml.memory(handle))
    return {
        "uuid": fields.get(lambda: nvml.uuid(handle)),
        "memory_used_mib": memory and _amount(memory.used, _MIB),
        "memory_total_mib": (memory and _amount(memory.total, _MIB)) or None,
        "processes": _processes(fields, nvml, handle),
    }


def _add_instances(reading: Reading, instances: list[Reading]) -> None:
    """Fills in the memory and processes of a divided GPU from its instances, where it hides its own."""
    reading["instances"] = instances
    for field in ("memory_used_mib", "memory_total_mib"):
        parts = [part[field] for part in instances]
        if reading[field] is None and parts and None not in parts:
            reading[field] = round(sum(parts), 1)
    if reading["processes"] is None and all(part["processes"] is not None for part in instances):
        reading["processes"] = [process for part in instances for process in part["processes"]]


class _Fields:
    """Reads the fields of one GPU; any exception costs that field alone."""

    def __init__(self) -> None:
        self.lost: NvmlError | None = None
        self.failure: Exception | None = None
        """What was raised last, other than that something is not supported: that is no fault."""
        self.last_code: int | None = None

    def get(self, read: Callable[[], Any]) -> Any:
        self.last_code = None
        try:
            return read()
        except NvmlError as error:
            self.last_code = error.code
            if error.code not in (codes.NOT_SUPPORTED, codes.FUNCTION_NOT_FOUND):
                self.failure = error
            if error.code in (codes.GPU_IS_LOST, codes.RESET_REQUIRED):
                self.lost = error
        except Exception as error:  # noqa: BLE001 - whatever a damaged board or an odd library leads to
            self.failure = error
        return None


def _amount(value: int | None, unit: int = 1, most: int | None = None) -> float | None:
    if value is None or value in _NOT_AVAILABLE or (most is not None and value > most):
        return None
    return round(value / unit, 1)


def _throttle_reasons(bits: int | None) -> list[str] | None:
    return None if bits is None else [reason for bit, reason in _THROTTLE_REASONS.items() if bits & bit]


def _processes(fields: _Fields, nvml: Nvml, handle: Handle) -> list[Reading] | None:
    """Each process once, though it may compute, draw, and hold several instances of a divided GPU."""
    computing = fields.get(lambda: nvml.computing(handle))
    drawing = fields.get(lambda: nvml.drawing(handle))
    if computing is None and drawing is None:
        return None
    memory_mib: dict[int, float | None] = {}
    for pid, used in computing or ():
        amount = _amount(used, _MIB)
        before = memory_mib.get(pid)
        memory_mib[pid] = amount if before is None else before + (amount or 0)
    found: list[Reading] = [{"pid": pid, "memory_mib": amount} for pid, amount in memory_mib.items()]
    for pid, used in dict(drawing or ()).items():
        if pid not in memory_mib:
            found.append({"pid": pid, "memory_mib": _amount(used, _MIB), "graphics": True})
    return found


def _gpu_fault(error: Exception) -> str:
    code = error.code if isinstance(error, NvmlError) else None
    if code == codes.GPU_IS_LOST:
        return "lost: fell off the bus"
    if code == codes.RESET_REQUIRED:
        return "needs a reset"
    return f"not answering ({error})"


def _identity(before: Reading, index: int) -> Reading:
    return {"index": index, "uuid": before.get("uuid"), "name": before.get("name")}


class _Gpu:
    def __init__(self, nvml: Nvml, index: int) -> None:
        self._nvml = nvml
        self._index = index
        self._before: Reading = {}
        self._events: Handle | None = None
        self._follows_xids = True
        self._xids: dict[str, float] = {}
        """The driver's errors, and when each one came last, by the monotonic clock."""
        self._reader: BackgroundReader[Reading] = BackgroundReader(
            f"GPU {index}", self._read, fresh_seconds=_FRESH_SECONDS
        )

    def _read(self) -> Reading:
        reading = read_gpu(self._nvml, self._index, self._before)
        self._before = reading
        self._read_xids()
        return reading

    def _read_xids(self) -> None:
        if not self._follows_xids:
            return
        try:
            if self._events is None:
                self._events = self._nvml.follow_xids(self._nvml.gpu(self._index))
            for _ in range(_MOST_XIDS):
                xid = self._nvml.next_xid(self._events)
                if xid is None:
                    break
                self._xids[str(xid)] = time.monotonic()
        except NvmlError:
            self._follows_xids = False  # the driver does not tell them, or the GPU is gone

    def ask(self) -> None:
        self._reader.latest(0)

    def reading(self, wait_seconds: float) -> Reading:
        latest = self._reader.latest(wait_seconds)
        if latest.silent_seconds is not None:
            silent = round(latest.silent_seconds, 1)
            return {**_identity(self._before, self._index), "fault": "not answering", "fault_seconds": silent}
        if latest.value is None:
            return _identity(self._before, self._index)
        reading = {**latest.value, "age_seconds": round(latest.age_seconds, 1)}
        if self._xids:
            reading["xids"] = {xid: round(time.monotonic() - at, 1) for xid, at in self._xids.items()}
        return reading


class _Driver:
    """The driver, opened once. What has failed is not tried again here, but in a process that follows."""

    def __init__(self, only: int | None) -> None:
        self._only = only
        self._gpus: dict[int, _Gpu] = {}
        self._nvml: Nvml | None = None
        self._opened: BackgroundReader[Reading] = BackgroundReader(
            "GPU driver", self._look, fresh_seconds=_FRESH_SECONDS
        )

    def _look(self) -> Reading:
        """How many GPUs there are, or why it is not known."""
        try:
            if self._nvml is None:
                nvml = Nvml()
                nvml.open()
                self._nvml = nvml
            return {"count": self._nvml.count()}
        except OSError:
            return self._without_library()
        except NvmlError as error:
            if error.code == codes.LIBRARY_NOT_FOUND:
                return self._without_library()
            fault = f"GPU driver not working ({error})"
            if error.code == codes.LIB_RM_VERSION_MISMATCH:
                fault = "GPU driver not working (updated: restart the server)"
            elif error.code == codes.DRIVER_NOT_LOADED:
                return {"fault": "GPU driver not loaded", "has_no_driver": True}
            return {"fault": fault}

    def _without_library(self) -> Reading:
        if not has_nvidia_smi():
            fault = "GPU driver's library not found"
            return {"fault": fault, "has_no_driver": True, "has_no_library": True}
        try:
            return {"gpus": read_nvidia_smi()}
        except (OSError, subprocess.TimeoutExpired) as error:
            return {"fault": f"GPU driver not working ({error})"}

    def answer(self) -> Reading:
        """All GPUs, or the driver's fault, or neither while nothing is known yet."""
        until = time.monotonic() + _WAIT_SECONDS
        driver = self._opened.latest(_WAIT_SECONDS)
        if driver.silent_seconds is not None:
            return {"fault": "GPU driver not answering", "fault_seconds": round(driver.silent_seconds, 1)}
        found = driver.value or {}
        if self._nvml is None or "count" not in found:
            return {**found, "is_over": "fault" in found}
        indices = range(found["count"]) if self._only is None else [self._only]
        gpus = [self._gpu(self._nvml, index) for index in indices]
        if self._only is None:
            _say(found)  # known to the other side even if a GPU ends this process
        for gpu in gpus:
            gpu.ask()
        readings = [gpu.reading(max(0.0, until - time.monotonic())) for gpu in gpus]
        failed = bool(readings) and all(reading.get("fault") for reading in readings)
        hangs = any("fault_seconds" in reading for reading in readings)
        return {"gpus": readings, "is_over": failed and not hangs}

    def _gpu(self, nvml: Nvml, index: int) -> _Gpu:
        if index not in self._gpus:
            self._gpus[index] = _Gpu(nvml, index)
        return self._gpus[index]


def _say(answer: Reading) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


def main(patience_seconds: float, only: int | None = None) -> None:
    """Answers until its standard input ends, or until another session with the driver is needed.

    `only` is the one GPU that this process reads.
    """
    background.PATIENCE_SECONDS = patience_seconds
    driver = _Driver(only)
    while sys.stdin.buffer.readline():
        answer = driver.answer()
        _say(answer)
        if answer.get("is_over"):
            break
    # A thread that hangs in the driver would keep the process from ending.
    os._exit(0)
