"""GPUs as a snapshot has them: the driver may hang, crash, be slow or go."""

import getpass
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.patience import PATIENCE_SECONDS
from tests.probe.fake_gpus import FakeGpus, talking

SAMPLER = """
import sys
from pathlib import Path
from backend.probe import accelerators, background, gpu_reader, machine
background.PATIENCE_SECONDS = float(sys.argv[1])
gpu_reader.RESTART_SECONDS = 0.2
machine.accelerators = lambda: accelerators.Accelerators(int(sys.argv[2]), False, {})
from backend.probe.sampler import Sampler
with Sampler("here", Path("/")) as probe:
    for _ in sys.stdin:
        print(probe.sample().model_dump_json(), flush=True)
"""

Snapshot = dict[str, Any]
Sample = Callable[[Callable[[Snapshot], object]], Snapshot]
"""The first snapshot that is as wanted."""


@pytest.fixture
def patience_seconds() -> float:
    return 2


@pytest.fixture
def nvidia_gpus() -> int:
    """How many the PCI bus has."""
    return 0


@pytest.fixture
def sample(fake_gpus: FakeGpus, patience_seconds: float, nvidia_gpus: int) -> Iterator[Sample]:
    """Snapshots of this machine by a sampler that lives as long as the test."""
    with talking(SAMPLER, fake_gpus, str(patience_seconds), str(nvidia_gpus)) as process:

        def sampled(wanted: Callable[[Snapshot], object]) -> Snapshot:
            for _ in range(20 * PATIENCE_SECONDS):
                snapshot: Snapshot = json.loads(process.ask("sample"))
                if wanted(snapshot):
                    return snapshot
                time.sleep(0.05)
            raise AssertionError(snapshot)

        yield sampled
        fake_gpus.become("gpus=1")


def use(snapshot: Snapshot) -> list[float | None]:
    return [gpu["utilization_percent"] for gpu in snapshot["gpus"] or ()]


def faults(snapshot: Snapshot) -> list[str | None]:
    return [gpu["fault"] for gpu in snapshot["gpus"] or ()]


def test_a_server_without_a_driver_has_no_gpu(fake_gpus: FakeGpus, sample: Sample) -> None:
    fake_gpus.become("init.error=12")
    snapshot = sample(lambda snapshot: snapshot["gpus"] is not None)
    assert (snapshot["gpus"], snapshot["gpu_fault"], snapshot["other_gpus"]) == ([], None, {})


@pytest.mark.parametrize("nvidia_gpus", [2])
def test_gpus_without_a_driver_are_named(fake_gpus: FakeGpus, sample: Sample) -> None:
    fake_gpus.become("init.error=12")
    snapshot = sample(lambda snapshot: snapshot["gpus"] is not None)
    assert (snapshot["gpus"], snapshot["gpu_fault"]) == ([], None)
    assert snapshot["other_gpus"] == {"NVIDIA": 2}


@pytest.mark.parametrize("nvidia_gpus", [0, 2])
def test_a_driver_that_is_not_loaded(fake_gpus: FakeGpus, sample: Sample, nvidia_gpus: int) -> None:
    fake_gpus.become("init.error=9")
    snapshot = sample(lambda snapshot: snapshot["gpus"] is not None or snapshot["gpu_fault"])
    assert snapshot["gpu_fault"] == ("GPU driver not loaded" if nvidia_gpus else None)
    assert snapshot["gpus"] == (None if nvidia_gpus else [])


def test_gpus_that_were_there_do_not_just_vanish(fake_gpus: FakeGpus, sample: Sample) -> None:
    fake_gpus.become("gpus=2")
    sample(lambda snapshot: len(snapshot["gpus"] or ()) == 2)
    fake_gpus.become("count.error=1", "init.error=9")
    assert sample(lambda snapshot: snapshot["gpu_fault"] == "GPU driver not loaded")["gpus"] is None


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("init.error=18", "GPU driver not working (updated: restart the server)"),
        ("init.error=999", "GPU driver not working (Unknown Error)"),
        ("count.error=1", "GPU driver not working (Fake Error)"),
    ],
)
def test_a_broken_driver_is_no_empty_list(fake_gpus: FakeGpus, sample: Sample, line: str, fault: str) -> None:
    fake_gpus.become(line)
    assert sample(lambda snapshot: snapshot["gpu_fault"] == fault)["gpus"] is None
    fake_gpus.become("gpus=2")
    assert sample(lambda snapshot: len(snapshot["gpus"] or ()) == 2)["gpu_fault"] is None


def test_a_reloaded_driver_is_opened_again(fake_gpus: FakeGpus, sample: Sample) -> None:
    fake_gpus.become("gpus=2")
    sample(lambda snapshot: use(snapshot) == [0, 0])
    fake_gpus.become("gpus=2", "handle.error=1")
    sample(lambda snapshot: all(faults(snapshot)))
    fake_gpus.become("gpus=4", "generation=1")
    after = sample(lambda snapshot: use(snapshot) == [0] * 4)
    assert faults(after) == [None] * 4
    assert [gpu["uuid"] for gpu in after["gpus"]] == [f"GPU-fake-{i}" for i in range(100, 104)]


@pytest.mark.parametrize("patience_seconds", [600])
@pytest.mark.parametrize("nvidia_gpus", [1])
def test_gpus_that_are_not_read_yet_are_not_none(fake_gpus: FakeGpus, sample: Sample) -> None:
    fake_gpus.become("hang=1")
    first = sample(lambda _: True)
    assert (first["gpus"], first["gpu_fault"]) == (None, None)
    assert first["host"]["memory_total_mib"] > 0
    fake_gpus.become("gpus=1")
    assert use(sample(lambda snapshot: snapshot["gpus"])) is not None


