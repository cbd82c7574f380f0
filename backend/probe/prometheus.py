"""Snapshots for Prometheus. What is not known is left out."""

from collections.abc import Iterable, Iterator, Sequence

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily

from backend.probe.snapshot import GpuReading, HostReading, Pressure, Snapshot

METRICS_TYPE = CONTENT_TYPE_LATEST

_HOST = {
    "cpu_percent": "Processor time in use",
    "load_1min": "Processes that run or wait, over a minute",
    "memory_total_mib": "Memory",
    "memory_available_mib": "Memory that can still be taken",
    "swap_used_mib": "Swap in use",
    "disk_free_gib": "Free space where runs are kept",
}
_PRESSURE = {
    "cpu_some_percent": "Time in which something waited for the processor",
    "memory_full_percent": "Time in which all work stood still for memory",
    "io_full_percent": "Time in which all work stood still for disks",
}
_GPU = {
    "utilization_percent": "Time in which the GPU worked",
    "memory_used_mib": "GPU memory in use",
    "memory_total_mib": "GPU memory",
    "temperature_c": "GPU temperature",
    "power_w": "GPU power",
    "power_limit_w": "Most power the GPU may draw",
}


def metrics_text(snapshots: Sequence[Snapshot], more: Sequence[GaugeMetricFamily] = ()) -> bytes:
    """The newest snapshot of each server, and `more`, in Prometheus' text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collected(snapshots, more))
    return generate_latest(registry)


class _Collected:
    def __init__(self, snapshots: Sequence[Snapshot], more: Sequence[GaugeMetricFamily]) -> None:
        self._snapshots = snapshots
        self._more = more

    def collect(self) -> Iterator[GaugeMetricFamily]:
        answers = GaugeMetricFamily("sheetrack_up", "Whether the server could be read", labels=["server"])
        for snapshot in self._snapshots:
            answers.add_metric([snapshot.server], float(snapshot.failure is None))
        yield answers
        hosts = [(snapshot.server, snapshot.host) for snapshot in self._snapshots if snapshot.host]
        for field, meaning in _HOST.items():
            yield _family(field, meaning, ["server"], (([name], host) for name, host in hosts))
        for field, meaning in _PRESSURE.items():
            readings = (([name], host.pressure) for name, host in hosts)
            yield _family(f"pressure_{field}", meaning, ["server"], readings, field)
        for field, meaning in _GPU.items():
            gpus = (
                ([snapshot.server, str(gpu.index), gpu.name or ""], gpu)
                for snapshot in self._snapshots
                for gpu in snapshot.gpus or ()
            )
            yield _family(f"gpu_{field}", meaning, ["server", "gpu", "name"], gpus, field)
        yield from self._more


def _family(
    name: str,
    meaning: str,
    labels: list[str],
    readings: Iterable[tuple[list[str], HostReading | Pressure | GpuReading]],
    field: str = "",
) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"sheetrack_{name}", meaning, labels=labels)
    for values, reading in readings:
        value = getattr(reading, field or name)
        if value is not None:
            family.add_metric(values, value)
    return family
