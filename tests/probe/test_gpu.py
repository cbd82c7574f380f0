"""The fields of one GPU over a stand-in for the driver's library, in a process that loads it."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.probe.fake_gpus import FakeGpus, Talk, compiled_nvml, talking

PROBE = """
import json, sys
from backend.probe.gpu import read_gpu
from backend.probe.nvml import Nvml
for line in sys.stdin:
    if line == "begin\\n":
        nvml, before = Nvml(), {}
        nvml.open()
    else:
        before = {i: read_gpu(nvml, i, before.get(i, {})) for i in range(nvml.count())}
        print(json.dumps(list(before.values())), flush=True)
"""

Read = Callable[[], list[dict[str, Any]]]


@pytest.fixture(scope="module")
def gpus(nvml_library: Path, tmp_path_factory: pytest.TempPathFactory) -> FakeGpus:
    return FakeGpus(nvml_library, tmp_path_factory.mktemp("gpus") / "gpus")


@pytest.fixture(scope="module")
def process(gpus: FakeGpus) -> Iterator[Talk]:
    with talking(PROBE, gpus) as talk:
        yield talk


@pytest.fixture
def read(process: Talk) -> Read:
    """Reads all GPUs within a session with the driver that lives as long as the test."""
    process.tell("begin")
    return lambda: json.loads(process.ask("read"))


@pytest.mark.parametrize("count", [0, 1, 8, 16])
def test_every_gpu_is_read(gpus: FakeGpus, read: Read, count: int) -> None:
    gpus.become(f"gpus={count}", "memory_used=2048", *(f"utilization.{i}={5 * i}" for i in range(count)))
    readings = read()
    assert [gpu["utilization_percent"] for gpu in readings] == [5 * i for i in range(count)]
    assert [gpu["name"] for gpu in readings] == [f"Fake GPU {i}" for i in range(count)]
    assert all(gpu["memory_used_mib"] == 2048 and gpu["memory_total_mib"] == 81920 for gpu in readings)
    assert all(gpu["power_limit_w"] == 700 and gpu["temperature_c"] == 40 for gpu in readings)


FIELDS = {
    "name": ["name"],
    "uuid": ["uuid"],
    "utilization": ["utilization_percent"],
    "memory": ["memory_used_mib", "memory_total_mib"],
    "temperature": ["temperature_c"],
    "power": ["power_w"],
    "power_limit": ["power_limit_w"],
    "throttle": ["throttle_reasons"],
    "processes": ["processes"],
    "ecc": ["ecc_uncorrected"],
    "rows": ["rows_pending", "rows_failed"],
}


@pytest.mark.parametrize("failing", FIELDS)
@pytest.mark.parametrize("error", [3, 4, 999], ids=["not-supported", "no-permission", "unknown"])
def test_a_field_that_fails_hides_nothing_else(gpus: FakeGpus, read: Read, failing: str, error: int) -> None:
    gpus.become("gpus=2", f"{failing}.1.error={error}")
    whole, partial = read()
    assert {name for name, value in partial.items() if value is None} == {*FIELDS[failing], "fault"}
    assert {name for name, value in whole.items() if value is None} == {"fault"}


@pytest.mark.parametrize("options", [["-DBEFORE_510"], ["-DBEFORE_510", "-DBEFORE_450"]], ids=["470", "440"])
def test_a_driver_without_the_newer_symbols(tmp_path: Path, options: list[str]) -> None:
    gpus = FakeGpus(compiled_nvml(tmp_path, *options), tmp_path / "gpus")
    gpus.become("gpus=2", "utilization=7", "memory_used=512", "throttle=40", "pid.1=4242")
    with talking(PROBE, gpus) as process:
        process.tell("begin")
        readings = json.loads(process.ask("read"))
    assert [gpu["fault"] for gpu in readings] == [None, None]
    assert [gpu["utilization_percent"] for gpu in readings] == [7, 7]
    assert [gpu["memory_used_mib"] for gpu in readings] == [512, 512]
    assert readings[0]["throttle_reasons"] == ["hardware slowdown", "heat"]
    assert [gpu["processes"] for gpu in readings] == [[], [{"pid": 4242, "memory_mib": 1024}]]


def test_a_driver_that_answers_that_newer_functions_are_missing(gpus: FakeGpus, read: Read) -> None:
    gpus.become("old=1", "memory_used=512", "throttle=40")
    [gpu] = read()
    assert gpu["memory_used_mib"] == 512
    assert gpu["throttle_reasons"] == ["hardware slowdown", "heat"]


def test_sentinels_are_not_numbers(gpus: FakeGpus, read: Read) -> None:
    gpus.become("memory_used=-1", "memory_total=-1", "utilization=101", "pid=1", "pid_memory=-1")
    [gpu] = read()
    assert gpu["memory_used_mib"] is None
    assert gpu["memory_total_mib"] is None
    assert gpu["utilization_percent"] is None
    assert gpu["processes"][0]["memory_mib"] is None


def test_errors_of_its_memory(gpus: FakeGpus, read: Read) -> None:
    gpus.become("gpus=2", "ecc.1=3", "rows_pending.1=1", "rows_failed.0=1")
    known = [(gpu["ecc_uncorrected"], gpu["rows_pending"], gpu["rows_failed"]) for gpu in read()]
    assert known == [(0, False, True), (3, True, False)]


def test_a_process_that_draws_is_marked_unless_it_computes_as_well(gpus: FakeGpus, read: Read) -> None:
    gpus.become("pid=7", "drawing_pid=8")
    assert read()[0]["processes"] == [
        {"pid": 7, "memory_mib": 1024}, {"pid": 8, "memory_mib": 300, "graphics": True}
    ]  # fmt: skip
    gpus.become("pid=7", "drawing_pid=7")
    assert read()[0]["processes"] == [{"pid": 7, "memory_mib": 1024}]


def test_a_divided_gpu_has_instances(gpus: FakeGpus, read: Read) -> None:
    gpus.become(
        "gpus=2", "mig.0=7", "mig_used.0=3", "pid.0=4242", "utilization.0.error=3", "memory.0.error=4"
    )
    divided, whole = read()
    assert divided["fault"] is None
    assert divided["utilization_percent"] is None
    assert [part["uuid"] for part in divided["instances"]] == [f"MIG-fake-0-{i}" for i in range(7)]
    assert [part["memory_used_mib"] for part in divided["instances"]] == [1000] * 3 + [0] * 4
    assert [len(part["processes"]) for part in divided["instances"]] == [1] * 3 + [0] * 4
    assert (divided["memory_used_mib"], divided["memory_total_mib"]) == (3000, 7 * 9728)
    assert "instances" not in whole


def test_what_is_not_supported_is_no_fault(gpus: FakeGpus, read: Read) -> None:
    gpus.become("gpus=2", *(f"{field}.0.error=3" for field in FIELDS))
    bare, whole = read()
    assert bare["fault"] is None
    assert bare["utilization_percent"] is None
    assert bare["shares_memory"]
    assert "shares_memory" not in whole


def test_a_lost_gpu_leaves_the_others(gpus: FakeGpus, read: Read) -> None:
    gpus.become("gpus=3")
    read()
    gpus.become("gpus=3", "lost.1=1", "utilization=7")
    readings = read()
    assert [gpu["fault"] for gpu in readings] == [None, "lost: fell off the bus", None]
    assert [gpu.get("utilization_percent") for gpu in readings] == [7, None, 7]
    assert readings[1]["uuid"] == "GPU-fake-1"


def test_a_gpu_that_answers_nothing_is_at_fault(gpus: FakeGpus, read: Read) -> None:
    gpus.become("gpus=2", *(f"{field}.0.error=999" for field in FIELDS))
    readings = read()
    assert readings[0]["fault"] == "not answering (Unknown Error)"
    assert readings[1]["fault"] is None


def test_names_are_those_of_the_gpus_that_are_there_now(gpus: FakeGpus, read: Read) -> None:
    gpus.become("gpus=2")
    assert [gpu["uuid"] for gpu in read()] == ["GPU-fake-0", "GPU-fake-1"]
    gpus.become("gpus=2", "generation=1")
    readings = read()
    assert [gpu["uuid"] for gpu in readings] == ["GPU-fake-100", "GPU-fake-101"]
    assert [gpu["name"] for gpu in readings] == ["Fake GPU 100", "Fake GPU 101"]
