"""Traces replayed, recorded and written by hand: what a server said, and the verdict expected at each moment."""

from datetime import datetime, timedelta, timezone
from itertools import groupby
from math import log1p
from pathlib import Path
from random import Random
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from backend.probe.prometheus import metrics_text
from backend.probe.snapshot import (
    Failure,
    GpuProcess,
    GpuReading,
    HostReading,
    Pressure,
    Snapshot,
)
from backend.servers.past import Past, follow, past_of
from backend.servers.state import ServerStatus, State, Verdict
from backend.servers.verdict import judge, suggest
from backend.tabs.servers import servers_table
from tests.servers.moments import (
    FREE,
    HALF,
    INTERVAL,
    NO_PRESSURE,
    START,
    WORDS,
    answer,
    failure,
    gpu,
    instances,
    moment,
    replay,
    states,
    verdict_of,
)


@pytest.mark.parametrize(
    ("snapshot", "state", "reason"),
    [
        (answer(0), State.IDLE, "CPU 5 %; 80 GiB of memory free"),
        (answer(0, cpu=60), State.BUSY, "CPU 60 %; 80 GiB of memory free"),
        (answer(0, cpu=None), State.BUSY, "CPU use unknown; 80 GiB of memory free"),
        (answer(0, FREE, cpu=None), State.IDLE, "both GPUs free"),
        (answer(0, (gpu(0, 100, 1.5), gpu(1, 100, 0.5))), State.BUSY, "no GPU free; GPU 1, in use, has 40 GiB of memory left"),
        (answer(0, cpu=100, load=1), State.BUSY, "CPU 100 %; 80 GiB of memory free"),
        (answer(0, available=0.04), State.FULL, "96 % of memory in use; CPU 5 %; 4 GiB of memory free"),
        (answer(0, FREE), State.IDLE, "both GPUs free"),
        (answer(0, FREE[:1]), State.IDLE, "GPU free"),
        (answer(0, FREE, cpu=70), State.BUSY, "both GPUs free; CPU 70 %"),
        (answer(0, HALF), State.BUSY, "1 of 2 GPUs free"),
        (answer(0, (gpu(0, 100, 0.5, "lee"), gpu(1, 100, 0.75, "lee"))), State.BUSY,
         "no GPU free; GPU 0, in use, has 40 GiB of memory left"),
        (answer(0, (gpu(0, 100, 0.96),)), State.FULL, "GPU memory full"),
        (answer(0, (gpu(0, 0, 0.96), gpu(1, 0, 0.5))), State.BUSY, "no GPU free; GPU 1, in use, has 40 GiB of memory left"),
        (answer(0, (gpu(0, 100, 0.01),)), State.BUSY, "GPU in use, 79 GiB of its memory left"),
        (answer(0, (gpu(0, None, 0.01),)), State.IDLE, "GPU free"),
        (answer(0, (gpu(0, None, None),)), State.IDLE, "GPU free"),
        (answer(0, (gpu(0, None, None, "lee"),)), State.BUSY, "no GPU known to be free"),
        (answer(0, (gpu(0, None, None, processes=None),)), State.BUSY, "no GPU known to be free"),
        (answer(0, (*FREE, gpu(2, None, None, fault="lost: fell off the bus"))), State.IDLE,
         "GPU 2 lost: fell off the bus; 2 of 3 GPUs free"),
        (answer(0, (gpu(0, None, None, fault="needs a reset"),)), State.FULL, "GPU 0 needs a reset; no working GPU"),
        (answer(0, None, gpu_fault="GPU driver not answering"), State.FULL, "GPU driver not answering for 0 s"),
        (answer(0, None), State.FULL, "GPUs not read yet"),
        (answer(0, (), other_gpus={"AMD": 8}), State.BUSY, "8 AMD GPUs, not read; CPU 5 %; 80 GiB of memory free"),
        (answer(0, FREE, other_gpus={"Intel": 1}), State.IDLE, "1 Intel GPU, not read; both GPUs free"),
        (answer(0, (), not_answering={"disk /home": 40}), State.FULL,
         "/home not answering for 40 s; CPU 5 %; 80 GiB of memory free"),
        (answer(0, FREE, not_answering={"disk": 40}), State.FULL, "disk not answering for 40 s; both GPUs free"),
        (answer(0, FREE, not_answering={"user names": 40}), State.IDLE,
         "user names not answering for 40 s; both GPUs free"),
        (answer(0, FREE, hidden=("processes of other people are hidden (hidepid)",)), State.IDLE,
         "both GPUs free; processes of other people are hidden (hidepid)"),
        (answer(0, (gpu(0, 0, 0.01), gpu(1, None, None, fault="not answering", fault_seconds=40))), State.IDLE,
         "GPU 1 not answering for 40 s; 1 of 2 GPUs free"),
        (answer(0, (gpu(0, 0, 0.01), gpu(1, 100, 0.5, age_seconds=31))), State.BUSY,
         "1 of 2 GPUs free; GPU 1 answers slowly, read 31 s ago"),
        (answer(0, (gpu(0, None, None, instances=instances(7, 3)),)), State.BUSY, "4 of 7 MIG instances free"),
        (answer(0, (gpu(0, None, None, instances=instances(7, 0)),)), State.IDLE, "7 of 7 MIG instances free"),
        (answer(0, (gpu(0, None, None, instances=()),)), State.FULL, "GPU 0 has no MIG instances"),
        (answer(0, (gpu(0, None, None, instances=()), gpu(1, 0, 0.01))), State.BUSY,
         "GPU 0 has no MIG instances; 1 of 2 GPUs free"),
        (answer(0, (gpu(0, 100, 0.5), gpu(1, None, None, instances=instances(2, 1)))), State.BUSY,
         "no GPU free; GPU 0, in use, has 40 GiB of memory left; 1 of 2 MIG instances free"),
        (answer(0, (gpu(0, 100, 0.5, throttle_reasons=("heat",)),)), State.BUSY,
         "GPU in use, 40 GiB of its memory left; GPU 0 slowed by heat"),
        (answer(0, FREE, booted=-180), State.IDLE, "both GPUs free; rebooted 3 min ago"),
    ],
)  # fmt: skip
def test_one_snapshot(snapshot: Snapshot, state: State, reason: str) -> None:
    verdict = verdict_of(snapshot)
    assert (verdict.state, verdict.reason) == (state, reason)


