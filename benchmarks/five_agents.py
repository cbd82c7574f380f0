"""Five agents, five kinds of error, at the intervals of daily use: `python benchmarks/five_agents.py`.

Four minutes. A backend and five agents run as they do in a lab, but on loopback, with stand-in GPUs and replayed
pressure: the agents read it from a folder of their own instead of /proc/pressure.
"""

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import httpx

from backend.servers.state import ServerStatus
from backend.times import now

STUB = Path(__file__).parents[1] / "tests" / "probe" / "fake_nvml.c"
FIRST_PORT = 18031
LONGEST_SECONDS = 200
DOWN_SECONDS = 45
COMMAND = """
import sys
from functools import partial
from pathlib import Path
from backend.cli import main
from backend.probe import host
folder = Path(sys.argv.pop(1))
host._PRESSURE = folder
available_mib = host._available_mib
host._available_mib = lambda memory: (
    memory["MemTotal"] * float((folder / "available").read_text() or 0) or available_mib(memory)
)
main()
"""
GPUS = {
    "ada": ["gpus=8", "utilization.0=97", "memory_used.0=70000", f"pid.0={os.getpid()}"],
    "bell": ["gpus=4", "utilization=90", "memory_used=60000", "memory_used.3=0", "utilization.3=0"],
    "curie": ["gpus=1", "utilization=100", "memory_used=80000", "temperature=82"],
    "dirac": ["gpus=2", "memory_total=24576"],
    "euler": ["gpus=0"],
}
TROUBLES = {
    "ada": ("killed", "down: agent not answering (connection refused) since"),
    "bell": ("stopped (SIGSTOP)", "down: agent not answering since"),
    "curie": ("asks for another token", "stale: "),
    "dirac": ("its GPU driver hangs", "GPU driver not answering for"),
    "euler": ("memory pressure 23 %", "overloaded: memory pressure 23 % for 2 min"),
}


@dataclass
class Agent:
    """One `sheetrack agent`, and the files that decide what it sees."""

    folder: Path
    port: int
    gpus: list[str]
    process: subprocess.Popen[bytes] = field(init=False)

    def __post_init__(self) -> None:
        self.folder.mkdir()
        self.set_gpus()
        self.set_pressure(0)
        self.start("token")

    def start(self, token: str) -> None:
        environment = {
            **os.environ,
            "SHEETRACK_HOME": str(self.folder),
            "SHEETRACK_AGENT_TOKEN": token,
            "LD_LIBRARY_PATH": str(self.folder.parent),
            "FAKE_NVML": str(self.folder / "gpus"),
        }
        command = [sys.executable, "-c", COMMAND, str(self.folder), "agent", "--port", str(self.port)]
        self.process = subprocess.Popen(command, env=environment)

    def set_gpus(self, *more: str) -> None:
        self._write("gpus", "".join(f"{line}\n" for line in (*self.gpus, *more)))

    def set_pressure(self, memory_percent: float) -> None:
        for resource, percent in (("cpu", 0), ("io", 0), ("memory", memory_percent)):
            averages = f"avg10={percent:.2f} avg60={percent:.2f} avg300={percent:.2f} total=0"
            self._write(resource, f"some {averages}\nfull {averages}\n")
        # A stall is the server's where little memory is left.
        self._write("available", "0.15" if memory_percent else "0")

    def end(self) -> None:
        self.process.kill()
        self.process.wait()

    def _write(self, name: str, content: str) -> None:
        draft = self.folder / "draft"
        draft.write_text(content)
        draft.replace(self.folder / name)


