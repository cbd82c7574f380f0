"""Agents as real processes, and servers that misbehave in ways that agents do not."""

import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx

from backend.probe.snapshot import HostReading, Snapshot
from backend.servers.server import Server
from backend.times import now
from tests.patience import PATIENCE_SECONDS
from tests.probe.fake_gpus import FakeGpus

TOKEN = "a long random text"

CALM = f"""
from pathlib import Path
from backend.probe import host
host._PRESSURE = Path({str(Path(__file__).parents[1] / "probe" / "calm_pressure")!r})
"""
"""Reads the pressure of a calm machine: that of the tests may be overloaded, and its servers would start no job."""
SERVE = f"""{CALM}
import sys
from functools import partial
from backend import agent
from backend.probe import background
from backend.settings import Home
agent.Recorder = partial(agent.Recorder, interval_seconds=0.2)
background.PATIENCE_SECONDS = 1
agent.serve_agent(Home(Path(sys.argv[1])), host="127.0.0.1", port=int(sys.argv[2]), token_file=Path(sys.argv[3]))
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def token_file(folder: Path, token: str = TOKEN) -> Path:
    file = folder / "agent.token"
    file.touch(mode=0o600)
    file.write_text(f"{token}\n")
    return file


class AgentProcess:
    """One agent, with its own home and GPUs."""

    def __init__(self, name: str, folder: Path, gpus: FakeGpus, script: str = SERVE) -> None:
        self._script = script
        self.folder = folder
        self.gpus = gpus
        self.port = free_port()
        token_file(folder)
        self.server = Server(name=name, agent=f"http://127.0.0.1:{self.port}", token_file=token_file(folder))
        self.start()

    def start(self) -> None:
        """Returns at once; `wait` until it answers and has read its GPUs."""
        command = [
            sys.executable,
            "-c",
            self._script,
            str(self.folder),
            str(self.port),
            str(self.server.token_file),
        ]
        self.process = subprocess.Popen(command, env=self.gpus.environment)

    def wait(self) -> None:
        for _ in range(PATIENCE_SECONDS * 20):
            try:
                if self.get("/snapshot").json()["gpus"] is not None:
                    return
            except httpx.TransportError:
                assert self.process.poll() is None
            threading.Event().wait(0.05)
        raise AssertionError("the agent does not answer")

    def get(self, path: str, token: str = TOKEN) -> httpx.Response:
        headers = {"Authorization": f"Bearer {token}"}
        return httpx.get(f"http://127.0.0.1:{self.port}{path}", headers=headers, timeout=60)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


Answer = Callable[[BaseHTTPRequestHandler], None]


def refuse(code: int) -> Answer:
    return lambda request: request.send_error(code)


def say(content: bytes) -> Answer:
    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.end_headers()
        with suppress(ConnectionError):  # the reader has seen enough
            request.wfile.write(content)

    return answer


def good_snapshot(request: BaseHTTPRequestHandler) -> None:
    host = HostReading(cpu_percent=3, cpu_count=4, memory_total_mib=1000, memory_available_mib=900)
    snapshot = Snapshot(server="elsewhere", at=now() - timedelta(days=9), host=host, gpus=())
    say(snapshot.model_dump_json().encode())(request)


@contextmanager
def answering(answer: Answer) -> Iterator[str]:
    """The address of a server that answers every GET by `answer`."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer(self)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def unreachable() -> Iterator[str]:
    """An address that accepts no connection: its queue is full, so the kernel does not answer."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        waiting = []
        for _ in range(3):
            caller = socket.socket()
            caller.setblocking(False)
            caller.connect_ex(listening.getsockname())
            waiting.append(caller)
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            for caller in waiting:
                caller.close()
