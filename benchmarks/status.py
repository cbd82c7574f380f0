"""What reading servers costs: `python benchmarks/status.py [PYTHON]`, some minutes.

PYTHON is an interpreter that has gpustat, nvitop and glances, to be measured beside Sheetrack.
"""

import asyncio
import gc
import json
import math
import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sized
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import psutil

from backend.database import open_database
from backend.probe.gpu_reader import GpuReader
from backend.probe.host import HostProbe
from backend.probe.owners import UserNames
from backend.probe.processes import BusiestProcesses, Programs
from backend.probe.sampler import Sampler
from backend.probe.snapshot import Failure, GpuReading, HostReading, Snapshot
from backend.servers.past import Past, follow
from backend.servers.poller import Poller
from backend.servers.readings import Readings
from backend.servers.server import Server
from backend.servers.state import State
from backend.servers.status import Status
from backend.servers.verdict import judge
from backend.times import now

GPUS = 8
HANGING = 10
APART_SECONDS = 1.1
"""Between readings of GPUs: all programs here but gpustat keep what they read for a second."""
STUB = Path(__file__).parents[1] / "tests" / "probe" / "fake_nvml.c"

OTHERS = {
    "gpustat": "import gpustat; read = lambda: gpustat.GPUStatCollection.new_query()",
    "nvitop": "import nvitop; devices = nvitop.Device.all(); read = lambda: [d.as_snapshot() for d in devices]",
}
TIMED = """
import sys, time
spans = []
for _ in range(31):
    began = time.perf_counter(); found = read(); spans.append(time.perf_counter() - began)
    time.sleep(float(sys.argv[1]))
spans = sorted(spans[1:])
if len(found) == int(sys.argv[2]):
    print(spans[len(spans) // 2] * 1000, spans[int(len(spans) * 0.95)] * 1000)
"""
AGENT = """
import sys
from pathlib import Path
from backend.agent import serve_agent
from backend.settings import Home
home = Path(sys.argv[1])
serve_agent(Home(home), host="127.0.0.1", port=int(sys.argv[2]), token_file=home / "token")
"""


def spans_ms(
    read: Callable[[], object], count: int = 200, apart_seconds: float = 0.02
) -> tuple[float, float]:
    """Median and 95th percentile."""
    spans = []
    for _ in range(count):
        began = time.perf_counter()
        read()
        spans.append(1000 * (time.perf_counter() - began))
        time.sleep(apart_seconds)
    return statistics.median(spans), statistics.quantiles(spans, n=20)[-1]


def show(what: str, *figures: str) -> None:
    print(f"| {what} | {' | '.join(figures)} |", flush=True)


def wait_for_gpus(read: Callable[[], Sized | None]) -> None:
    while len(read() or ()) < GPUS:
        time.sleep(0.1)


