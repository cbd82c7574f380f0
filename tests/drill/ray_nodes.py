"""A real Ray on loopback: a head, and two servers with an agent each. Set up as in `deploy/`."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import httpx
import psutil

from backend.settings import Home
from tests.drill.gpus import Machine
from tests.drill.processes import send
from tests.servers.agents import AgentProcess, free_port
from tests.speech import write_words

_TOKEN = "what Ray asks for, which is a long random text"
_NODE = "SHEETRACK_DRILL_NODE"
"""Names the node to all processes of Ray on it."""
_HEAD_ADDRESS = "127.0.0.10"  # 127.0.0.1 would be taken for the machine's address in its network
_START_SECONDS = 180
_APART = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]
"""Starts a program in a name space of its own, whose processes all end with it."""


class RayNode:
    """`ray start` on one machine, started again whenever it ends, as systemd does."""

    def __init__(
        self,
        name: str,
        options: dict[str, object],
        variables: dict[str, str],
        log: Path,
        *,
        is_apart: bool = False,
    ) -> None:
        """`is_apart`: it sees no other node, as on a machine of its own."""
        self._name = name
        self.is_apart = is_apart
        self._log = log
        common = {"num-cpus": 1, "num-gpus": 0, "object-store-memory": 80_000_000} | options
        self._command = [
            *(_APART if is_apart else []),
            sys.executable,
            "-m",
            "ray.scripts.scripts",
            "start",
            "--block",
            "--disable-usage-stats",
        ]
        self._command += [
            f"--{option}={value}" if value != "" else f"--{option}" for option, value in common.items()
        ]
        self._variables = variables | {_NODE: name}
        self._ending = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while not self._ending.is_set():
            with self._log.open("ab") as log:
                self._process = subprocess.Popen(
                    self._command, env=self._variables, stdout=log, stderr=log, start_new_session=True
                )
            self._process.wait()
            self._ending.wait(2)

    def pids(self, program: str) -> list[int]:
        """The processes of that program, `raylet` or `gcs_server`, on this node."""
        found = []
        for process in psutil.process_iter(["name"]):
            with suppress(psutil.Error):
                if process.info["name"] == program and process.environ().get(_NODE) == self._name:
                    found.append(process.pid)
        return found

    def send(self, program: str, number: signal.Signals) -> bool:
        """Returns whether there was such a process."""
        return sum(send(pid, number) for pid in self.pids(program)) > 0

    def kill(self) -> None:
        """Kills the node with all its processes."""
        if self._process:
            self._process.kill()

    def end(self) -> None:
        self._ending.set()
        if self._process:
            self._process.kill() if self.is_apart else self._process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(30)
            self._process.kill()
        self._thread.join()


class RayServer:
    """A server that runs jobs through Ray: its home, its node and its agent."""

    def __init__(
        self,
        machine: Machine,
        folder: Path,
        home: Path,
        *,
        variables: dict[str, str],
        head: str,
        address: str,
        agent: str,
    ) -> None:
        """Starts the node, which joins the cluster at `head`, and the agent by its script."""
        self.name = machine.name
        data = Home(home).data
        data.mkdir(parents=True)
        write_words(data / "tones")
        options: dict[str, object] = {"address": head, "node-ip-address": address}
        options |= {"resources": f'{{"server:{self.name}": 1}}', "dashboard-agent-listen-port": free_port()}
        self.node = RayNode(self.name, options, variables, folder / f"ray of {self.name}.log")
        machine.stub.environment = variables
        self.agent = AgentProcess(self.name, home, machine.stub, agent)

    @property
    def entry(self) -> str:
        """Of servers.toml."""
        server = self.agent.server
        return (
            f'[[server]]\nname = "{self.name}"\nagent = "{server.agent}"\ntoken_file = "{server.token_file}"\n'
            f"ray = true\ncpu_jobs = 2\n"
        )

    def start_agent(self) -> None:
        if self.agent.process.poll() is not None:
            self.agent.start()

    def end(self) -> None:
        self.node.end()
        self.agent.kill()


class Ray:
    """The cluster, and its servers."""

    def __init__(
        self,
        folder: Path,
        short: Path,
        machines: Sequence[Machine],
        variables: Callable[[Machine, Path], dict[str, str]],
        agent: str,
        *,
        is_apart: bool,
    ) -> None:
        """Returns once both servers are part of the cluster.

        Args:
            folder: of the drill.
            short: an empty folder with a short path: Ray's sockets lie below, and their paths are limited.
            machines: the servers.
            variables: the environment of what serves on a machine with that home.
            agent: the script that serves an agent.
            is_apart: whether the head has a name space of its own. Ray does not start it again where it sees
                a node of its cluster, as on one machine.
        """
        token = folder / "ray-token"
        token.touch(mode=0o600)
        token.write_text(_TOKEN)
        port, self._port = free_port(), free_port()
        common = {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN_PATH": str(token),
            "RAY_gcs_rpc_server_reconnect_timeout_s": "600",
            "RAY_memory_monitor_refresh_ms": "0",
        }
        of_head = {
            "RAY_gcs_storage": "rocksdb",
            "RAY_gcs_storage_path": str(short / "gcs"),
            "RAY_JOB_START_TIMEOUT_SECONDS": "86400",
        }
        options: dict[str, object] = {
            "head": "",
            "port": port,
            "node-ip-address": _HEAD_ADDRESS,
            "num-cpus": 0,
        }
        options |= {"dashboard-host": "127.0.0.1", "dashboard-port": self._port, "temp-dir": short / "ray"}
        options |= {"ray-client-server-port": free_port(), "dashboard-agent-listen-port": free_port()}
        head = variables(machines[0], folder / "home of head") | common | of_head
        self.head = RayNode("head", options, head, folder / "ray head.log", is_apart=is_apart)
        self.settings = f'[ray]\naddress = "http://127.0.0.1:{self._port}"\ntoken_file = "{token}"\n'
        self.servers: list[RayServer] = []
        try:
            self._wait_for("ALIVE")
            for number, machine in enumerate(machines, 1):
                home = folder / f"home of {machine.name}"
                server = RayServer(
                    machine,
                    folder,
                    home,
                    variables=variables(machine, home) | common,
                    head=f"{_HEAD_ADDRESS}:{port}",
                    address=f"{_HEAD_ADDRESS}{number}",
                    agent=agent,
                )
                self.servers.append(server)
            self._wait_for(*(f"server:{server.name}" for server in self.servers))
        except BaseException:
            self.end()
            raise

    def _wait_for(self, *words: str) -> None:
        until = time.monotonic() + _START_SECONDS
        while time.monotonic() < until:
            with suppress(httpx.HTTPError):
                headers = {"Authorization": f"Bearer {_TOKEN}"}
                address = f"http://127.0.0.1:{self._port}/nodes?view=summary"
                text = httpx.get(address, headers=headers, trust_env=False, timeout=5).text
                if all(word in text for word in words):
                    return
            time.sleep(0.5)
        raise SystemExit(f"Ray does not start within {_START_SECONDS} s: {words}")

    def end(self) -> None:
        for server in self.servers:
            server.end()
        self.head.end()
