"""Which GPUs are free for a job."""

from datetime import UTC, datetime, timedelta

import pytest

from backend.probe.snapshot import GpuInstance, GpuProcess, GpuReading, Snapshot
from backend.servers.means import gpu_seconds
from backend.servers.past import past_of
from backend.servers.use import free_instances, is_free

START = datetime(2026, 11, 22, 14, 0, tzinfo=UTC)
INTERVAL = 15.0


def gpu(
    used_gib: float | None, *processes: GpuProcess, total_gib: float = 80, use: float | None = 0
) -> GpuReading:
    return GpuReading(
        index=0,
        utilization_percent=use,
        memory_used_mib=None if used_gib is None else used_gib * 1024,
        memory_total_mib=total_gib * 1024,
        processes=processes,
    )


def process(gib: float | None, command: str = "python train.py", *, graphics: bool = False) -> GpuProcess:
    memory_mib = None if gib is None else gib * 1024
    return GpuProcess(pid=7, user="kim", command=command, memory_mib=memory_mib, graphics=graphics)


@pytest.mark.parametrize(
    ("reading", "free"),
    [
        (gpu(0.5), True),
        (gpu(1.1), False),  # held by no process
        (gpu(0.6, process(0.4)), False),
        (gpu(3.5, process(3)), False),  # a notebook on an 80 GiB card
        (gpu(0.01, process(None)), False),
        (gpu(1.8, process(1.5, "gnome-shell", graphics=True), total_gib=8), True),  # a desktop
        (gpu(1.8, process(1.5, "Xorg"), total_gib=8), True),  # also where it is listed as computing
        (gpu(3.0, process(1.5, graphics=True), total_gib=8), False),
        (gpu(1.8, process(None, graphics=True), total_gib=8), False),
        (gpu(0.5, use=5), False),
        (gpu(0.5, use=None), True),
        (gpu(None), True),
        (gpu(None, process(None)), False),
        (gpu(0.5).model_copy(update={"processes": None}), True),
        (gpu(None).model_copy(update={"processes": None}), False),
        (gpu(0.5).model_copy(update={"fault": "needs a reset"}), False),
        (gpu(0.5).model_copy(update={"unused_seconds": 0}), False),
        (gpu(0.5).model_copy(update={"unused_seconds": 15}), False),
        (gpu(0.5).model_copy(update={"unused_seconds": 30}), True),
        (gpu(0.5).model_copy(update={"instances": ()}), False),
    ],
)
def test_free(reading: GpuReading, free: bool) -> None:
    assert is_free(reading) is free


def test_instances_are_free_one_by_one() -> None:
    parts = tuple(
        GpuInstance(memory_used_mib=used, memory_total_mib=9728, processes=some)
        for used, some in ((10, ()), (10, (process(None),)), (5000, ()), (None, None), (None, ()))
    )
    divided = gpu(9).model_copy(update={"instances": parts})
    assert free_instances(divided) == [parts[0], parts[4]]
    assert not is_free(divided)


def free_at_each(*readings: GpuReading, step: float = INTERVAL) -> list[bool]:
    """Whether the GPU is free after each of `readings`."""
    trace = [
        Snapshot(server="ada", at=START + timedelta(seconds=step * place), gpus=(reading,))
        for place, reading in enumerate(readings)
    ]
    found = []
    for place in range(len(trace)):
        answer = past_of(trace[: place + 1], INTERVAL).answer
        assert answer
        assert answer.gpus
        found.append(is_free(answer.gpus[0]))
    return found


def test_a_gpu_is_free_after_two_readings_without_use() -> None:
    used, unused = gpu(3, process(2)), gpu(0.4)
    assert free_at_each(unused, unused, used, unused, unused) == [True, True, False, False, True]


def test_a_program_that_starts_again_and_again_leaves_no_gpu_free() -> None:
    assert free_at_each(*[gpu(3, process(2)), gpu(0.4)] * 10) == [False] * 20


def test_a_notebook_of_changing_size_and_use_does_not_flicker() -> None:
    readings = [gpu(size, process(size - 0.5), use=use) for size, use in ((3.5, 0), (4.5, 3), (0.8, 90)) * 5]
    assert not any(free_at_each(*readings))


def test_after_a_gap_what_was_before_does_not_count() -> None:
    assert free_at_each(gpu(3, process(2)), gpu(0.4), step=600) == [False, True]


def test_a_desktop_earns_no_gpu_hours_and_is_no_user() -> None:
    desktop = gpu(1.8, process(1.5, "Xorg", graphics=True))
    trace = [
        Snapshot(server="ada", at=START + timedelta(seconds=15 * place), gpus=(desktop,))
        for place in range(9)
    ]
    assert gpu_seconds(trace, trace[-1].at, INTERVAL) == {}
    assert trace[0].users == []
