"""What does not work on a server, or will soon not: GPUs, disks, the connection. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from backend.probe.snapshot import Disk, GpuReading, HostReading, Snapshot
from backend.servers.state import Fault, KnownGpu
from backend.text import listed
from backend.times import duration

SLOWED = timedelta(minutes=20)
"""How long a GPU is slowed before people are told."""
STUCK_PROCESSES = 5
"""So many processes that wait for a disk close a server: the next one would wait as well."""

PROCESSES_WAIT = "processes wait for"

_FULL_GIB, _FULL_FRACTION, _FULL_OF_SMALL = 5, 0.02, 0.1
_FEW_INODES_PERCENT = 1

# https://docs.nvidia.com/deploy/xid-errors/
_XIDS = {
    "48": ("uncorrected ECC error", False),
    "63": ("memory row remapped", True),
    "64": ("row remapping failed", False),
    "79": ("fell off the bus", False),
    "94": ("contained memory error", True),
    "95": ("uncontained memory error", False),
}
"""What each Xid means, and whether it is only a warning."""


def faults_of(
    snapshot: Snapshot,
    at: datetime,
    *,
    slowed_since: Mapping[int, datetime],
    fault_since: datetime | None,
    known: Sequence[KnownGpu] = (),
    most_gpus: int = 0,
) -> list[Fault]:
    """Everything that is wrong at `at`.

    Args:
        snapshot: the newest answer.
        at: now.
        slowed_since: since when each GPU, by index, is slowed by heat or power.
        fault_since: since when the driver does not answer.
        known: all GPUs that the server ever had.
        most_gpus: how many it had at once; 0: unknown.
    """
    faults = []
    if snapshot.gpu_fault:
        faults.append(
            Fault(kind="gpu", what=snapshot.gpu_fault, detail=f"for {duration(at - (fault_since or at))}")
        )
    if missing := missing_gpus(snapshot, known):
        faults.append(_missing(snapshot, missing, most_gpus))
    for gpu in snapshot.gpus or ():
        faults += gpu_faults(gpu)
        since = slowed_since.get(gpu.index)
        if since is not None and at - since >= SLOWED and gpu.throttle_reasons:
            lasting = f"for {duration(at - since)}"
            faults.append(_of_gpu(gpu, f"slowed by {gpu.throttle_reasons[0]}", lasting, is_warning=True))
    return faults + (host_faults(snapshot.host, _waited_for(snapshot)) if snapshot.host else [])


def texts(faults: Iterable[Fault]) -> list[str]:
    """Each fault in words. Parts that have the same one are named together: `GPU 0-7 lost: fell off the bus`."""
    parts: dict[str, list[str]] = {}
    for fault in faults:
        rest = fault.text.removeprefix(fault.part) if fault.part else ""
        parts.setdefault(rest or fault.text, []).append(fault.part if rest else "")
    return [f"{_together(some)}{rest}" for rest, some in parts.items()]


def _together(parts: Sequence[str]) -> str:
    numbers = [part.removeprefix("GPU ") for part in parts]
    if len(parts) < 2 or not all(number.isdigit() for number in numbers):
        return listed(parts)
    runs: list[list[int]] = []
    for number in sorted(map(int, numbers)):
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return f"GPU {', '.join(f'{run[0]}-{run[-1]}' if len(run) > 1 else str(run[0]) for run in runs)}"


def _of_gpu(gpu: GpuReading, what: str, detail: str = "", *, is_warning: bool = False) -> Fault:
    part = f"GPU {gpu.index}"
    return Fault(kind="gpu", what=f"{part} {what}", part=part, detail=detail, is_warning=is_warning)


def _waited_for(snapshot: Snapshot) -> str:
    """What processes that hang in the kernel wait for, as far as the rest of the snapshot tells."""
    silent_gpu = snapshot.gpu_fault_seconds is not None or any(
        gpu.fault_seconds is not None for gpu in snapshot.gpus or ()
    )
    silent_disk = any(what.startswith("disk") for what in (snapshot.host or HostReading()).not_answering)
    return "a GPU" if silent_gpu and not silent_disk else "a disk"


def works(gpu: GpuReading) -> bool:
    """Whether a job could use the GPU."""
    return all(fault.is_warning for fault in gpu_faults(gpu))


def gpu_faults(gpu: GpuReading) -> list[Fault]:
    """What is wrong with one GPU, as its last reading tells."""
    return list(_gpu_faults(gpu))


def _gpu_faults(gpu: GpuReading) -> Iterator[Fault]:
    if gpu.fault:
        silent = "" if gpu.fault_seconds is None else f"for {duration(gpu.fault_seconds)}"
        yield _of_gpu(gpu, gpu.fault, silent)
    if gpu.ecc_uncorrected:
        count = f"{gpu.ecc_uncorrected} since the driver started"
        yield _of_gpu(gpu, "has uncorrected ECC errors", f"({count})")
    if gpu.rows_failed:
        yield _of_gpu(gpu, "cannot replace a broken row of its memory")
    elif gpu.rows_pending:
        yield _of_gpu(gpu, "needs a reset to replace a broken row of its memory", is_warning=True)
    for code, seconds in gpu.xids.items():
        if code in _XIDS:
            meaning, is_warning = _XIDS[code]
            what = f"reported Xid {code}, {meaning},"
            yield _of_gpu(gpu, what, f"{duration(seconds)} ago", is_warning=is_warning)


def missing_gpus(snapshot: Snapshot, known: Sequence[KnownGpu]) -> list[KnownGpu]:
    """The GPUs in `known` that the snapshot does not have. Unknown while the driver does not answer."""
    if snapshot.gpus is None:
        return []
    uuids = {gpu.uuid for gpu in snapshot.gpus}
    unnamed = {gpu.index for gpu in snapshot.gpus if gpu.uuid is None}
    return [gpu for gpu in known if gpu.uuid not in uuids and gpu.index not in unnamed]


def _missing(snapshot: Snapshot, missing: Sequence[KnownGpu], most_gpus: int) -> Fault:
    there = len(snapshot.gpus or ())
    names = listed([f"GPU {gpu.index} ({gpu.uuid})" for gpu in missing], most=3)
    count = min(max(most_gpus, there), there + len(missing)) if most_gpus else there + len(missing)
    if there == count:  # another one has its place
        return Fault(kind="gpu", what=f"{names} replaced by another GPU", is_warning=True)
    return Fault(kind="gpu", what=f"{there} of {count} GPUs: {names} missing")


def host_faults(host: HostReading, waited_for: str = "a disk") -> list[Fault]:
    """What is wrong with the disks, and what waits for them, or for `waited_for`."""
    faults = [fault for disk in host.disks for fault in _disk_faults(disk)]
    for what, seconds in host.not_answering.items():
        if what.startswith("disk"):
            name = what.removeprefix("disk ")
            detail = f"for {duration(timedelta(seconds=seconds))}"
            faults.append(_of_disk(name, "not answering", detail))
    if (host.stuck_processes or 0) >= STUCK_PROCESSES:
        faults.append(Fault(kind="disk", what=f"{PROCESSES_WAIT} {waited_for}", count=host.stuck_processes))
    return faults


def _of_disk(path: str, what: str, detail: str = "") -> Fault:
    return Fault(kind="disk", what=f"{path} {what}", part=path, detail=detail)


def _disk_faults(disk: Disk) -> Iterator[Fault]:
    if disk.read_only:
        yield _of_disk(disk.path, "is read-only")
    elif disk.free_gib is not None and disk.total_gib:
        limit = max(_FULL_FRACTION * disk.total_gib, min(_FULL_GIB, _FULL_OF_SMALL * disk.total_gib))
        if disk.free_gib < limit:
            yield _of_disk(disk.path, "is full", f"({disk.free_gib:.1f} GiB left)")
    if disk.free_inodes_percent is not None and disk.free_inodes_percent < _FEW_INODES_PERCENT:
        yield _of_disk(disk.path, "has no inodes left")
