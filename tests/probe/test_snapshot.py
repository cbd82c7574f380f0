"""What another machine may say of itself, and what is kept of it."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from backend.probe.snapshot import GpuProcess, GpuReading, HostReading, Process, Snapshot

AT = datetime(2026, 3, 4, 12, tzinfo=UTC)
HOSTILE = "\x1b]0;owned\x07kim\u202e"


def snapshot(**content: Any) -> Snapshot:
    return Snapshot.model_validate_json(
        json.dumps({"server": "ada", "at": "2026-03-04T12:00:00Z", **content}, allow_nan=True)
    )


def gpu(**content: Any) -> GpuReading:
    [reading] = snapshot(gpus=[{"index": 0, **content}]).gpus or ()
    return reading


def test_text_is_shown_as_text() -> None:
    told = snapshot(
        gpu_fault=HOSTILE,
        failure_text=HOSTILE,
        host={"top": [{"pid": 1, "user": HOSTILE, "command": f"{HOSTILE} -phunter2"}]},
        gpus=[
            {
                "index": 0,
                "uuid": HOSTILE,
                "name": HOSTILE,
                "fault": HOSTILE,
                "throttle_reasons": [HOSTILE],
                "processes": [{"pid": 1, "user": HOSTILE, "command": f"python {HOSTILE}"}],
            }
        ],
    )
    text = told.model_dump_json()
    assert "kim" in text
    assert text.isprintable()
    assert "hunter2" not in text
    assert Snapshot.model_validate_json(text) == told


def test_text_from_this_machine_is_bounded_too() -> None:
    process = GpuProcess(pid=1, user="\udcffkim", command="python a\udcff.py")
    assert (process.user, process.command) == ("�kim", "python")
    assert GpuReading(index=0, name="x" * 1000).name == "x" * 63 + "…"


def test_a_whole_command_line_of_an_older_release_is_shortened() -> None:
    assert Process(pid=1, command="python train.py --password hunter2").command == "python train.py"
    assert Process(pid=1, command="=hunter2").command is None


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), -1, 1e300, -1e300, 10**400])
def test_a_number_out_of_its_range_is_not_known(value: float) -> None:
    fields = ("utilization_percent", "memory_used_mib", "memory_total_mib", "power_w", "power_limit_w")
    reading = gpu(**dict.fromkeys(fields, value), temperature_c=value * 1000)
    assert reading == GpuReading(index=0)
    names = [
        "cpu_percent", "load_1min", "memory_total_mib", "memory_available_mib", "swap_used_mib", "disk_free_gib"
    ]  # fmt: skip
    told = snapshot(
        host={
            **dict.fromkeys(names, value),
            "pressure": {"cpu_some_percent": value},
            "top": [{"pid": 1, "cpu_percent": value, "memory_mib": value}],
        },
        gpu_fault_seconds=value,
    )
    assert told.host == HostReading(top=(Process(pid=1),))
    assert told.gpu_fault_seconds is None


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_a_start_that_cannot_be_is_not_known(moment: str) -> None:
    assert snapshot(host={"booted_at": moment, "cpu_percent": 5}).host == HostReading(cpu_percent=5)


@pytest.mark.parametrize("cores", [0, -1, 10**9])
def test_a_count_that_cannot_be_is_not_known(cores: int) -> None:
    told = snapshot(host={"cpu_count": cores}).host
    assert told
    assert told.cpu_count is None


def test_fractions_stay_between_nothing_and_everything() -> None:
    assert gpu(memory_used_mib=200, memory_total_mib=100).memory_used_fraction == 1
    assert HostReading(memory_total_mib=100, memory_available_mib=200).memory_used_fraction == 0


@pytest.mark.parametrize(
    "content",
    [
        {"gpus": [{"index": place} for place in range(65)]},
        {"gpus": [{"index": 3}, {"index": 3}]},
        {"gpus": [{"index": -1}]},
        {"gpus": [{"index": 0, "processes": [{"pid": -1}]}]},
        {"gpus": [{"index": 0, "utilization_percent": "much"}]},
        {"host": {"cpu_count": 1.5}},
        {"host": []},
        {"at": "9" * 40},
        {"at": None},
    ],
)
def test_nonsense_is_no_snapshot(content: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        snapshot(**content)


def test_long_lists_are_shortened() -> None:
    told = snapshot(
        host={"top": [{"pid": pid} for pid in range(5000)]},
        gpus=[{"index": 0, "throttle_reasons": ["heat"] * 5000}],
    )
    assert told.host
    assert len(told.host.top) == 16
    assert told.gpus
    assert told.gpus[0].throttle_reasons == ("heat",) * 8


def test_of_many_processes_the_largest_of_each_user_stay() -> None:
    many = [{"pid": pid, "user": "kim", "memory_mib": pid} for pid in range(5000)]
    few = [{"pid": 9000, "user": "lee"}, {"pid": 9001}]
    [first, second] = (
        snapshot(gpus=[{"index": 0, "processes": many + few}, {"index": 1, "processes": few}]).gpus or ()
    )
    assert first.processes
    assert [process.pid for process in first.processes[:3]] == [4999, 9000, 9001]
    assert [process.pid for process in first.processes[3:]] == [4998 - place for place in range(125)]
    assert [process.pid for process in second.processes or ()] == [9000, 9001]


def test_the_largest_reading_is_bounded() -> None:
    text = "X" * 5000
    process = {"pid": 2**32 - 1, "user": text, "command": f"python {'x' * 80}", "memory_mib": 1e9 / 3}
    reading = {
        "uuid": text, "name": text, "fault": text, "throttle_reasons": [text] * 99, "processes": [process] * 99,
        **dict.fromkeys(("utilization_percent", "temperature_c"), 100 / 3),
        **dict.fromkeys(("memory_used_mib", "memory_total_mib", "power_w", "power_limit_w"), 1e5 / 3),
    }  # fmt: skip
    told = snapshot(
        gpu_fault=text,
        failure_text=text,
        host={"top": [process] * 99},
        gpus=[{"index": place, **reading} for place in range(64)],
    )
    assert len(told.model_dump_json()) < 160_000


def test_what_is_told_beside_the_readings_is_bounded() -> None:
    told = snapshot(
        host={
            "not_answering": {"disk": 40, HOSTILE: 1, "x": float("nan"), "y": -1, "z": "no"},
            "hidden": [HOSTILE, *["x" * 1000] * 10],
        },
        other_gpus={f"maker {i}": i for i in range(100)},
    )
    assert told.host
    assert told.host.not_answering["disk"] == 40
    assert len(told.host.not_answering) == 2
    assert "".join(told.host.not_answering).isprintable()
    assert len(told.host.hidden) == 4
    assert all(len(words) <= 100 and words.isprintable() for words in told.host.hidden)
    assert len(told.other_gpus) == 8
    assert snapshot(other_gpus="many", host={"not_answering": None}).other_gpus == {}


def test_instances_of_a_gpu_are_bounded() -> None:
    processes = [{"pid": pid, "user": "kim", "memory_mib": pid} for pid in range(1, 1000)]
    divided = gpu(instances=[{"uuid": HOSTILE, "processes": processes}] * 100, processes=processes)
    assert len(divided.instances or ()) == 16
    kept = [len(part.processes or ()) for part in (divided, *(divided.instances or ()))]
    assert sum(kept) <= 256
    assert all(kept)