class Watch:
    """What the backend says of each server, second by second."""

    def __init__(self, api: httpx.Client) -> None:
        self._api = api
        self.oldest_seconds: dict[str, float] = {}
        """The greatest age that a reading had while it was shown."""

    def said(self) -> dict[str, str]:
        """`state: reason` of every server."""
        answer = self._api.get("/api/servers").raise_for_status().json()
        statuses = [ServerStatus.model_validate(status) for status in answer["servers"]]
        for status in statuses:
            if status.seen_at:
                age = (now() - status.seen_at).total_seconds()
                self.oldest_seconds[status.name] = max(age, self.oldest_seconds.get(status.name, 0))
        return {s.name: f"{s.verdict.state}: {s.verdict.reason}" for s in statuses}

    def until(self, holds: Mapping[str, Callable[[str], bool]]) -> dict[str, tuple[float, str]]:
        """After how many seconds each server's condition held first, and what was said then."""
        self.oldest_seconds = {}
        began, found, before = time.monotonic(), dict[str, tuple[float, str]](), dict[str, str]()
        while len(found) < len(holds) and time.monotonic() - began < LONGEST_SECONDS:
            said, after = self.said(), time.monotonic() - began
            for name, holds_now in holds.items():
                words = re.sub(r"\d+", "", said[name])
                if words != before.get(name):
                    print(f"{after:6.1f} s  {name:6} {said[name]}", file=sys.stderr)
                before[name] = words
                if name not in found and holds_now(said[name]):
                    found[name] = (after, said[name])
            time.sleep(1)
        return found


def error(agents: Mapping[str, Agent]) -> None:
    agents["ada"].end()
    agents["bell"].process.send_signal(signal.SIGSTOP)
    agents["curie"].end()
    agents["curie"].start("another")
    agents["dirac"].set_gpus("hang=1")
    agents["euler"].set_pressure(23)


def relief(agents: Mapping[str, Agent]) -> None:
    agents["ada"].start("token")
    agents["bell"].process.send_signal(signal.SIGCONT)
    agents["curie"].end()
    agents["curie"].start("token")
    agents["dirac"].set_gpus()
    agents["euler"].set_pressure(0)


def contains(sign: str, said: str) -> bool:
    return sign in said


def begins_alike(before: str, said: str) -> bool:
    """In the same state."""
    return said[:4] == before[:4]


def pause(what: str, seconds: float) -> None:
    """Time to look at the page."""
    print(f"{what}; {seconds:.0f} s to look", file=sys.stderr)
    time.sleep(seconds)


def measure(agents: Mapping[str, Agent], watch: Watch) -> bool:
    """Whether every verdict came, in time, and went."""
    watch.until(dict.fromkeys(agents, lambda said: "stale" not in said))
    before = watch.said()
    pause("all is well", 15)
    error(agents)
    told = watch.until({name: partial(contains, sign) for name, (_, sign) in TROUBLES.items()})
    oldest = max(watch.oldest_seconds[name] for name in ("dirac", "euler"))
    pause("error everywhere", 15)
    relief(agents)
    back = watch.until({name: partial(begins_alike, before[name]) for name in agents})
    print("| What happened | what is said | after | once mended, well again after |\n|---|---|---|---|")
    for name, (what, _) in TROUBLES.items():
        after, said = told.get(name, (float("nan"), "nothing"))
        print(f"| {name}: {what} | {said} | {after:.0f} s | {back.get(name, (float('nan'),))[0]:.0f} s |")
    print(f"\nMeanwhile no reading of dirac and euler was older than {oldest:.0f} s.")
    down_in_time = all(name in told and told[name][0] <= DOWN_SECONDS for name in ("ada", "bell"))
    return len(told) == len(back) == len(agents) and down_in_time


def main() -> None:
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        subprocess.run(["cc", "-shared", "-fPIC", "-o", folder / "libnvidia-ml.so.1", STUB], check=True)
        agents = {}
        for port, (server, gpus) in enumerate(GPUS.items(), FIRST_PORT):
            agents[server] = Agent(folder / server, port, gpus)
            stack.callback(agents[server].end)
        (home := folder / "home").mkdir()
        with (home / "servers.toml").open("w") as servers:
            for server, agent in agents.items():
                servers.write(f'[[server]]\nname = "{server}"\nagent = "http://127.0.0.1:{agent.port}"\n')
        environment = {**os.environ, "SHEETRACK_HOME": str(home), "SHEETRACK_AGENT_TOKEN": "token"}
        command = [sys.executable, "-m", "backend.cli", "up", "--port", "0"]
        backend = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
        stack.callback(backend.wait)
        stack.callback(backend.terminate)
        address = (backend.stdout or sys.stdin).readline().split()[-1]
        print(address, file=sys.stderr)
        base, token = address.split("/?token=")
        with httpx.Client(base_url=base, headers={"Authorization": f"Bearer {token}"}) as api:
            is_right = measure(agents, Watch(api))
    sys.exit(0 if is_right else 1)


if __name__ == "__main__":
    main()
