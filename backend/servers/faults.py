"""What does not work on a server, or will soon not: GPUs, disks, the connection. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from backend.probe.snapshot import Disk, GpuReading, HostReading, Snapshot
from backend.servers.state import Fault, KnownGpu
from backend.text import listed
from backend.times import duration

SLOWED = timedelta(minutes=20)
"""How long a GPU is slowed before people are told."""
STUCK_PROCESSES = 5
"""So many processes that wait for a disk close a server: the next one would wait as well."""

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
) -> list[Fault]:
    """Everything that is wrong at `at`.

    Args:
        snapshot: the newest answer.
        at: now.
        slowed_since: since when each GPU, by index, is slowed by heat or power.
        fault_since: since when the driver does not answer.
        known: all GPUs that the server ever had.
    """
    faults = []
    if snapshot.gpu_fault:
        faults.append(
            Fault(kind="gpu", what=snapshot.gpu_fault, detail=f"for {duration(at - (fault_since or at))}")
        )
    if missing := missing_gpus(snapshot, known):
        faults.append(_missing(snapshot, missing))
    for gpu in snapshot.gpus or ():
        faults += gpu_faults(gpu)
        since = slowed_since.get(gpu.index)
        if since is not None and at - since >= SLOWED and gpu.throttle_reasons:
            what = f"GPU {gpu.index} slowed by {gpu.throttle_reasons[0]}"
            faults.append(Fault(kind="gpu", what=what, detail=f"for {duration(at - since)}", is_warning=True))
    return faults + (host_faults(snapshot.host) if snapshot.host else [])


def works(gpu: GpuReading) -> bool:
    """Whether a job could use the GPU."""
    return all(fault.is_warning for fault in gpu_faults(gpu))


def gpu_faults(gpu: GpuReading) -> list[Fault]:
    """What is wrong with one GPU, as its last reading tells."""
    return list(_gpu_faults(gpu))


def _gpu_faults(gpu: GpuReading) -> Iterator[Fault]:
    name = f"GPU {gpu.index}"
    if gpu.fault:
        silent = "" if gpu.fault_seconds is None else f"for {duration(gpu.fault_seconds)}"
        yield Fault(kind="gpu", what=f"{name} {gpu.fault}", detail=silent)
    if gpu.ecc_uncorrected:
        count = f"{gpu.ecc_uncorrected} since the driver started"
        yield Fault(kind="gpu", what=f"{name} has uncorrected ECC errors", detail=f"({count})")
    if gpu.rows_failed:
        yield Fault(kind="gpu", what=f"{name} cannot replace a broken row of its memory")
    elif gpu.rows_pending:
        what = f"{name} needs a reset to replace a broken row of its memory"
        yield Fault(kind="gpu", what=what, is_warning=True)
    for code, seconds in gpu.xids.items():
        if code in _XIDS:
            meaning, is_warning = _XIDS[code]
            what = f"{name} reported Xid {code}, {meaning},"
            yield Fault(kind="gpu", what=what, detail=f"{duration(seconds)} ago", is_warning=is_warning)


def missing_gpus(snapshot: Snapshot, known: Sequence[KnownGpu]) -> list[KnownGpu]:
    """The GPUs in `known` that the snapshot does not have. Unknown while the driver does not answer."""
    if snapshot.gpus is None:
        return []
    uuids = {gpu.uuid for gpu in snapshot.gpus}
    unnamed = {gpu.index for gpu in snapshot.gpus if gpu.uuid is None}
    return [gpu for gpu in known if gpu.uuid not in uuids and gpu.index not in unnamed]


def _missing(snapshot: Snapshot, missing: Sequence[KnownGpu]) -> Fault:
    there = len(snapshot.gpus or ())
    names = listed([f"GPU {gpu.index} ({gpu.uuid})" for gpu in missing], most=3)
    return Fault(kind="gpu", what=f"{there} of {there + len(missing)} GPUs: {names} missing")


def host_faults(host: HostReading) -> list[Fault]:
    """What is wrong with the disks, and what waits for them."""
    faults = [fault for disk in host.disks for fault in _disk_faults(disk)]
    for what, seconds in host.not_answering.items():
        if what.startswith("disk"):
            name = what.removeprefix("disk ")
            detail = f"for {duration(timedelta(seconds=seconds))}"
            faults.append(Fault(kind="disk", what=f"{name} not answering", detail=detail))
    if (host.stuck_processes or 0) >= STUCK_PROCESSES:
        faults.append(Fault(kind="disk", what="processes wait for a disk", count=host.stuck_processes))
    return faults


def _disk_faults(disk: Disk) -> Iterator[Fault]:
    if disk.read_only:
        yield Fault(kind="disk", what=f"{disk.path} is read-only")
    elif disk.free_gib is not None and disk.total_gib:
        limit = max(_FULL_FRACTION * disk.total_gib, min(_FULL_GIB, _FULL_OF_SMALL * disk.total_gib))
        if disk.free_gib < limit:
            yield Fault(kind="disk", what=f"{disk.path} is full", detail=f"({disk.free_gib:.1f} GiB left)")
    if disk.free_inodes_percent is not None and disk.free_inodes_percent < _FEW_INODES_PERCENT:
        yield Fault(kind="disk", what=f"{disk.path} has no inodes left")
