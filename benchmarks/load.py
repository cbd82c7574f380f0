"""What a backend with 200 servers does under load: `python benchmarks/load.py [SECONDS]`, two minutes by default.

Clients ask for all servers without a pause, first one, then fifty, then one that names what it has. Printed are
the times of the answers and the open files of the backend.
"""

import json
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

SERVERS = 200
PAUSE_SECONDS = 0.02
ENTRY = '[[server]]\nname = "s{place}"\nagent = "http://127.0.0.1:{port}"\ntoken_file = "agent.token"\n'


@contextmanager
def backend(home: Path) -> Iterator[tuple[subprocess.Popen[str], str, dict[str, str]]]:
    """A backend with agents that answer at once, ten of which hang; yields it, its address and its token."""
    agents = [sys.executable, str(Path(__file__).with_name("status.py")), "agents", str(SERVERS)]
    with subprocess.Popen(agents, stdout=subprocess.PIPE) as answering:
        assert answering.stdout  # noqa: S101
        ports = json.loads(answering.stdout.readline())
        (home / "agent.token").touch(mode=0o600)
        (home / "agent.token").write_text("token")
        entries = (ENTRY.format(place=place, port=port) for place, port in enumerate(ports))
        (home / "servers.toml").write_text("".join(entries))
        command = [sys.executable, "-m", "backend.cli", "up", "--port", "0"]
        environment = {**os.environ, "SHEETRACK_HOME": str(home)}
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
            assert process.stdout  # noqa: S101
            found = re.search(r"(http://\S+)/\?token=(\S+)", process.stdout.readline())
            assert found  # noqa: S101
            try:
                yield process, found[1], {"Authorization": f"Bearer {found[2]}"}
            finally:
                process.send_signal(signal.SIGINT)
                process.wait(60)
                answering.terminate()


def ask(
    address: str, token: dict[str, str], until: float, spans: list[float], *, names_its_own: bool
) -> None:
    """Asks for all servers until that moment of the monotonic clock."""
    tag = ""
    with httpx.Client(base_url=address, headers=token, timeout=60) as client:
        while time.monotonic() < until:
            began = time.perf_counter()
            answer = client.get("/api/servers", headers={"If-None-Match": tag} if tag else {})
            spans.append(time.perf_counter() - began)
            if answer.status_code not in (200, 304):
                raise SystemExit(answer.text)
            tag = answer.headers.get("ETag", "") if names_its_own else ""
            time.sleep(PAUSE_SECONDS)


def measure(
    process: subprocess.Popen[str],
    address: str,
    token: dict[str, str],
    clients: int,
    seconds: float,
    *,
    names_its_own: bool = False,
) -> None:
    """Prints the times that `clients` wait, and how many files the backend has open meanwhile."""
    until, spans, files = time.monotonic() + seconds, list[float](), []
    threads = [
        threading.Thread(
            target=ask, args=(address, token, until, spans), kwargs={"names_its_own": names_its_own}
        )
        for _ in range(clients)
    ]
    for thread in threads:
        thread.start()
    while time.monotonic() < until:
        time.sleep(seconds / 8)
        files.append(len(os.listdir(f"/proc/{process.pid}/fd")))  # noqa: PTH208 - names are enough
    for thread in threads:
        thread.join()
    p50, p95 = 1000 * statistics.median(spans), 1000 * statistics.quantiles(spans, n=20)[-1]
    who = f"{clients} client{'s' if clients > 1 else ''}{', with ETag' if names_its_own else ''}"
    print(
        f"| {who} | {len(spans):,} | {p50:.0f} ms | {p95:.0f} ms | {min(files)} to {max(files)} |", flush=True
    )


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 120.0
    with tempfile.TemporaryDirectory() as folder, backend(Path(folder)) as (process, address, token):
        time.sleep(10)  # two rounds
        size = len(httpx.get(f"{address}/api/servers", headers=token, timeout=60).content)
        print(f"{SERVERS} servers, {size:,} bytes of JSON")
        print("| `GET /api/servers` | requests | p50 | p95 | open files |\n|---|---|---|---|---|")
        measure(process, address, token, 1, seconds / 6)
        measure(process, address, token, 50, seconds * 4 / 6)
        measure(process, address, token, 1, seconds / 6, names_its_own=True)


if __name__ == "__main__":
    main()