def recorded(name: str) -> list[Snapshot]:
    """What an agent kept, or a backend stored, without the names of processes."""
    file = Path(__file__).parent / "traces" / f"{name}.jsonl"
    return [Snapshot.model_validate_json(line) for line in file.read_text().splitlines()]


def test_a_recorded_overload() -> None:
    """Two cores, read every 10 s, while people worked on them.

    From 23:39:00 to 23:43:15 eight processes read a file of 30 MiB again and again from a memory group of
    24 MiB; from 23:46:35 to 23:50:40 eight processes at the lowest priority did nothing but count.
    """
    trace = recorded("overload")
    seen = [
        (f"{snapshot.at:%H:%M:%S}", state, reason)
        for snapshot, (_, state, reason) in zip(trace, replay(trace, interval=10), strict=True)
    ]
    stretches = [next(stretch)[:2] for _, stretch in groupby(seen, key=lambda moment: moment[1])]
    assert stretches == [
        ("23:37:30", State.IDLE),
        ("23:38:20", State.BUSY),
        ("23:42:00", State.OVERLOADED),  # CPU pressure of 50 % and more since 23:40:00
        ("23:44:31", State.BUSY),  # below 40 % now
        ("23:45:41", State.IDLE),
        ("23:46:11", State.BUSY),
        ("23:46:21", State.IDLE),
        ("23:46:41", State.BUSY),
        ("23:49:21", State.OVERLOADED),  # CPU pressure of 50 % and more since 23:47:21
    ]
    reasons = {at: reason for at, _, reason in seen}
    # 23 of 24 GiB are free: the group of processes is short of memory, and not the server.
    stalled = "a job is short of memory (memory pressure 23 %); CPU 83 %; 23 GiB of memory free"
    assert reasons["23:41:20"] == stalled
    both = "CPU pressure 68 %, load 4.4 per core for 2 min; a job is short of memory (memory pressure 31 %); "
    assert reasons["23:42:00"].startswith(both)
    assert reasons["23:44:21"].startswith("CPU pressure 41 %, load 2.4 per core for 4 min; ")
    assert reasons["23:53:31"].startswith("CPU pressure 65 %, load 2.1 per core for 6 min; ")


