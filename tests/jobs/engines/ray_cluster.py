"""A real Ray on loopback: a cluster of one machine with its agent, and a wire to it that can be cut."""

import os
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self

import httpx
import psutil

from backend.settings import Home
from tests.patience import PATIENCE_SECONDS
from tests.probe.fake_gpus import FakeGpus
from tests.servers.agents import AgentProcess, free_port

SERVER = "far"
NAMED_NOWHERE = "nowhere"
_TOKEN = "what Ray asks for, which is a long random text"
_OF_TESTS = ("CUDA", "SHEETRACK_FIGURES")
"""Variables of the tests that trainings there do not inherit."""
_ADDRESS = "127.0.0.10"  # 127.0.0.1 would be taken for the machine's address in its network

_NOTE = """
import asyncio, sys, time
from ray._raylet import GcsClient
from ray.dashboard.modules.job.common import JobInfo, JobInfoStorageClient, JobStatus
job = JobInfo(entrypoint="true", status=JobStatus(sys.argv[3]), start_time=int(1000 * time.time()))
asyncio.run(JobInfoStorageClient(GcsClient(address=sys.argv[1])).put_info(sys.argv[2], job))
"""


class Wire:
    """Passes connections on to a port of this machine, until it is cut."""

    def __init__(self, port: int) -> None:
        self._to = ("127.0.0.1", port)
        self._open: list[socket.socket] = []
        self.port = free_port()
        self.mend()

    def mend(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, args=(self._listening,), daemon=True).start()

    def cut(self) -> None:
        for end in [self._listening, *self._open]:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        self._open.clear()

    def _accept(self, listening: socket.socket) -> None:
        with suppress(OSError):
            while True:
                near, _ = listening.accept()
                far = socket.create_connection(self._to)
                self._open += [near, far]
                for one, other in ((near, far), (far, near)):
                    threading.Thread(target=self._pass_on, args=(one, other), daemon=True).start()

    def _pass_on(self, one: socket.socket, other: socket.socket) -> None:
        with suppress(OSError):
            while content := one.recv(65536):
                other.sendall(content)
        for end in (one, other):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.cut()


class Cluster:
    """The server `far`, which has its own home."""

    def __init__(self, folder: Path, port: int, dashboard_port: int, wire: Wire, agent: AgentProcess) -> None:
        self.home = Home(folder / "home")
        self._environment = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(folder / "token")}
        self._port = port
        self.wire = wire
        self.agent = agent
        self.direct = httpx.Client(
            base_url=f"http://127.0.0.1:{dashboard_port}",
            headers={"Authorization": f"Bearer {_TOKEN}"},
            trust_env=False,
        )

    def join(self, home: Home, token: str = _TOKEN) -> None:
        """Has the backend of `home` train on this server; `nowhere` is one that Ray knows nothing of."""
        home.path.mkdir(parents=True, exist_ok=True)
        file = home.path / "ray-token"
        file.touch(mode=0o600)
        file.write_text(token)
        home.settings_file.write_text(f'[ray]\naddress = "http://127.0.0.1:{self.wire.port}"\n')
        home.servers_file.write_text(
            "".join(
                f'[[server]]\nname = "{name}"\nagent = "{self.agent.server.agent}"\n'
                f'token_file = "{self.agent.server.token_file}"\nray = true\n'
                for name in (SERVER, NAMED_NOWHERE)
            )
        )

    def note_job(self, name: str, status: str = "PENDING") -> None:
        """Leaves what a head leaves that is killed once it has noted a job, and before it starts it.

        With the status `RUNNING`: what a head leaves that is killed together with the server of the job.
        """
        script = [sys.executable, "-c", _NOTE, f"{_ADDRESS}:{self._port}", name, status]
        subprocess.run(script, env=os.environ | self._environment, check=True)


@contextmanager
def ray_cluster() -> Iterator[Cluster]:
    # Ray's sockets lie below, and a path to a socket has at most 107 characters.
    with tempfile.TemporaryDirectory(prefix="ray", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        home = folder / "home"
        home.mkdir()
        token = folder / "token"
        token.touch(mode=0o600)
        token.write_text(_TOKEN)
        ports = {"port": free_port(), "dashboard-port": free_port(), "ray-client-server-port": free_port()}
        ports["dashboard-agent-listen-port"] = free_port()
        options = {"node-ip-address": _ADDRESS, "dashboard-host": "127.0.0.1", "num-cpus": 1, "num-gpus": 2}
        options |= ports | {"object-store-memory": 80_000_000, "temp-dir": folder / "ray"}
        options["resources"] = f'{{"server:{SERVER}": 1}}'
        command = ["-m", "ray.scripts.scripts", "start", "--head", "--block", "--disable-usage-stats"]
        command += ["--no-monitor", "--include-log-monitor=false"]  # two processes that jobs do not need
        command += [f"--{option}={value}" for option, value in options.items()]
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(_OF_TESTS)},
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN_PATH": str(token),
            "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "1",  # so that it shows whether the backend overrules it
            "SHEETRACK_HOME": str(home),
        }
        with (folder / "log").open("wb") as log:
            head = subprocess.Popen(
                [sys.executable, *command], env=environment, stdout=log, stderr=log, start_new_session=True
            )
        agent = AgentProcess(SERVER, home, FakeGpus(home / "no such library", home / "no such file"))
        try:
            with Wire(ports["dashboard-port"]) as wire:
                cluster = Cluster(folder, ports["port"], ports["dashboard-port"], wire, agent)
                with cluster.direct:
                    _wait_until_up(cluster, head, folder / "log")
                    agent.wait()
                    yield cluster
        finally:
            agent.kill()
            _end(head, home)


def _wait_until_up(cluster: Cluster, head: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(PATIENCE_SECONDS * 5):
        assert head.poll() is None, log.read_text()
        with suppress(httpx.HTTPError, ValueError):
            if SERVER in cluster.direct.get("/nodes?view=summary").text:
                return
        threading.Event().wait(0.2)
    raise AssertionError(log.read_text())


def _end(head: subprocess.Popen[bytes], home: Path) -> None:
    """Whatever was started has our home in its environment."""
    head.terminate()
    with suppress(subprocess.TimeoutExpired):
        head.wait(PATIENCE_SECONDS)
    for _ in range(2):  # what was being started when it was looked for
        strays = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if process.environ().get("SHEETRACK_HOME") == str(home):
                    process.kill()
                    strays.append(process)
        psutil.wait_procs(strays, timeout=60)
    head.wait()
