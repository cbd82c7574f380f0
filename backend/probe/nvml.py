"""NVIDIA's management library through ctypes, also where an older driver lacks the newer functions.

https://docs.nvidia.com/deploy/nvml-api/
"""

from __future__ import annotations

import ctypes
import os
from typing import Any

_FILES = (
    "libnvidia-ml.so.1",
    "/usr/lib/wsl/lib/libnvidia-ml.so.1",
    "/run/opengl-driver/lib/libnvidia-ml.so.1",
)

# nvmlReturn_t
NOT_SUPPORTED = 3
DRIVER_NOT_LOADED = 9
TIMEOUT = 10
LIBRARY_NOT_FOUND = 12
FUNCTION_NOT_FOUND = 13
GPU_IS_LOST = 15
RESET_REQUIRED = 16
LIB_RM_VERSION_MISMATCH = 18
_OTHER_VERSION = (FUNCTION_NOT_FOUND, 25)  # and NVML_ERROR_ARGUMENT_VERSION_MISMATCH

_TEXT_BYTES = 96
_TEMPERATURE_GPU = 0
_UNCORRECTED, _VOLATILE = 1, 0
_XID_EVENT = 0x8
_ROOM = 1024  # for processes on one GPU

Handle = ctypes.c_void_p


class NvmlError(Exception):
    """The library's answer is an error, or it has no such function."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


class Utilization(ctypes.Structure):
    _fields_ = (("gpu", ctypes.c_uint), ("memory", ctypes.c_uint))


class Memory(ctypes.Structure):
    """In bytes."""

    _fields_ = (("total", ctypes.c_ulonglong), ("free", ctypes.c_ulonglong), ("used", ctypes.c_ulonglong))


class _MemoryV2(ctypes.Structure):
    _fields_ = (
        ("version", ctypes.c_uint),
        *((n, ctypes.c_ulonglong) for n in ("total", "reserved", "free", "used")),
    )


class _ProcessV1(ctypes.Structure):
    _fields_ = (("pid", ctypes.c_uint), ("used", ctypes.c_ulonglong))


class _ProcessV2(ctypes.Structure):
    _fields_ = (*_ProcessV1._fields_, ("instance", ctypes.c_uint), ("compute_instance", ctypes.c_uint))


# Of drivers from 510.39 on, from 450 on, and before.
_PROCESSES = (("_v3", _ProcessV2), ("_v2", _ProcessV2), ("", _ProcessV1))


class _Event(ctypes.Structure):
    _fields_ = (
        ("device", ctypes.c_void_p), ("type", ctypes.c_ulonglong), ("data", ctypes.c_ulonglong),
        ("instance", ctypes.c_uint), ("compute_instance", ctypes.c_uint),
    )  # fmt: skip


class Nvml:
    """One session with the driver. Any call may hang in it, or end the process.

    Every method raises NvmlError where the library answers with an error.
    """

    def __init__(self) -> None:
        """Loads the library.

        Raises:
            OSError: there is none.
        """
        self._library = _load()

    def open(self) -> None:
        self._call(("nvmlInit_v2",))

    def count(self) -> int:
        return self._number(("nvmlDeviceGetCount_v2",))

    def gpu(self, index: int) -> Handle:
        handle = Handle()
        self._call(("nvmlDeviceGetHandleByIndex_v2",), ctypes.c_uint(index), ctypes.byref(handle))
        return handle

    def uuid(self, handle: Handle) -> str:
        return self._text("nvmlDeviceGetUUID", handle)

    def name(self, handle: Handle) -> str:
        return self._text("nvmlDeviceGetName", handle)

    def utilization(self, handle: Handle) -> Utilization:
        use = Utilization()
        self._call(("nvmlDeviceGetUtilizationRates",), handle, ctypes.byref(use))
        return use

    def memory(self, handle: Handle) -> Any:
        """Drivers before 510 have the first version alone, which counts what they reserve as used."""
        memory = _MemoryV2(version=ctypes.sizeof(_MemoryV2) | 2 << 24)
        try:
            self._call(("nvmlDeviceGetMemoryInfo_v2",), handle, ctypes.byref(memory))
        except NvmlError as error:
            if error.code not in _OTHER_VERSION:
                raise
            older = Memory()
            self._call(("nvmlDeviceGetMemoryInfo",), handle, ctypes.byref(older))
            return older
        return memory

    def temperature_c(self, handle: Handle) -> int:
        return self._number(("nvmlDeviceGetTemperature",), handle, ctypes.c_int(_TEMPERATURE_GPU))

    def power_mw(self, handle: Handle) -> int:
        return self._number(("nvmlDeviceGetPowerUsage",), handle)

    def power_limit_mw(self, handle: Handle) -> int:
        return self._number(("nvmlDeviceGetEnforcedPowerLimit",), handle)

    def throttle_bits(self, handle: Handle) -> int:
        """The second name is that of drivers before 535."""
        names = ("nvmlDeviceGetCurrentClocksEventReasons", "nvmlDeviceGetCurrentClocksThrottleReasons")
        bits = ctypes.c_ulonglong()
        self._call(names, handle, ctypes.byref(bits))
        return bits.value

    def ecc_uncorrected(self, handle: Handle) -> int:
        """Memory errors that were not corrected since the driver started."""
        count = ctypes.c_ulonglong()
        kind, since_start = ctypes.c_int(_UNCORRECTED), ctypes.c_int(_VOLATILE)
        self._call(("nvmlDeviceGetTotalEccErrors",), handle, kind, since_start, ctypes.byref(count))
        return count.value

    def remapped_rows(self, handle: Handle) -> tuple[bool, bool]:
        """Whether rows of its memory are replaced at the next reset, and whether that has failed."""
        numbers = [ctypes.c_uint() for _ in range(4)]  # corrected, uncorrected, pending, failed
        self._call(("nvmlDeviceGetRemappedRows",), handle, *map(ctypes.byref, numbers))
        return bool(numbers[2].value), bool(numbers[3].value)

    def follow_xids(self, handle: Handle) -> Handle:
        """Has the driver note the GPU's errors from now on; returns what `next_xid` is given."""
        events = Handle()
        self._call(("nvmlEventSetCreate",), ctypes.byref(events))
        self._call(("nvmlDeviceRegisterEvents",), handle, ctypes.c_ulonglong(_XID_EVENT), events)
        return events

    def next_xid(self, events: Handle) -> int | None:
        """The number of the oldest error that was not returned yet; None: there is none."""
        event = _Event()
        try:
            names = ("nvmlEventSetWait_v2", "nvmlEventSetWait")
            self._call(names, events, ctypes.byref(event), ctypes.c_uint(0))
        except NvmlError as error:
            if error.code == TIMEOUT:
                return None
            raise
        return int(event.data)

    def is_divided(self, handle: Handle) -> bool:
        """Whether the GPU is divided into instances (MIG)."""
        current, pending = ctypes.c_uint(), ctypes.c_uint()
        self._call(("nvmlDeviceGetMigMode",), handle, ctypes.byref(current), ctypes.byref(pending))
        return current.value == 1

    def instances(self, handle: Handle) -> list[Handle]:
        """The instances of a divided GPU."""
        most = self._number(("nvmlDeviceGetMaxMigDeviceCount",), handle)
        places = (self._instance(handle, place) for place in range(most))
        return [instance for instance in places if instance is not None]

    def _instance(self, handle: Handle, place: int) -> Handle | None:
        """None: no instance has this place."""
        instance = Handle()
        name = ("nvmlDeviceGetMigDeviceHandleByIndex",)
        try:
            self._call(name, handle, ctypes.c_uint(place), ctypes.byref(instance))
        except NvmlError:
            return None
        return instance

    def computing(self, handle: Handle) -> list[tuple[int, int]]:
        """PID and bytes of each process that computes."""
        return self._processes("nvmlDeviceGetComputeRunningProcesses", handle)

    def drawing(self, handle: Handle) -> list[tuple[int, int]]:
        """PID and bytes of each process that draws."""
        return self._processes("nvmlDeviceGetGraphicsRunningProcesses", handle)

    def _processes(self, name: str, handle: Handle, versions: Any = _PROCESSES) -> list[tuple[int, int]]:
        version, kind = versions[0]
        processes, count = (kind * _ROOM)(), ctypes.c_uint(_ROOM)
        try:
            self._call((name + version,), handle, ctypes.byref(count), processes)
        except NvmlError as error:
            if error.code not in _OTHER_VERSION or len(versions) == 1:
                raise
            return self._processes(name, handle, versions[1:])
        return [(process.pid, process.used) for process in processes[: min(count.value, _ROOM)]]

    def _number(self, names: tuple[str, ...], *arguments: Any) -> int:
        value = ctypes.c_uint()
        self._call(names, *arguments, ctypes.byref(value))
        return value.value

    def _text(self, name: str, handle: Handle) -> str:
        text = ctypes.create_string_buffer(_TEXT_BYTES)
        self._call((name,), handle, text, ctypes.c_uint(_TEXT_BYTES))
        return text.value.decode(errors="replace")

    def _call(self, names: tuple[str, ...], *arguments: Any) -> None:
        """Calls the first of `names` that this driver has."""
        code = FUNCTION_NOT_FOUND
        for name in names:
            function = getattr(self._library, name, None)
            code = FUNCTION_NOT_FOUND if function is None else function(*arguments)
            if code not in _OTHER_VERSION:
                break
        if code:
            raise NvmlError(code, self._meaning(code))

    def _meaning(self, code: int) -> str:
        if code == FUNCTION_NOT_FOUND:
            return "Function Not Found"
        self._library.nvmlErrorString.restype = ctypes.c_char_p
        text = self._library.nvmlErrorString(code)
        return text.decode(errors="replace") if text else f"error {code}"


def _load() -> ctypes.CDLL:
    missing = OSError("no library")
    for file in _FILES:
        if "/" not in file or os.path.exists(file):  # noqa: PTH110 - names for the loader, not paths
            try:
                return ctypes.CDLL(file)
            except OSError as error:
                missing = error
    raise missing
