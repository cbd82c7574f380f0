"""Situations of the field, replayed: what an experienced admin would say of the server, and what its row says."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest
from pydantic import TypeAdapter

from backend.probe.owners import OWN_CONTAINER
from backend.probe.snapshot import Disk, Failure, GpuProcess, GpuReading, Process, Snapshot
from backend.servers import reasons
from backend.servers.past import Past, follow
from backend.servers.reasons import advice
from backend.servers.state import Held, KnownGpu, ServerStatus, State, Verdict
from backend.servers.verdict import faults, judge, suggest
from tests.servers.moments import FREE, HALF, INTERVAL, NO_PRESSURE, answer, failure, gpu, instances, moment


@dataclass
class Told:
    """What the row said after each snapshot, and the past after the last one."""

    verdicts: list[Verdict]
    past: Past
    at: datetime

    @property
    def last(self) -> tuple[State, str]:
        return self.verdicts[-1].state, self.verdicts[-1].reason

    def faults(self, *known: KnownGpu) -> list[str]:
        return [fault.text for fault in faults(self.past, self.at, known)]


def told(*trace: Snapshot, known: tuple[KnownGpu, ...] = (), held: dict[str, Held] | None = None) -> Told:
    past, verdicts = Past(), []
    for snapshot in trace:
        past = follow(past, snapshot, INTERVAL)
        verdicts.append(judge(past, snapshot.at, INTERVAL, known_gpus=known, held=held))
    return Told(verdicts, past, trace[-1].at)


def known(*indices: int) -> tuple[KnownGpu, ...]:
    return tuple(KnownGpu(index=index, uuid=f"GPU-{index}", name="H100") for index in indices)


def there(*indices: int) -> tuple[GpuReading, ...]:
    """GPUs in this order; those behind a missing one move up."""
    return tuple(gpu(place, 0, 0.005, uuid=f"GPU-{index}") for place, index in enumerate(indices))


def disk(path: str, free: float, total: float = 1000, **more: Any) -> Disk:
    return Disk(path=path, free_gib=free, total_gib=total, **more)


GIB = 1024 / 81920
BY_KIM = (Process(pid=7, user="kim", command="python train.py", memory_mib=90_000),)
ECC = "GPU 0 has uncorrected ECC errors (2 since the driver started)"


@pytest.mark.parametrize(
    ("snapshot", "state", "reason"),
    [
        # GPUs that fail
        (answer(0, (gpu(0, 0, 0.005, ecc_uncorrected=2), FREE[1])), State.IDLE, f"{ECC}; 1 of 2 GPUs free"),
        (answer(0, (gpu(0, 90, 0.5, "kim", ecc_uncorrected=2), FREE[1])), State.BUSY, f"{ECC}; 1 of 2 GPUs free"),
        (answer(0, (gpu(0, 0, 0.005, ecc_uncorrected=2),)), State.FULL, f"{ECC}; no working GPU"),
        (answer(0, (gpu(0, 0, 0.005, rows_failed=True), FREE[1])), State.IDLE,
         "GPU 0 cannot replace a broken row of its memory; 1 of 2 GPUs free"),
        (answer(0, (gpu(0, 0, 0.005, rows_pending=True), FREE[1])), State.IDLE,
         "GPU 0 needs a reset to replace a broken row of its memory; both GPUs free"),
        (answer(0, (gpu(0, 0, 0.005, xids={"79": 300}), FREE[1])), State.IDLE,
         "GPU 0 reported Xid 79, fell off the bus, 5 min ago; 1 of 2 GPUs free"),
        (answer(0, (gpu(0, 0, 0.005, xids={"63": 300}), FREE[1])), State.IDLE,
         "GPU 0 reported Xid 63, memory row remapped, 5 min ago; both GPUs free"),
        (answer(0, (gpu(0, 0, 0.005, xids={"13": 300}), FREE[1])), State.IDLE, "both GPUs free"),
        # Disks
        (answer(0, FREE, disks=(disk("/", 4.9),)), State.FULL, "/ is full (4.9 GiB left); both GPUs free"),
        (answer(0, FREE, disks=(disk("/home", 190, 10_000),)), State.FULL,
         "/home is full (190.0 GiB left); both GPUs free"),
        (answer(0, FREE, disks=(disk("/tmp", 3.8, 4),)), State.IDLE, "both GPUs free"),
        (answer(0, FREE, disks=(disk("/tmp", 0.3, 4),)), State.FULL,
         "/tmp is full (0.3 GiB left); both GPUs free"),
        (answer(0, FREE, disks=(disk("/", 500, free_inodes_percent=0.2),)), State.FULL,
         "/ has no inodes left; both GPUs free"),
        (answer(0, FREE, disks=(disk("/home", 500, read_only=True),)), State.FULL,
         "/home is read-only; both GPUs free"),
        (answer(0, FREE, not_answering={"disk /data": 31}), State.FULL,
         "/data not answering for 31 s; both GPUs free"),
        # Hung NFS
        (answer(0, FREE, cpu=1, load=5, stuck_processes=30), State.FULL,
         "30 processes wait for a disk; both GPUs free"),
        (answer(0, FREE, stuck_processes=1), State.IDLE, "both GPUs free"),
        # What is free
        (answer(0, (gpu(0, 0, 3.5 * GIB, "kim"),)), State.BUSY, "GPU in use, 76 GiB of its memory left"),
        (answer(0, (desktop := GpuReading(index=0, utilization_percent=2, memory_used_mib=1300,
                                          memory_total_mib=8192, processes=(
            GpuProcess(pid=1, user="gdm", command="Xorg", memory_mib=700, graphics=True),)),)),
         State.IDLE, "GPU free"),
        (answer(0, (gpu(0, 90, 0.5, "lee"), desktop.model_copy(update={"index": 1}))), State.BUSY,
         "1 of 2 GPUs free (8 GiB)"),
        # Contention, or none
        (answer(0, memory_full=60, cpu=2, load=0.1), State.IDLE,
         "a job is short of memory (memory pressure 60 %); CPU 2 %; 80 GiB of memory free"),
        (answer(0, available=0.0732, total=1 << 20), State.IDLE, "CPU 5 %; 75 GiB of memory free"),
        (answer(0, cpu_some=70, load=1.2, gpus=(gpu(0, 95, 0.5, "lee"),)), State.BUSY,
         "GPU in use, 40 GiB of its memory left"),
    ],
)  # fmt: skip
def test_one_reading(snapshot: Snapshot, state: State, reason: str) -> None:
    assert told(snapshot).last == (state, reason)


def test_a_gpu_that_is_missing_after_a_reboot_is_a_fault_until_a_person_confirms() -> None:
    trace = [answer(0, there(*range(8))), answer(15, there(0, 1, 2, 4, 5, 6, 7))]
    missing = told(*trace, known=known(*range(8)))
    words = "7 of 8 GPUs: GPU 3 (GPU-3) missing"
    assert missing.last == (State.IDLE, f"{words}; all 7 GPUs free")
    assert missing.faults(*known(*range(8))) == [words]
    assert told(*trace, known=known(0, 1, 2, 4, 5, 6, 7)).last == (State.IDLE, "all 7 GPUs free")
    new = answer(
        15, tuple(gpu(place, 0, 0.005, uuid=f"GPU-{place + 10 * (place == 3)}") for place in range(8))
    )
    replaced = told(trace[0], new, known=known(*range(8), 13))
    assert replaced.last == (State.IDLE, "GPU 3 (GPU-3) replaced by another GPU; all 8 GPUs free")
    back = told(*trace, answer(30, there(*range(8))), known=known(*range(8)))
    assert back.last == (State.IDLE, "all 8 GPUs free")


def test_a_gpu_that_has_lost_its_name_is_not_missing() -> None:
    unnamed = (*there(0), gpu(1, None, None, fault="not answering"))
    assert told(answer(0, unnamed), known=known(0, 1)).last[1] == "GPU 1 not answering; 1 of 2 GPUs free"
    assert told(answer(0, None), known=known(0, 1)).last[1] == "GPUs not read yet"


@pytest.mark.parametrize(
    ("gpus", "reason"),
    [
        ((gpu(0, 0, 0, unused_seconds=3),), "GPU was in use a moment ago"),
        ((gpu(0, 0, 0, unused_seconds=3), gpu(1, 90, 0.5, "lee")), "no GPU free; GPU 0 in use a moment ago"),
        (tuple(gpu(each, 0, 0, unused_seconds=3) for each in range(2)),
         "no GPU free; GPUs 0, 1 in use a moment ago"),
    ],
)  # fmt: skip
def test_a_gpu_between_two_programs_is_not_told_as_used(gpus: tuple[GpuReading, ...], reason: str) -> None:
    assert reasons.use(answer(0, gpus)) == [reason]


def test_heat_for_twenty_minutes_is_a_warning() -> None:
    hot = (gpu(0, 100, 0.5, "lee", throttle_reasons=("heat",)),)
    early, late = (told(*(answer(t, hot) for t in range(0, end, 15))) for end in (1200, 1216))
    assert early.faults() == []
    assert early.last[1] == "GPU in use, 40 GiB of its memory left; GPU 0 slowed by heat"
    assert late.faults() == ["GPU 0 slowed by heat for 20 min"]
    assert late.last == (State.BUSY, "GPU 0 slowed by heat for 20 min; GPU in use, 40 GiB of its memory left")


def test_a_fast_leak_is_told_before_the_death() -> None:
    trace = [
        *(answer(t, HALF, available=left) for t, left in ((0, 0.5), (15, 0.34), (30, 0.18))),
        answer(45, HALF, available=0.02, memory_full=8, stall=38, top=BY_KIM),
    ]
    seen = told(*trace)
    assert [verdict.state for verdict in seen.verdicts] == [*[State.BUSY] * 3, State.OVERLOADED]
    assert seen.last[1] == "2 % of memory left, most by kim; 1 of 2 GPUs free"
    assert seen.verdicts[-1].urgent
    silent = told(*trace, *(failure(t, Failure.UNREACHABLE) for t in (60, 75, 90)))
    assert silent.last == (
        State.DOWN,
        "not reachable since 14:01, 3 tries; before: 98 % of memory in use, memory pressure 8 %, most by kim",
    )


@pytest.mark.parametrize("stalls", [{"memory_full": 41}, {"stall": 41}])
def test_a_full_stall_needs_one_reading(stalls: dict[str, float]) -> None:
    seen = told(answer(0, available=0.5), answer(15, available=0.06, **stalls))  # type: ignore[arg-type]
    assert seen.last[0] is State.OVERLOADED
    assert seen.last[1].startswith("memory pressure 41 %; ")
    assert seen.verdicts[-1].urgent


def test_swap_traffic_takes_the_place_of_pressure() -> None:
    trace = [answer(t, FREE, **NO_PRESSURE, swap=40, available=0.06) for t in range(0, 121, 15)]
    assert told(*trace[:-1]).last[0] is State.IDLE
    assert told(*trace).last == (
        State.OVERLOADED,
        "40 MiB/s of swap traffic for 2 min; 6 % of memory left for 2 min; both GPUs free",
    )


def test_load_of_processes_that_wait_is_not_idle() -> None:
    trace = [answer(t, cpu=1, load=5, cpu_some=0) for t in range(0, 121, 15)]
    state, reason = told(*trace).last
    assert state is State.OVERLOADED
    assert reason.startswith("load 5.0 per core, processes wait for a disk for 2 min")


def test_a_server_that_answers_one_round_in_five_is_told() -> None:
    trace = [
        answer(t, HALF) if t // 15 % 5 == 0 else failure(t, Failure.UNREACHABLE) for t in range(0, 1200, 15)
    ]
    seen = told(*trace)
    assert {verdict.state for verdict in seen.verdicts[20:]} == {State.STALE}
    assert seen.last[1].startswith("answers only 4 of 20 readings, the last at 14:18; before: CPU 5 %")
    assert seen.faults()[0] == "answers only now and then (4 of 20 readings)"


def test_a_server_that_answers_one_round_in_three_is_told_beside_its_readings() -> None:
    trace = [
        answer(t, HALF) if t // 15 % 3 == 0 else failure(t, Failure.UNREACHABLE) for t in range(0, 1215, 15)
    ]
    seen = told(*trace)
    assert {verdict.state for verdict in seen.verdicts[20:]} == {State.BUSY}
    assert seen.last[1] == "answers only now and then (6 of 20 readings); 1 of 2 GPUs free"
    steady = [answer(t, HALF) if t // 15 % 3 else failure(t, Failure.UNREACHABLE) for t in range(0, 1215, 15)]
    assert told(*steady).faults() == []


def test_one_outage_is_not_answering_now_and_then() -> None:
    out = [failure(t, Failure.UNREACHABLE) for t in range(15, 285, 15)]
    assert told(answer(0, HALF), *out, answer(285, HALF)).last == (State.BUSY, "1 of 2 GPUs free")


@pytest.mark.parametrize("start", [{"boot_id": "a"}, {"booted": -1e6}])
def test_a_short_reboot_is_told(start: dict[str, Any]) -> None:
    again: dict[str, Any] = {"boot_id": "b"} if "boot_id" in start else {}
    seen = told(answer(0, FREE, **start), answer(15, FREE, booted=5, **again))
    assert seen.last == (State.IDLE, "both GPUs free; rebooted 10 s ago")
    assert seen.past.rebooted_at == moment(5)
    assert seen.past.away_since == moment(0)


def test_a_server_that_starts_again_and_again_is_not_offered() -> None:
    starts = [answer(180 * count, FREE, boot_id=str(count), booted=180 * count - 30) for count in range(4)]
    assert told(*starts[:3]).last == (State.IDLE, "both GPUs free; rebooted 30 s ago")
    seen = told(*starts)
    words = "starts again and again (3 times within an hour)"
    assert seen.last == (State.FULL, f"{words}; both GPUs free; rebooted 30 s ago")
    steady = answer(4000, FREE, boot_id="3", booted=510)
    assert told(*starts, steady).last == (State.IDLE, "both GPUs free")


def test_a_clock_that_is_corrected_is_no_reboot() -> None:
    assert told(answer(0, booted=-9000), answer(15, booted=-8990)).past.rebooted_at is None
    same = told(answer(0, booted=-9000, boot_id="a"), answer(15, booted=-2000, boot_id="a"))
    assert same.past.rebooted_at is None


def test_held_but_idle_names_the_holder_and_a_moment_of_work_ends_it() -> None:
    idle = {"GPU 0": Held(since=moment(-7200), people=("park",))}
    holding = (gpu(0, 0, 0.15, "park"), FREE[1])
    assert told(answer(0, holding), held=idle).last[1] == (
        "1 of 2 GPUs free; 12 GiB held on GPU 0 by park, idle for 2 h"
    )
    working = (gpu(0, 70, 0.15, "park"), FREE[1])
    assert told(answer(0, working), held=idle).last[1] == "1 of 2 GPUs free"


def test_memory_that_no_process_holds_is_told() -> None:
    unowned = (gpu(0, 0, 0.5), FREE[1])
    trace = [answer(t, unowned) for t in range(0, 61, 15)]
    assert told(*trace[:-1]).last[1] == "1 of 2 GPUs free"
    assert told(*trace).last[1] == "1 of 2 GPUs free; 40 GiB of GPU 0 held by no process"


def test_memory_of_a_divided_gpu_is_held_by_the_processes_on_its_instances() -> None:
    divided = gpu(0, None, 0.5, instances=instances(7, 3))
    assert told(*(answer(t, (divided,)) for t in range(0, 91, 15))).last[1] == "4 of 7 MIG instances free"


def test_an_agent_in_a_container_does_not_say_that_no_process_holds_memory() -> None:
    trace = [answer(t, (gpu(0, 0, 0.5), FREE[1]), hidden=(OWN_CONTAINER,)) for t in range(0, 61, 15)]
    held_by = "40 GiB of GPU 0 held by processes that cannot be seen"
    assert told(*trace).last[1] == f"1 of 2 GPUs free; {OWN_CONTAINER}; {held_by}"


def test_data_loaders_are_no_overload_where_the_kernel_has_no_pressure() -> None:
    busy = (gpu(0, 95, 0.5, "lee"),)
    for load, state in ((2.4, State.BUSY), (3.1, State.OVERLOADED)):
        trace = [answer(t, busy, cpu=70, load=load, **NO_PRESSURE) for t in range(0, 151, 15)]
        assert told(*trace).last[0] is state


def test_a_hung_network_disk_is_told_in_few_words() -> None:
    words = (
        "disk pressure 90 % for 3 min; load 5.0 per core for 3 min; /home, /data not answering for 3 min; "
        "30 processes wait for a disk; CPU 1 %; 80 GiB of memory free"
    )
    hung: dict[str, Any] = {"cpu": 1, "load": 5, "stuck_processes": 30, "io_full": 90}
    silent = {"disk /home": 180.0, "disk /data": 180.0}
    seen = told(*(answer(t, **hung, not_answering=silent) for t in range(0, 181, 15)))
    assert seen.last == (State.OVERLOADED, words)


def test_processes_that_hang_beside_a_silent_gpu_do_not_wait_for_a_disk() -> None:
    silent = gpu(1, None, None, fault="not answering", fault_seconds=120)
    gpus = "GPU 1 not answering for 2 min; 8 processes wait for a GPU; 1 of 2 GPUs free"
    assert told(answer(0, (FREE[0], silent), stuck_processes=8)).last == (State.FULL, gpus)
    both = answer(0, (FREE[0], silent), stuck_processes=8, not_answering={"disk /home": 120})
    assert "8 processes wait for a disk" in told(both).last[1]


def test_gpus_with_the_same_fault_are_named_together() -> None:
    fallen = [gpu(index, None, None, fault="lost: fell off the bus") for index in range(8)]
    assert told(answer(0, tuple(fallen))).last[1] == "GPU 0-7 lost: fell off the bus; no working GPU"
    some = (*fallen[:2], gpu(2, 0, 0.005), fallen[3], gpu(4, 0, 0.005, ecc_uncorrected=1))
    assert (
        told(answer(0, some)).last[1].startswith("GPU 0-1, 3 lost: fell off the bus; GPU 4 has uncorrected")
    )
    assert len(told(answer(0, some)).faults()) == 4


def test_two_small_gpus_do_not_come_before_a_large_one() -> None:
    small = tuple(GpuReading(index=index, memory_total_mib=11264, processes=()) for index in (0, 1))
    servers = [
        ServerStatus(name=name, verdict=Verdict(state=State.IDLE, reason=""), snapshot=answer(0, gpus))
        for name, gpus in (("small", small), ("large", (gpu(0, 0, 0.005), gpu(1, 90, 0.5, "lee"))))
    ]
    assert [server.name for server in suggest(servers)] == ["large", "small"]


def test_a_kernel_without_pressure_is_named_with_what_to_do() -> None:
    [words] = advice(answer(0, **NO_PRESSURE, boot_id="a"))
    assert "psi=1" in words
    assert advice(answer(0, boot_id="a")) == advice(None) == ()


def test_what_was_known_of_a_server_goes_on_after_a_restart_of_the_backend() -> None:
    past = told(*(answer(t, HALF, available=0.15, memory_full=20) for t in range(0, 136, 15))).past
    stored = TypeAdapter(Past).dump_json(past, exclude_defaults=True)
    assert TypeAdapter(Past).validate_json(stored) == past
    assert judge(past, past.read_at or moment(0), INTERVAL).state is State.OVERLOADED
    assert past.used_at["GPU 0"] - moment(0) == timedelta(seconds=135)
