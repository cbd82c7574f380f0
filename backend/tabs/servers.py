"""What the tabs about servers, their use and jobs show. Pure: the same facts give the same Table."""

from collections.abc import Sequence

from backend.probe.snapshot import GpuReading, Snapshot
from backend.servers.faults import gpu_faults, works
from backend.servers.state import ServerStatus
from backend.servers.use import working_gpus
from backend.sheets.table import Bars, Cell, Column, Section, Spark, Table, Text
from backend.tabs.names import SERVERS, Rank
from backend.text import listed
from backend.times import iso


def servers_table(servers: Sequence[ServerStatus], *, reservations: bool = False) -> Table:
    """`reservations`: whether the lab keeps any, and so wants to see them."""
    columns = (
        Column(title="Server", width=12),
        Column(title="Verdict", width=40),
        Column(title="GPUs", width=16),
        Column(title="Free GPU memory", format="gib", width=16),
        Column(title="CPU", format="percent", width=7),
        Column(title="Memory", format="percent", width=8),
        Column(title="Users", width=16),
        *((Column(title="Reserved", width=18),) if reservations else ()),
        Column(title="Last hour", width=14),
        Column(title="Seen", format="time", width=18),
    )
    rows = tuple(_server_row(server, reservations=reservations) for server in servers)
    section = Section(columns=columns, rows=rows, empty="No reading yet; the first comes within seconds.")
    return Table(name=SERVERS, rank=Rank.SERVERS, sections=(section,))


def _server_row(status: ServerStatus, *, reservations: bool) -> tuple[Cell, ...]:
    snapshot = status.snapshot
    host = snapshot.host if snapshot else None
    verdict = Text(
        text=status.verdict.state.value, tone=status.verdict.state.value, note=status.verdict.reason
    )
    return (
        status.name,
        verdict,
        _gpu_bars(snapshot),
        _free_gpu_memory_gib(snapshot),
        _fraction(host.cpu_percent) if host else None,
        host.memory_used_fraction if host else None,
        listed(snapshot.users) if snapshot else None,
        *((status.reserved,) if reservations else ()),
        _last_hour(status.last_hour),
        iso(status.seen_at) if status.seen_at else None,
    )


def _gpu_bars(snapshot: Snapshot | None) -> Cell:
    if snapshot is None or not snapshot.gpus:
        return snapshot.gpu_fault if snapshot else None
    # A GPU that does not work looks like one of unknown use, not like a free one.
    shares = [_fraction(gpu.utilization_percent) if works(gpu) else None for gpu in snapshot.gpus]
    words = [_gpu_words(gpu, share) for gpu, share in zip(snapshot.gpus, shares, strict=True)]
    memory = tuple(_memory(gpu) if works(gpu) else None for gpu in snapshot.gpus)
    return Bars(fractions=tuple(shares), behind=memory, label=", ".join(words))


def _memory(gpu: GpuReading) -> float | None:
    """The share of its memory that is taken, by processes that compute or by idle ones."""
    if not gpu.memory_total_mib or gpu.memory_used_mib is None:
        return None
    return gpu.memory_used_mib / gpu.memory_total_mib


def _gpu_words(gpu: GpuReading, share: float | None) -> str:
    if faults := [fault.what for fault in gpu_faults(gpu) if not fault.is_warning]:
        return faults[0]
    memory = _memory(gpu)
    taken = "" if memory is None else f" (memory {memory:.0%})"
    use = ": utilisation unknown" if share is None else f" {share:.0%}"
    return f"GPU {gpu.index}{use}{taken}"


def _free_gpu_memory_gib(snapshot: Snapshot | None) -> float | None:
    free = [
        max(0.0, gpu.memory_total_mib - gpu.memory_used_mib)
        for gpu in (working_gpus(snapshot) if snapshot else ())
        if gpu.memory_total_mib is not None and gpu.memory_used_mib is not None
    ]
    return sum(free) / 1024 if free else None


def _last_hour(percents: tuple[float | None, ...]) -> Cell:
    known = [percent for percent in percents if percent is not None]
    if not known:
        return None
    label = f"use over the last hour: {min(known):.0f} to {max(known):.0f} %, now {known[-1]:.0f} %"
    return Spark(values=percents, low=0, high=100, label=label)


def _fraction(percent: float | None) -> float | None:
    return None if percent is None else percent / 100
