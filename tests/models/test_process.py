"""How a training gives way to other work."""

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from models.process import _lower_session, lower_priority


@pytest.fixture(autouse=True)
def _as_in_a_lab(monkeypatch: pytest.MonkeyPatch) -> None:
    """In all other tests jobs leave their session as it is."""
    monkeypatch.setattr("models.process._lower_session", _lower_session)


def test_a_lowered_process_stays_lowered() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        lower_priority(process.pid)
        assert psutil.Process(process.pid).nice() == 10
        score = Path(f"/proc/{process.pid}/oom_score_adj")
        if score.exists():
            assert score.read_text().strip() == "500"
            score.write_text("900")
        os.setpriority(os.PRIO_PROCESS, process.pid, 15)
        lower_priority(process.pid)
        assert psutil.Process(process.pid).nice() == 15
        assert not score.exists() or score.read_text().strip() == "900"
        process.kill()


@pytest.mark.parametrize("leads", [True, False])
def test_a_session_is_lowered_with_the_process_that_leads_it_and_with_no_other(leads: bool) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, start_new_session=leads
    ) as process:
        group = Path(f"/proc/{process.pid}/autogroup")
        # Where the kernel groups no processes by session the file is missing, or empty as in some containers.
        before = group.read_text() if group.exists() else ""
        lower_priority(process.pid)
        after = group.read_text() if group.exists() else ""
        process.kill()
    if not before:
        pytest.skip("the kernel knows no groups by session")
    assert after.endswith("nice 10\n" if leads else before)


_AS_AN_ORDINARY_USER = """
import ctypes, subprocess, sys
from pathlib import Path
from models.process import lower_priority

libc = ctypes.CDLL(None)
header = (ctypes.c_uint32 * 2)(0x20080522, 0)
sets = (ctypes.c_uint32 * 6)()
libc.capget(header, sets)
sets[0] &= ~(1 << 21)
libc.capset(header, sets)
started = [
    subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, start_new_session=True)
    for _ in range(4)
]
for process in started:
    lower_priority(process.pid)
groups = [Path(f"/proc/{process.pid}/autogroup") for process in started]
print(*{group.read_text().partition(" ")[2].strip() for group in groups if group.exists()}, sep=";")
for process in started:
    process.kill()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the capabilities of Linux")
def test_an_ordinary_user_lowers_several_sessions_at_once() -> None:
    told = subprocess.run(
        [sys.executable, "-c", _AS_AN_ORDINARY_USER], check=True, capture_output=True, text=True
    ).stdout.strip()
    if not told:
        pytest.skip("the kernel knows no groups by session")
    assert told == "nice 10"


def test_a_process_that_has_ended_is_no_error() -> None:
    with subprocess.Popen(["true"]) as process:
        process.wait()
    lower_priority(process.pid)
