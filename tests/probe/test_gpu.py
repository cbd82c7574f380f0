"""The real nvidia-ml-py over a stand-in for the driver's library, in a process of its own."""

import getpass
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import psutil
import pytest

from tests.patience import PATIENCE_SECONDS
from tests.probe.fake_gpus import FakeGpus

PROBE = """
import json, sys
from backend.probe.gpu import GpuProbe
for line in sys.stdin:
    if line == "begin\\n":
        probe = GpuProbe()
        continue
    gpus, fault = probe.read()
    gpus = None if gpus is None else [gpu.model_dump(mode="json") for gpu in gpus]
    print(json.dumps([gpus, fault]), flush=True)
"""

SAMPLER = """
import sys
from pathlib import Path
from backend.probe import sampler
sampler._PATIENCE_SECONDS = 2
with sampler.Sampler("here", Path("/")) as probe:
    for _ in sys.stdin:
        print(probe.sample().model_dump_json(), flush=True)
"""


Ask = Callable[[], Any]


@contextmanager
def running(script: str, gpus: FakeGpus) -> Iterator[tuple[IO[str], IO[str]]]:
    child = subprocess.Popen(
        [sys.executable, "-c", script],
        env=gpus.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdin
    assert child.stdout
    with child.stdout:
        with child.stdin:
            yield child.stdin, child.stdout
        assert child.wait(PATIENCE_SECONDS) == 0


@pytest.fixture(scope="module")
def gpus(nvml_library: Path, tmp_path_factory: pytest.TempPathFactory) -> FakeGpus:
    return FakeGpus(nvml_library, tmp_path_factory.mktemp("gpus") / "gpus")


@pytest.fixture(scope="module")
def probe_process(gpus: FakeGpus) -> Iterator[tuple[IO[str], IO[str]]]:
    with running(PROBE, gpus) as streams:
        yield streams


@pytest.fixture
def read(probe_process: tuple[IO[str], IO[str]]) -> Ask:
    """Reads all GPUs with a probe that lives as long as the test."""
    to_child, from_child = probe_process
    print("begin", file=to_child, flush=True)

    def ask() -> Any:
        print("read", file=to_child, flush=True)
        return json.loads(from_child.readline())

    return ask


@pytest.fixture
def sample(gpus: FakeGpus) -> Iterator[Ask]:
    """A snapshot of this machine by a sampler that lives as long as the test."""
    with running(SAMPLER, gpus) as (to_child, from_child):

        def ask() -> Any:
            print("sample", file=to_child, flush=True)
            return json.loads(from_child.readline())

        yield ask
        gpus.become("gpus=1")


def sampled(sample: Ask, wanted: Callable[[Any], bool]) -> Any:
    """The first snapshot that is as wanted."""
    for _ in range(PATIENCE_SECONDS * 20):
        snapshot = sample()
        if wanted(snapshot):
            return snapshot
        time.sleep(0.05)
    raise AssertionError(snapshot)


@pytest.mark.parametrize("count", [0, 1, 8, 16])
def test_every_gpu_is_read(gpus: FakeGpus, read: Ask, count: int) -> None:
    gpus.become(f"gpus={count}", "memory_used=2048", *(f"utilization.{i}={5 * i}" for i in range(count)))
    readings, fault = read()
    assert fault is None
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
}


@pytest.mark.parametrize("failing", FIELDS)
@pytest.mark.parametrize("error", [3, 4, 999], ids=["not-supported", "no-permission", "unknown"])
def test_a_field_that_fails_hides_nothing_else(gpus: FakeGpus, read: Ask, failing: str, error: int) -> None:
    gpus.become("gpus=2", f"{failing}.1.error={error}")
    (whole, partial), fault = read()
    assert fault is None
    assert {name for name, value in partial.items() if value is None} == {*FIELDS[failing], "fault"}
    assert {name for name, value in whole.items() if value is None} == {"fault"}


def test_an_older_driver(gpus: FakeGpus, read: Ask) -> None:
    gpus.become("old=1", "memory_used=512", "throttle=40")
    [gpu], _ = read()
    assert gpu["memory_used_mib"] == 512
    assert gpu["throttle_reasons"] == ["hardware slowdown", "heat"]


