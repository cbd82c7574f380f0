import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux keeps these limits")

LOOK = """
import os, resource, subprocess, sys
from models.limits import keep_limits, keep_to_processors, processors
keep_limits()
keep_to_processors()
keep_to_processors()
print(processors(), len(os.sched_getaffinity(0)), os.environ.get("OMP_NUM_THREADS"), resource.getrlimit(resource.RLIMIT_DATA)[0])
child = subprocess.run(
    [sys.executable, "-c", "import os; print(len(os.sched_getaffinity(0))); bytes(2 << 30)"],
    capture_output=True, text=True,
)
print(child.stdout.strip(), child.stderr.strip().splitlines()[-1:])
"""


def look(**variables: str) -> list[str]:
    plain = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    done = subprocess.run(
        [sys.executable, "-c", LOOK], env=plain | variables, capture_output=True, text=True, check=True
    )
    return done.stdout.splitlines()


def test_a_process_and_its_children_stay_within_the_limits() -> None:
    limited = look(SHEETRACK_JOB="r000001", SHEETRACK_THREADS="1", SHEETRACK_MEMORY_GIB="1.5")
    assert limited == [f"1 1 1 {3 << 29}", "1 ['MemoryError']"]


def test_without_limits_nothing_changes() -> None:
    unlimited, _ = look()
    assert unlimited.split()[:3] == [str(len(os.sched_getaffinity(0)))] * 2 + ["None"]