def test_a_driver_that_hangs_leaves_the_host_readings(fake_gpus: FakeGpus, sample: Sample) -> None:
    fake_gpus.become("gpus=2")
    sample(lambda snapshot: use(snapshot) == [0, 0])
    fake_gpus.become("gpus=2", "hang=1")
    hung = sample(lambda snapshot: snapshot["gpu_fault"])
    assert hung["gpu_fault"] == "GPU driver not answering"
    assert hung["gpu_fault_seconds"] >= 2
    assert hung["gpus"] is None
    assert hung["host"]["memory_total_mib"] > 0
    fake_gpus.become("gpus=3")
    assert sample(lambda snapshot: len(snapshot["gpus"] or ()) == 3)["gpu_fault"] is None


def test_one_gpu_that_hangs_hides_no_other(fake_gpus: FakeGpus, sample: Sample) -> None:
    fake_gpus.become("gpus=3", "utilization=5")
    sample(lambda snapshot: use(snapshot) == [5, 5, 5])
    fake_gpus.become("gpus=3", "utilization=9", "hang.1=1")
    hung = sample(lambda snapshot: any(faults(snapshot)) and use(snapshot)[0] == 9)
    assert faults(hung) == [None, "not answering", None]
    assert use(hung) == [9, None, 9]
    assert hung["gpus"][1]["fault_seconds"] >= 2
    assert (hung["gpus"][1]["uuid"], hung["gpus"][1]["name"]) == ("GPU-fake-1", "Fake GPU 1")
    assert hung["gpu_fault"] is None
    fake_gpus.become("gpus=3", "utilization=11")
    assert faults(sample(lambda snapshot: use(snapshot) == [11, 11, 11])) == [None] * 3


def test_a_gpu_that_hangs_at_first_is_not_known_and_later_a_fault(
    fake_gpus: FakeGpus, sample: Sample
) -> None:
    fake_gpus.become("gpus=2", "utilization=5", "hang.1=1")
    first = sample(lambda snapshot: use(snapshot) == [5, None])
    assert faults(first)[0] is None
    sample(lambda snapshot: faults(snapshot) == [None, "not answering"])


@pytest.mark.parametrize("patience_seconds", [2.2])
def test_a_slow_gpu_does_not_flicker(fake_gpus: FakeGpus, sample: Sample) -> None:
    """Slower than one waits, and nearly as slow as one has patience."""
    fake_gpus.become("gpus=2", "utilization=5", "slow.1=2000")
    sample(lambda snapshot: use(snapshot) == [5, 5])
    seen = []

    def is_enough(snapshot: Snapshot) -> bool:
        seen.append((use(snapshot), faults(snapshot)))
        return len(seen) == 60

    aged = sample(is_enough)
    assert seen == [([5, 5], [None, None])] * 60
    assert aged["gpus"][1]["age_seconds"] >= 2


def test_a_gpu_that_crashes_the_driver_hides_no_other(fake_gpus: FakeGpus, sample: Sample) -> None:
    fake_gpus.become("gpus=3", "utilization=5")
    sample(lambda snapshot: use(snapshot) == [5, 5, 5])
    fake_gpus.become("gpus=3", "utilization=9", "crash.1=1")
    seen = []

    def is_isolated(snapshot: Snapshot) -> bool:
        seen.append(snapshot["gpus"] is not None and snapshot["host"]["memory_total_mib"] > 0)
        return use(snapshot) == [9, None, 9] and any(faults(snapshot))

    crashed = sample(is_isolated)
    assert all(seen)
    assert faults(crashed) == [None, "GPU driver crashes (SIGSEGV)", None]
    assert crashed["gpus"][1]["uuid"] == "GPU-fake-1"
    fake_gpus.become("gpus=3", "utilization=11")
    assert faults(sample(lambda snapshot: use(snapshot) == [11, 11, 11])) == [None] * 3


def test_memory_that_is_the_machines(fake_gpus: FakeGpus, sample: Sample) -> None:
    fake_gpus.become("memory.error=3", f"pid={os.getpid()}", "pid_memory=700")
    snapshot = sample(lambda snapshot: snapshot["gpus"])
    [gpu] = snapshot["gpus"]
    assert gpu["fault"] is None
    assert gpu["memory_used_mib"] == 700
    assert gpu["memory_total_mib"] == snapshot["host"]["memory_total_mib"]


def test_who_uses_a_gpu(fake_gpus: FakeGpus, sample: Sample) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    fake_gpus.become("gpus=2", f"pid.0={os.getpid()}", f"pid.1={gone.pid}")
    snapshot = sample(
        lambda s: s["gpus"] and s["gpus"][0]["processes"] and s["gpus"][0]["processes"][0]["user"]
    )
    [ours], [ended] = snapshot["gpus"][0]["processes"], snapshot["gpus"][1]["processes"]
    assert ours["user"] == getpass.getuser()
    assert "python" in ours["command"]  # a worker of the tests is `python -c`
    assert ours["memory_mib"] == 1024
    assert (ended["user"], ended["command"]) == (None, None)


def test_no_process_stays_behind(fake_gpus: FakeGpus) -> None:
    fake_gpus.become("gpus=2", "hang.1=1")
    script = SAMPLER.replace("for _ in sys.stdin", "for _ in range(3)").replace(
        "with Sampler", "import os\nwith Sampler"
    )
    script += "print(open(f'/proc/self/task/{os.getpid()}/children').read().split())\n"
    done = subprocess.run(
        [sys.executable, "-c", script, "2", "0"],
        env=fake_gpus.environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=PATIENCE_SECONDS,
    )
    assert done.stdout.splitlines()[-1] == "[]"