def test_a_recorded_death() -> None:
    """Stored by `benchmarks/five_agents.py`: an agent killed at 23:57:12, started again two and a half minutes later."""
    seen = [(state, reason) for _, state, reason in replay(recorded("killed"))]
    assert [state for state, _ in seen] == [*[State.BUSY] * 4, *[State.DOWN] * 9, State.BUSY]
    silent = "agent not answering (connection refused) since 23:57, 3 tries"
    assert seen[4][1] == f"{silent}; before: CPU 100 %, 5 % of memory in use, load 1.5 per core"
    assert seen[0][1].startswith("7 of 8 GPUs free; CPU ")


def test_overload_builds_up_lasts_and_goes() -> None:
    pressures = [0, 4, 12, 15, 18, 21, 23, 23, 23, 23, 23, 23, 11, 9, 8.1, 7.9, 3, 0]
    trace = [
        answer(15 * i, HALF, available=0.15, memory_full=pressure) for i, pressure in enumerate(pressures)
    ]
    seen = list(replay(trace))
    # Above 10 % from 30 s on, so overloaded from 150 s until it is below 8 %.
    assert [state for _, state, _ in seen] == [
        *[State.BUSY] * 10,
        *[State.OVERLOADED] * 5,
        *[State.BUSY] * 3,
    ]
    assert seen[10][2] == "memory pressure 23 % for 2 min; 1 of 2 GPUs free"
    assert seen[14][2] == "memory pressure 8 % for 3 min; 1 of 2 GPUs free"
    assert verdict_of(*trace[:12]).since == moment(30)


@pytest.mark.parametrize(
    ("reading", "reason"),
    [
        ({"memory_full": 10, "available": 0.19}, "memory pressure 10 %"),
        ({"io_full": 20}, "disk pressure 20 %"),
        ({"cpu_some": 50, "load": 1.5}, "CPU pressure 50 %, load 1.5 per core"),
        (
            {"cpu_some": 50, "load": 3, "gpus": (gpu(0, 50, 0.5, "lee"),)},
            "CPU pressure 50 %, load 3.0 per core",
        ),
        ({**NO_PRESSURE, "load": 2, "cpu": 90}, "load 2.0 per core"),
        ({**NO_PRESSURE, "swap": 8}, "8 MiB/s of swap traffic"),
        ({**NO_PRESSURE, "swap": 1, "available": 0.0999}, "10 % of memory left"),
        ({"load": 2}, "load 2.0 per core, processes wait for a disk"),
        ({"available": 0.0999, "memory_full": 1}, "10 % of memory left"),
    ],
)
def test_each_sign_at_its_threshold(reading: dict[str, Any], reason: str) -> None:
    *before, last = replay([answer(t, **reading) for t in range(0, 121, 15)])
    assert State.OVERLOADED not in [state for _, state, _ in before]
    assert last[1] is State.OVERLOADED
    assert last[2].startswith(f"{reason} for 2 min")


@pytest.mark.parametrize(
    "reading",
    [
        {"memory_full": 9.9},
        {"io_full": 19.9},
        {"memory_full": 60, "available": 0.21},  # one container at its own limit
        {"io_full": 90, "load": 0.2},  # one program that copies a file
        {"cpu_some": 49, "load": 9, "cpu": 99},
        {"cpu_some": 99, "load": 1.4},
        {"cpu_some": 99, "load": 2.9, "cpu": 90, "gpus": (gpu(0, 99, 0.5, "lee"),)},
        {**NO_PRESSURE, "load": 1.9},
        {**NO_PRESSURE, "swap": 7.9},
        {**NO_PRESSURE, "swap": 0.9, "available": 0.09},
        {"available": 0.101, "memory_full": 9},
        {"available": 0.0732, "total": 1 << 20},  # 75 GiB of 1 TiB
        {"available": 0.02, "total": 2 << 20},
        {"cpu": 100.0, "load": 1},
        {"memory_full": None, "io_full": None},
    ],
)
def test_high_use_is_not_overload(reading: dict[str, Any]) -> None:
    assert State.OVERLOADED not in states([answer(t, **reading) for t in range(0, 1200, 15)])