def sample_cost(folder: Path, others: str | None) -> None:
    host = HostProbe()
    gpu_reader = GpuReader()
    show("host readings", *(f"{span:.2f} ms" for span in spans_ms(host.read)))
    with Sampler("here", folder) as sampler:
        wait_for_gpus(lambda: sampler.sample().gpus)
        spans = spans_ms(sampler.sample, 30, APART_SECONDS)
        show(f"whole snapshot, {GPUS} stand-in GPUs", *(f"{span:.2f} ms" for span in spans))
    wait_for_gpus(lambda: gpu_reader.read().get("gpus"))
    spans = spans_ms(gpu_reader.read, 30, APART_SECONDS)
    show(f"{GPUS} stand-in GPUs, by their process", *(f"{span:.2f} ms" for span in spans))
    gpu_reader.close()
    top = BusiestProcesses(Programs(UserNames())).read
    show(f"busiest of {len(psutil.pids())} processes", *(f"{span:.2f} ms" for span in spans_ms(top)))
    if others is None:
        return
    for name, script in OTHERS.items():
        command = [others, "-c", script + TIMED, str(APART_SECONDS), str(GPUS)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        figures = [f"{float(span):.1f} ms" for span in done.stdout.split()] or ["does not run here", ""]
        show(f"{name}, {GPUS} stand-in GPUs", *figures)
    began = time.perf_counter()
    command = [str(Path(others).with_name("glances")), "--stdout", "cpu.user,mem.used", "--stop-after", "1"]
    subprocess.run(command, capture_output=True, check=False, timeout=60)
    show("glances, one reading from start to end", f"{1000 * (time.perf_counter() - began):.0f} ms", "")


def with_children(process: psutil.Process) -> list[psutil.Process]:
    return [process, *process.children(recursive=True)]


def used_seconds(process: psutil.Process) -> float:
    return sum(sum(one.cpu_times()[:2]) for one in with_children(process))


def agent_cost(folder: Path, seconds: int) -> None:
    """A real agent, its own recorder at 10 s and a backend that asks every 10 s."""
    (folder / "token").touch(mode=0o600)
    (folder / "token").write_text("token")
    port = 18020
    with subprocess.Popen([sys.executable, "-c", AGENT, folder, str(port)]) as agent:
        process = psutil.Process(agent.pid)
        with httpx.Client(headers={"Authorization": "Bearer token"}) as client:
            time.sleep(3)
            for _ in range(3):
                client.get(f"http://127.0.0.1:{port}/snapshot")
            before = used_seconds(process)
            for _ in range(seconds // 10):
                time.sleep(10)
                client.get(f"http://127.0.0.1:{port}/snapshot").raise_for_status()
            used = used_seconds(process) - before
        memory = sum(one.memory_full_info().pss for one in with_children(process)) / 2**20
        show(f"agent, {GPUS} stand-in GPUs", f"{100 * used / seconds:.2f} % of a core", f"{memory:.0f} MiB")
        agent.terminate()


def example() -> Snapshot:
    host = HostReading(
        cpu_percent=12, cpu_count=64, load_1min=3, memory_total_mib=512e3, memory_available_mib=400e3
    )
    gpus = tuple(
        GpuReading(
            index=index,
            uuid=f"GPU-{index}",
            name="NVIDIA H100 80GB HBM3",
            utilization_percent=50,
            memory_used_mib=20e3,
            memory_total_mib=81559,
            temperature_c=50,
            power_w=300,
            power_limit_w=700,
            throttle_reasons=(),
            processes=(),
        )
        for index in range(GPUS)
    )
    return Snapshot(server="example", at=now(), host=host, gpus=gpus)


async def serve_agents(count: int, hanging: int) -> None:
    """`count` agents on as many ports; the first `hanging` accept connections and say nothing."""
    body = example().model_dump_json().encode()
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body

    def agent(hangs: bool) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                while await reader.readuntil(b"\r\n\r\n"):
                    if not hangs:
                        writer.write(answer)
            except (asyncio.IncompleteReadError, ConnectionError):
                writer.close()

        return talk

    servers = [await asyncio.start_server(agent(i < hanging), "127.0.0.1", 0) for i in range(count)]
    print(json.dumps([server.sockets[0].getsockname()[1] for server in servers]), flush=True)
    await asyncio.Event().wait()


@contextmanager
def agents(count: int) -> Iterator[list[Server]]:
    command = [sys.executable, __file__, "agents", str(count)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout  # noqa: S101
        ports = json.loads(process.stdout.readline())
        try:
            yield [Server(name=f"s{i}", agent=f"http://127.0.0.1:{port}") for i, port in enumerate(ports)]
        finally:
            process.terminate()


def polling(folder: Path, count: int, rounds: int) -> None:
    with agents(count) as servers:
        asked = Poller(servers, lambda name: Sampler(name, folder))
        live, over, worked = [], [], []
        for _ in range(5):
            known: list[float] = []
            began, worked_before = time.perf_counter(), time.process_time()
            asked.poll(lambda _: known.append(time.perf_counter()))  # noqa: B023 - the round ends here
            over.append(time.perf_counter() - began)
            worked.append(time.process_time() - worked_before)
            live.append(known[-1] - began)
            assert len(known) == count - HANGING  # noqa: S101
        asked.close()
        database = open_database(folder / f"{count}.db")
        with Status(
            servers, Readings(database), interval_seconds=15, sampler=lambda name: Sampler(name, folder)
        ) as status:
            whole, memory = [], []
            for _ in range(rounds):
                began = time.perf_counter()
                status.refresh()
                whole.append(time.perf_counter() - began)
                gc.collect()
                memory.append(psutil.Process().memory_info().rss / 2**20)
        database.dispose()
    show(
        f"{count} servers, {HANGING} of them hang",
        f"{live[0]:.2f} s",
        f"{statistics.median(live[1:]):.2f} s",
        f"{statistics.median(worked[1:]):.2f} s",
        f"{max(over):.2f} s",
        f"{statistics.median(whole):.2f} s",
        f"{memory[2]:.0f} → {memory[-1]:.0f} MiB",
    )


def false_alarms(loss: float, tries_a_round: int, repeats: int) -> float:
    """How often a day one of 50 servers is called down though all are up.

    Only failed rounds are drawn and followed, each stretch of them after one that succeeded: an answer
    makes what was before it irrelevant.
    """
    interval, servers, days = 15.0, 50, 30
    rounds = int(days * 86400 / interval)
    failing = loss**tries_a_round
    draw = random.Random(1)  # noqa: S311
    start = datetime(2026, 1, 1, tzinfo=UTC)
    host, alarms = HostReading(), 0
    for _ in range(servers * repeats):
        place, last, past = -1, -2, Past()
        while (place := place + 1 + int(draw.expovariate(1) / -math.log1p(-failing))) < rounds:
            at = start + timedelta(seconds=interval * place)
            if place != last + 1:
                past = follow(
                    past, Snapshot(server="s", at=at - timedelta(seconds=interval), host=host), interval
                )
            was_down = judge(past, at, interval).state is State.DOWN
            past = follow(past, Snapshot(server="s", at=at, failure=Failure.UNREACHABLE), interval)
            alarms += judge(past, at, interval).state is State.DOWN and not was_down
            last = place
    return alarms / (days * repeats)


def main(others: str | None) -> None:
    os.environ["SHEETRACK_AGENT_TOKEN"] = "token"  # noqa: S105
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        print("| One reading | median | 95th percentile |\n|---|---|---|")
        sample_cost(folder, others)
        print("\n| At rest, read every 10 s | processor | memory |\n|---|---|---|")
        agent_cost(folder, seconds=60)
        print(
            "\n| Polling | live known, first round | later rounds | processor time | longest round "
            "| with verdicts and store | memory, 3rd to last round |\n|---|---|---|---|---|---|---|"
        )
        for count, rounds in ((50, 6), (200, 6), (1000, 12)):
            polling(folder, count, rounds)
        print("\n| 50 servers, 5 % of tries lost | false `down` a day |\n|---|---|")
        show("one try a round", f"{false_alarms(0.05, 1, 1):.1f}")
        show("two tries a round", f"{false_alarms(0.05, 2, 12):.4f}")


def with_stub(folder: Path) -> None:
    """Runs this again where NVML finds the stand-in for the driver's library."""
    library, file = folder / "libnvidia-ml.so.1", folder / "gpus"
    subprocess.run(["cc", "-O2", "-shared", "-fPIC", "-o", library, STUB], check=True)
    file.write_text(f"gpus={GPUS}\nutilization=50\nmemory_used=20000\n")
    environment = {**os.environ, "LD_LIBRARY_PATH": str(folder), "FAKE_NVML": str(file)}
    subprocess.run([sys.executable, __file__, "measure", *sys.argv[1:]], env=environment, check=True)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["agents", count]:
            resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
            asyncio.run(serve_agents(int(count), HANGING))
        case ["measure", *others]:
            main(others[0] if others else None)
        case _:
            with tempfile.TemporaryDirectory() as name:
                with_stub(Path(name))
