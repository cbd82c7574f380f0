"""NVIDIA GPUs through NVML, each field on its own: what one GPU cannot tell hides nothing else."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from backend.probe.processes import owner_and_command
from backend.probe.snapshot import GpuProcess, GpuReading

_MIB = 2**20
_NOT_AVAILABLE = (2**32 - 1, 2**64 - 1)  # NVML_VALUE_NOT_AVAILABLE as unsigned numbers
_PCI_DEVICES = Path("/sys/bus/pci/devices")

# https://docs.nvidia.com/deploy/nvml-api/group__nvmlClocksEventReasons.html; the other bits are normal.
_THROTTLE_REASONS = {
    0x08: "hardware slowdown",
    0x20: "heat",
    0x40: "heat (hardware)",
    0x80: "power brake",
}


class GpuReadings(NamedTuple):
    """All GPUs, () where there are none; None with a `fault` where the driver does not say."""

    gpus: tuple[GpuReading, ...] | None
    fault: str | None = None


class GpuProbe:
    """A session with the driver. It may hang in any call: keep it in a thread of its own."""

    def __init__(self) -> None:
        import pynvml  # noqa: PLC0415 - only where GPUs are read

        self._nvml = pynvml
        self._open = False
        self._names: dict[int, tuple[str | None, str | None]] = {}

    def read(self) -> GpuReadings:
        nvml = self._nvml
        try:
            if not self._open:
                nvml.nvmlInit()
                self._open = True
            readings = tuple(self._gpu(index) for index in range(nvml.nvmlDeviceGetCount()))
        except nvml.NVMLError as error:
            self.close()
            if error.value == nvml.NVML_ERROR_LIBRARY_NOT_FOUND:
                return GpuReadings(())
            if error.value == nvml.NVML_ERROR_DRIVER_NOT_LOADED and not _has_nvidia_hardware():
                return GpuReadings(())
            return GpuReadings(None, self._driver_fault(error))
        if readings and all(reading.fault for reading in readings):
            self.close()  # perhaps the driver was reloaded: begin anew next time
        return GpuReadings(readings)

    def close(self) -> None:
        if self._open:
            self._open = False
            with suppress(self._nvml.NVMLError):  # a driver that is gone has nothing to close
                self._nvml.nvmlShutdown()

    def _driver_fault(self, error: Any) -> str:
        if error.value == self._nvml.NVML_ERROR_LIB_RM_VERSION_MISMATCH:
            return "GPU driver was updated: restart the server"
        if error.value == self._nvml.NVML_ERROR_DRIVER_NOT_LOADED:
            return "GPU driver not loaded"
        return f"GPU driver not working ({error})"

    def _gpu(self, index: int) -> GpuReading:
        nvml = self._nvml
        try:
            handle = nvml.nvmlDeviceGetHandleByIndex(index)
        except nvml.NVMLError as error:
            uuid, name = self._names.get(index, (None, None))
            return GpuReading(index=index, uuid=uuid, name=name, fault=self._gpu_fault(error))
        fields = _Fields(nvml, handle)
        if None in self._names.get(index, (None,)):
            self._names[index] = fields.text("nvmlDeviceGetUUID"), fields.text("nvmlDeviceGetName")
        uuid, name = self._names[index]
        use = fields.get("nvmlDeviceGetUtilizationRates")
        memory = fields.get("nvmlDeviceGetMemoryInfo", nvml.nvmlMemory_v2)
        if memory is None:  # drivers before 510; they count what the driver itself reserves as used
            memory = fields.get("nvmlDeviceGetMemoryInfo")
        values: dict[str, Any] = {
            "utilization_percent": None if use is None else _amount(use.gpu, most=100),
            "memory_used_mib": None if memory is None else _amount(memory.used, _MIB),
            "memory_total_mib": None if memory is None else _amount(memory.total, _MIB) or None,
            "temperature_c": _amount(fields.get("nvmlDeviceGetTemperature", nvml.NVML_TEMPERATURE_GPU)),
            "power_w": _amount(fields.get("nvmlDeviceGetPowerUsage"), 1000),
            "power_limit_w": _amount(fields.get("nvmlDeviceGetEnforcedPowerLimit"), 1000),
            "throttle_reasons": _throttle_reasons(fields),
            "processes": _processes(fields),
        }
        fault = None
        if fields.lost is not None:
            fault = self._gpu_fault(fields.lost)
        elif fields.last_error is not None and all(value is None for value in values.values()):
            fault = self._gpu_fault(fields.last_error)
        return GpuReading(index=index, uuid=uuid, name=name, **values, fault=fault)

    def _gpu_fault(self, error: Any) -> str:
        if error.value == self._nvml.NVML_ERROR_GPU_IS_LOST:
            return "lost: it fell off the bus"
        if error.value == self._nvml.NVML_ERROR_RESET_REQUIRED:
            return "needs a reset"
        return f"not answering ({error})"


class _Fields:
    """Reads one GPU; remembers whether it is lost."""

    def __init__(self, nvml: Any, handle: Any) -> None:
        self._nvml = nvml
        self._handle = handle
        self._fatal = (nvml.NVML_ERROR_GPU_IS_LOST, nvml.NVML_ERROR_RESET_REQUIRED)
        self.lost: Any = None
        self.last_error: Any = None

    def get(self, function: str, *arguments: Any) -> Any:
        call: Callable[..., Any] = getattr(self._nvml, function)
        try:
            return call(self._handle, *arguments)
        except self._nvml.NVMLError as error:
            self.last_error = error
            if error.value in self._fatal:
                self.lost = error
            return None

    def text(self, function: str) -> str | None:
        try:
            value = self.get(function)
        except UnicodeDecodeError:  # from a damaged board
            return None
        return value.decode(errors="replace") if isinstance(value, bytes) else value


def _amount(value: int | None, unit: int = 1, most: int | None = None) -> float | None:
    if value is None or value in _NOT_AVAILABLE or (most is not None and value > most):
        return None
    return round(value / unit, 1)


def _throttle_reasons(fields: _Fields) -> tuple[str, ...] | None:
    bits = fields.get("nvmlDeviceGetCurrentClocksEventReasons")
    if bits is None:  # drivers before 535
        bits = fields.get("nvmlDeviceGetCurrentClocksThrottleReasons")
    if bits is None:
        return None
    return tuple(reason for bit, reason in _THROTTLE_REASONS.items() if bits & bit)


def _processes(fields: _Fields) -> tuple[GpuProcess, ...] | None:
    """Each process once, though it may compute, draw, and hold several instances of a divided GPU."""
    computing = fields.get("nvmlDeviceGetComputeRunningProcesses")
    drawing = fields.get("nvmlDeviceGetGraphicsRunningProcesses")
    if computing is None and drawing is None:
        return None
    memory_mib: dict[int, float | None] = {}
    for process in computing or ():
        amount = _amount(process.usedGpuMemory, _MIB)
        before = memory_mib.get(process.pid)
        memory_mib[process.pid] = amount if before is None else before + (amount or 0)
    for process in drawing or ():
        memory_mib.setdefault(process.pid, _amount(process.usedGpuMemory, _MIB))
    readings = []
    for pid, amount in memory_mib.items():
        user, command = owner_and_command(pid)
        readings.append(GpuProcess(pid=pid, user=user, command=command, memory_mib=amount))
    return tuple(readings)


def _has_nvidia_hardware() -> bool:
    for vendor in _PCI_DEVICES.glob("*/vendor"):
        try:
            if vendor.read_text(encoding="ascii").strip() == "0x10de":
                return True
        except OSError:
            continue
    return False