def test_short_peaks_again_and_again_are_no_overload() -> None:
    trace = [answer(t, available=0.15, memory_full=40 if t // 60 % 2 else 2) for t in range(0, 3600, 15)]
    assert State.OVERLOADED not in states(trace)


def test_once_overloaded_it_does_not_flap_between_the_thresholds() -> None:
    trace = [
        answer(t, available=0.1, memory_full=11 if t <= 120 or t // 15 % 2 else 8.5)
        for t in range(0, 1800, 15)
    ]
    assert states(trace)[8:] == [State.OVERLOADED] * (len(trace) - 8)


def test_cpu_use_at_its_threshold_does_not_flap() -> None:
    uses = [10, 24, 26, 24, 22, 26, 21, 19, 21, 24, 26]
    wanted = [*[State.IDLE] * 2, *[State.BUSY] * 5, *[State.IDLE] * 3, State.BUSY]
    assert states([answer(15 * i, cpu=use) for i, use in enumerate(uses)]) == wanted


def test_an_overloaded_server_that_misses_polls_stays_overloaded() -> None:
    trace = [
        *(answer(t, memory_full=30, available=0.1) for t in range(0, 135, 15)),
        *(failure(t, Failure.AGENT_DOWN) for t in range(135, 180, 15)),
        answer(195, memory_full=30, available=0.1),
    ]
    assert states(trace)[8:] == [*[State.OVERLOADED] * 3, State.DOWN, State.OVERLOADED]


def test_a_reboot() -> None:
    trace = [
        answer(0, HALF),
        *(failure(t, Failure.AGENT_DOWN) for t in (15, 30)),
        *(failure(t, Failure.UNREACHABLE) for t in (45, 60, 75, 90)),
        failure(105, Failure.AGENT_DOWN),
        answer(120, FREE, booted=70, load=3, cpu_some=80),
        answer(735, FREE, booted=70),
    ]
    seen = list(replay(trace))
    assert [state for _, state, _ in seen] == [*[State.BUSY] * 3, *[State.DOWN] * 5, State.IDLE, State.IDLE]
    before = "; before: CPU 5 %, 20 % of memory in use"
    assert seen[3][2] == f"not reachable since 14:00, 3 tries{before}"
    assert seen[7][2] == f"agent not answering since 14:00, 7 tries{before}"
    assert seen[8][2] == "both GPUs free; rebooted 50 s ago"
    assert seen[9][2] == "both GPUs free"


def test_single_losses_do_no_harm() -> None:
    trace = [failure(t, Failure.UNREACHABLE) if t // 15 % 3 else answer(t, HALF) for t in range(0, 3600, 15)]
    assert set(states(trace)) == {State.BUSY}


@pytest.mark.parametrize("kind", [Failure.UNREACHABLE, Failure.AGENT_DOWN])
def test_three_silent_rounds_are_down_within_45_seconds(kind: Failure) -> None:
    trace = [answer(0), *(failure(t, kind) for t in (15, 30, 45))]
    assert states(trace) == [State.IDLE, State.IDLE, State.IDLE, State.DOWN]


@pytest.mark.parametrize("kind", [Failure.REFUSED, Failure.BROKEN, Failure.MONITOR])
def test_what_is_not_the_servers_silence_is_never_down(kind: Failure) -> None:
    trace = [answer(0), *(failure(t, kind) for t in range(15, 3600, 15))]
    assert states(trace)[:4] == [State.IDLE] * 4
    assert set(states(trace)[4:]) == {State.STALE}
    before = "" if kind is Failure.MONITOR else "; before: CPU 5 %, 20 % of memory in use"
    assert verdict_of(*trace).reason == f"{WORDS[kind]} since 14:00{before}"


def test_a_failure_of_the_monitor_does_not_count_against_a_server() -> None:
    trace = [
        answer(0),
        *(failure(t, Failure.MONITOR) for t in range(15, 600, 15)),
        failure(600, Failure.UNREACHABLE),
        answer(615),
    ]
    assert State.DOWN not in states(trace)


def test_a_refusal_shows_that_the_machine_lives() -> None:
    silent = [failure(t, Failure.AGENT_DOWN) for t in (15, 30)]
    trace = [answer(0), *silent, failure(45, Failure.REFUSED), failure(60, Failure.AGENT_DOWN)]
    assert State.DOWN not in states(trace)


def test_random_loss_hardly_ever_looks_like_an_outage() -> None:
    """50 servers for 30 days, 5 % of tries lost, two tries a round."""
    lost, alarms = Random(7), 0
    answered, failed = answer(0), failure(0, Failure.UNREACHABLE)
    for _ in range(50):
        past, last = Past(), -9
        # From one failed round to the next: an answer makes all before it irrelevant.
        place = -1
        while (place := place + 1 + int(-lost.expovariate(1) / log1p(-(0.05**2)))) < 30 * 5760:
            if place != last + 1:
                past = follow(
                    past, answered.model_copy(update={"at": moment(INTERVAL * (place - 1))}), INTERVAL
                )
            past = follow(past, failed.model_copy(update={"at": moment(INTERVAL * place)}), INTERVAL)
            alarms += judge(past, moment(INTERVAL * place), INTERVAL).state is State.DOWN
            last = place
    assert alarms / 30 < 0.01


def test_a_server_never_reached() -> None:
    assert judge(Past(), START, INTERVAL) == Verdict(state=State.STALE, reason="no reading yet")
    trace = [failure(t, Failure.UNREACHABLE) for t in (0, 15, 30)]
    assert states(trace) == [State.STALE, State.STALE, State.DOWN]
    assert verdict_of(trace[0]).reason == "not reachable since 14:00, 1 try"


def test_numbers_that_were_not_renewed_are_stale() -> None:
    assert verdict_of(answer(0), at=45).state is State.IDLE
    late = verdict_of(answer(0), at=46)
    assert late.state is State.STALE
    assert late.reason == "no reading since 14:00; before: CPU 5 %, 20 % of memory in use"
    down = [answer(0), *(failure(t, Failure.UNREACHABLE) for t in (15, 30, 45))]
    assert verdict_of(*down, at=90).state is State.DOWN
    assert verdict_of(*down, at=91).state is State.STALE


def test_a_longer_interval_is_given_more_time() -> None:
    past = past_of([answer(0)], 60)
    assert judge(past, moment(180), 60).state is State.IDLE
    assert judge(past, moment(181), 60).state is State.STALE


def test_a_clock_that_jumps_ahead_proves_nothing() -> None:
    trace = [
        answer(0, memory_full=30, available=0.1),
        answer(15, memory_full=30, available=0.1),
        answer(7200, memory_full=30, available=0.1),
    ]
    assert State.OVERLOADED not in states(trace)
    assert (
        states([*trace, *(answer(7200 + t, memory_full=30, available=0.1) for t in range(15, 121, 15))])[-1]
        is State.OVERLOADED
    )


def test_a_clock_that_jumps_back_starts_again() -> None:
    trace = [answer(t, memory_full=30, available=0.1) for t in range(0, 135, 15)]
    back = [answer(-3600 + t, memory_full=30, available=0.1) for t in range(0, 135, 15)]
    seen = states(trace + back)
    assert seen == states(trace) + states(back)
    assert seen[8] is State.OVERLOADED
    assert seen[9] is State.IDLE


def test_a_hung_driver_is_a_fault_and_never_down() -> None:
    trace = [answer(0, FREE)]
    trace += [answer(t, None, gpu_fault="GPU driver not answering") for t in range(15, 200, 15)]
    assert set(states(trace)[1:]) == {State.FULL}
    assert verdict_of(*trace).reason == "GPU driver not answering for 3 min"


def test_how_long_a_driver_hangs_is_counted_from_its_last_answer() -> None:
    fault = "GPU driver not answering"
    hung = answer(45, None, gpu_fault=fault).model_copy(update={"gpu_fault_seconds": 31})
    assert verdict_of(answer(0, FREE), hung).reason == f"{fault} for 31 s"
    later = hung.model_copy(update={"at": moment(60), "gpu_fault_seconds": 46})
    assert verdict_of(answer(0, FREE), hung, later).reason == f"{fault} for 46 s"


def test_times_of_day_are_in_the_time_zone_of_the_reader() -> None:
    seoul = timezone(timedelta(hours=9))
    past = past_of([failure(t, Failure.UNREACHABLE) for t in (0, 15, 30)], INTERVAL)
    assert judge(past, moment(30).astimezone(seoul), INTERVAL).reason == "not reachable since 23:00, 3 tries"
    past = past_of([failure(t, Failure.UNREACHABLE) for t in range(0, 3660, 15)], INTERVAL)
    verdict = judge(past, moment(3660).astimezone(seoul), INTERVAL)
    assert verdict.reason == "not reachable since 22 Nov 23:00, 244 tries"


def status(name: str, snapshot: Snapshot | None, state: State | None = None) -> ServerStatus:
    verdict = (
        verdict_of(snapshot) if snapshot and not state else Verdict(state=state or State.STALE, reason="")
    )
    return ServerStatus(name=name, verdict=verdict, snapshot=snapshot)


def test_the_server_to_take_is_on_top() -> None:
    full = (gpu(0, 100, 0.99), gpu(1, 100, 0.99))
    servers = [
        status("z-down", None, State.DOWN),
        status("y-maintenance", answer(0, FREE), State.MAINTENANCE),
        status("x-full", answer(0, full)),
        status("w-overloaded", answer(0, FREE), State.OVERLOADED),
        status("v-laptop", answer(0)),
        status("u-half", answer(0, HALF)),
        status("t-two", answer(0, FREE)),
        status("s-one", answer(0, FREE[:1])),
        status("r-stale", None),
    ]
    ordered = suggest(servers)
    assert [server.name for server in ordered] == [
        "t-two", "s-one", "u-half", "v-laptop", "x-full", "w-overloaded", "r-stale", "z-down", "y-maintenance",
    ]  # fmt: skip
    assert [server.suggested for server in ordered] == [True, *[False] * 8]


def test_where_nothing_is_free_nothing_is_suggested() -> None:
    taken = answer(0, (gpu(0, 100, 0.5),))
    ordered = suggest([status("a", None, State.DOWN), status("b", taken), status("c", None)])
    assert [server.name for server in ordered] == ["b", "c", "a"]
    assert not any(server.suggested for server in ordered)
    assert suggest([]) == []


def test_rows_do_not_jump_with_every_reading() -> None:
    def order(first: float, second: float) -> list[str]:
        servers = [status("b", answer(0, FREE, cpu=first)), status("a", answer(0, FREE, cpu=second))]
        return [server.name for server in suggest(servers)]

    assert order(3, 9) == order(9, 3) == ["a", "b"]


_EXTREMES: dict[Any, list[Any]] = {
    float: [None, 0.0, 1e-300, 99.99, 1e9, float("inf"), float("nan")],
    int: [None, 0, 1, 64, 2**31],
    str: [None, "", "kim", "\x1b[31m\u202e", "x" * 10_000],
    datetime: [None, START, START.replace(year=2000), START.replace(year=2199), START.replace(year=9000)],
}


def any_of(model: type[BaseModel], random: Random, **given: object) -> dict[str, Any]:
    """Content of `model` with extreme values, for the fields of simple types."""
    content: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        kinds = get_args(field.annotation) or (field.annotation,)
        if values := next((_EXTREMES[kind] for kind in kinds if kind in _EXTREMES), None):
            value = random.choice(values)
            if value is not None:
                content[name] = value
    return {**content, **given}


def test_whatever_a_server_says_has_a_verdict_and_a_row() -> None:
    random, judged = Random(1), 0
    for _ in range(1000):
        gpus = [
            any_of(
                GpuReading,
                random,
                index=index,
                processes=random.choice([None, [], [any_of(GpuProcess, random, pid=1)]]),
                throttle_reasons=random.choice([None, [], ["", "heat"]]),
            )
            for index in range(random.choice([0, 1, 2, 9]))
        ]
        host = any_of(HostReading, random, pressure=any_of(Pressure, random))
        content = any_of(Snapshot, random, server="ada", host=random.choice([None, host]), failure=None)
        trace = [
            Snapshot.model_validate({**content, "at": moment(at), "gpus": random.choice([None, gpus])})
            for at in (0, 15, 30, 600, 615)
        ]
        verdict = judge(past_of(trace, INTERVAL), moment(616), INTERVAL)
        assert verdict.reason.isprintable()
        status = ServerStatus(name="ada", verdict=verdict, snapshot=trace[-1])
        [shown] = suggest([status])
        servers_table([shown]).model_dump_json()
        metrics_text([trace[-1]])
        judged += verdict.state is not State.STALE
    assert judged == 1000
