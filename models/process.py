"""Processes: how `python -m models` is started, gives way to other work, and is told from all others.

Needs no torch.
"""

import ctypes
import os
import shutil
import signal
import socket
import sys
import time
from contextlib import suppress
from pathlib import Path

from pydantic import BaseModel, ConfigDict

OPENMP = {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "1000"}
"""For the library that divides work among threads, which reads it once, when torch is imported.

Threads that wait for each other look a thousand times, some microseconds, and then sleep. By default they look for
milliseconds, which on a shared machine takes several times as long; with no look at all, a network of small layers
takes a third longer on an idle one.
"""
_NICENESS = 10
_OOM_SCORE = 500
_TRIES = 20
_MOST_COMMAND = 300
_PR_SET_PDEATHSIG = 1


def command(*arguments: str, python: str = sys.executable) -> list[str]:
    """The command line of `python -m models`.

    With -P, Python does not look for `models` in the working directory, which may hold a stranger's.
    """
    return [python, "-P", "-m", "models", *arguments]


def lower_priority(pid: int) -> None:
    """Lets other processes go first, and be spared where memory runs out; raises nothing."""
    with suppress(OSError):
        niceness = max(_NICENESS, os.getpriority(os.PRIO_PROCESS, pid))
        os.setpriority(os.PRIO_PROCESS, pid, niceness)
        # Linux divides the processors among sessions first: one that leads a session gives way to no other session.
        if os.getsid(pid) == pid:
            _lower_session(pid, niceness)
    score = Path(f"/proc/{pid}/oom_score_adj")
    with suppress(OSError):
        score.write_text(str(max(_OOM_SCORE, int(score.read_text()))))


def _lower_session(pid: int, niceness: int) -> None:
    for _ in range(_TRIES):
        with suppress(BlockingIOError):
            Path(f"/proc/{pid}/autogroup").write_text(str(niceness))
            break
        # The kernel does this for ordinary users ten times a second at most, on the whole machine.
        time.sleep(0.11)


def end_with_parent() -> None:
    """Has the kernel kill this process when its parent is killed. Linux only."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class Identity(BaseModel):
    """A process, told from all others.

    A PID alone means another process on another machine, in another container, after a reboot or later.
    """

    model_config = ConfigDict(frozen=True)

    pid: int
    started: int
    """When the process started, in clock ticks since the boot: setting the clock does not change it."""
    boot: str
    """The boot of the machine; empty where the system does not tell."""
    namespace: str
    """Where the PID counts: containers on one machine have a namespace each."""
    host: str
    command: str
    """For people."""

    @property
    def is_alive_here(self) -> bool:
        """Whether this very process exists on this machine, where this process sees it."""
        try:
            present = identify(self.pid)
        except (OSError, ValueError):
            return False
        return (self.started, self.boot, self.namespace) == (present.started, present.boot, present.namespace)

    @property
    def is_of_here(self) -> bool:
        """Whether its PID counts where this process runs."""
        return (self.boot, self.namespace) == _place()


def identify(pid: int) -> Identity:
    """The identity of a process here.

    Raises:
        ProcessLookupError: there is no such process.
    """
    boot, namespace = _place()
    started, arguments = _started(pid)
    words = " ".join(arguments.split())[:_MOST_COMMAND]
    return Identity(
        pid=pid, started=started, boot=boot, namespace=namespace, host=socket.gethostname(), command=words
    )


def _place() -> tuple[str, str]:
    """The boot of this machine, and the namespace of its PIDs."""
    boot = namespace = ""
    with suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        namespace = os.readlink("/proc/self/ns/pid")  # noqa: PTH115 - no path, `pid:[4026531836]`
    return boot, namespace


def _started(pid: int) -> tuple[int, str]:
    """The start of a process and its command line."""
    if sys.platform != "linux":
        return _started_elsewhere(pid)
    try:
        facts = Path(f"/proc/{pid}/stat").read_text(errors="replace")
        arguments = Path(f"/proc/{pid}/cmdline").read_bytes()
    except FileNotFoundError:
        raise ProcessLookupError(f"there is no process {pid}") from None
    # The name of the program comes first, in brackets, and may hold brackets itself.
    return int(facts.rpartition(")")[2].split()[19]), arguments.replace(b"\0", b" ").decode(errors="replace")


def _started_elsewhere(pid: int) -> tuple[int, str]:
    import psutil  # noqa: PLC0415 - Linux needs it not

    try:
        process = psutil.Process(pid)
        return int(process.create_time()), " ".join(process.cmdline())
    except psutil.Error:
        raise ProcessLookupError(f"there is no process {pid}") from None


NO_COMPILER = (
    "there is no C compiler: trainings on the processor take several times as long (apt-get install gcc)"
)


def c_compiler() -> str | None:
    """The full path of the C compiler, with which trainings on a processor are several times as fast."""
    return next(filter(None, map(shutil.which, ("cc", "gcc", "clang"))), None)