def test_sentinels_are_not_numbers(gpus: FakeGpus, read: Ask) -> None:
    gpus.become("memory_used=-1", "memory_total=-1", "utilization=101", "pid=1", "pid_memory=-1")
    [gpu], _ = read()
    assert gpu["memory_used_mib"] is None
    assert gpu["memory_total_mib"] is None
    assert gpu["utilization_percent"] is None
    assert gpu["processes"][0]["memory_mib"] is None


def test_a_divided_gpu_tells_no_use(gpus: FakeGpus, read: Ask) -> None:
    gpus.become("utilization.error=3", "memory.error=4", "power=300")
    [gpu], _ = read()
    assert (gpu["utilization_percent"], gpu["memory_used_mib"], gpu["power_w"]) == (None, None, 300)
    assert gpu["fault"] is None


def test_who_uses_a_gpu(gpus: FakeGpus, read: Ask) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    gpus.become("gpus=2", f"pid.0={os.getpid()}", f"pid.1={gone.pid}")
    readings, _ = read()
    [ours], [ended] = readings[0]["processes"], readings[1]["processes"]
    assert ours["user"] == getpass.getuser()
    assert Path(psutil.Process().cmdline()[0]).name in ours["command"]
    assert ours["memory_mib"] == 1024
    assert (ended["user"], ended["command"]) == (None, None)


def test_a_lost_gpu_leaves_the_others(gpus: FakeGpus, read: Ask) -> None:
    gpus.become("gpus=3")
    read()
    gpus.become("gpus=3", "lost.1=1", "utilization=7")
    readings, fault = read()
    assert fault is None
    assert [gpu["fault"] for gpu in readings] == [None, "lost: it fell off the bus", None]
    assert [gpu["utilization_percent"] for gpu in readings] == [7, None, 7]
    assert readings[1]["uuid"] == "GPU-fake-1"


def test_a_gpu_that_answers_nothing_is_at_fault(gpus: FakeGpus, read: Ask) -> None:
    gpus.become("gpus=2", *(f"{field}.0.error=999" for field in FIELDS))
    readings, _ = read()
    assert readings[0]["fault"] == "not answering (Unknown Error)"
    assert readings[1]["fault"] is None


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("init.error=18", "GPU driver was updated: restart the server"),
        ("init.error=999", "GPU driver not working (Unknown Error)"),
        ("count.error=1", "GPU driver not working (Uninitialized)"),
    ],
)
def test_a_broken_driver_is_no_empty_list(gpus: FakeGpus, read: Ask, line: str, fault: str) -> None:
    gpus.become(line)
    assert read() == [None, fault]
    gpus.become("gpus=2")
    readings, fault_after = read()
    assert (len(readings), fault_after) == (2, None)


def test_a_reloaded_driver_is_opened_again(gpus: FakeGpus, read: Ask) -> None:
    gpus.become("gpus=2")
    assert len(read()[0]) == 2
    gpus.become("gpus=2", "handle.error=1")
    assert all(gpu["fault"] for gpu in read()[0])
    gpus.become("gpus=4")
    readings, _ = read()
    assert [gpu["fault"] for gpu in readings] == [None] * 4


def test_no_driver_is_no_gpu(gpus: FakeGpus, read: Ask) -> None:
    gpus.become("init.error=12")
    assert read() == [[], None]


def test_a_driver_that_hangs_leaves_the_host_readings(gpus: FakeGpus, sample: Ask) -> None:
    gpus.become("gpus=2")
    assert len(sampled(sample, lambda snapshot: snapshot["gpus"])["gpus"]) == 2
    gpus.become("gpus=2", "hang=1")
    hung = sampled(sample, lambda snapshot: snapshot["gpu_fault"])
    assert hung["gpu_fault"] == "GPU driver not answering"
    assert hung["gpu_fault_seconds"] > 0
    assert hung["gpus"] is None
    assert hung["host"]["memory_total_mib"] > 0
    gpus.become("gpus=3")
    back = sampled(sample, lambda snapshot: len(snapshot["gpus"] or ()) == 3)
    assert back["gpu_fault"] is None


def test_a_driver_that_hangs_at_first_is_a_fault_later(gpus: FakeGpus, sample: Callable[[], Any]) -> None:
    gpus.become("hang=1")
    first = sample()
    assert (first["gpus"], first["gpu_fault"]) == (None, None)
    assert sampled(sample, lambda snapshot: snapshot["gpu_fault"])["gpus"] is None
