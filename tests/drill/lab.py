"""The lab of a drill: a backend, its servers with stub GPUs, and the spreadsheet."""

import os
import re
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx

from backend.jobs.job import JobState
from backend.service.wiring import Sheetrack
from backend.settings import Home
from tests.cli.command_line import Ended, run_here
from tests.drill import processes
from tests.drill.gpus import Foreigner, Machine
from tests.drill.ray_nodes import Ray
from tests.drill.watch import Watch
from tests.google.server import SheetsServer
from tests.probe.fake_gpus import compiled_nvml
from tests.servers.agents import CALM, SERVE
from tests.service.wall_clock import WallClock
from tests.speech import write_words

HERE = "gpu1"
"""The backend's own server."""
THERE = ("gpu2", "gpu3")
"""Those that run jobs through Ray."""
_UP = f"{CALM}from backend.cli import main\nmain()\n"
_DISK = "400m"
_SETTINGS = 'refresh_seconds = 2\n[google]\nspreadsheet = "lab"\napi_endpoint = "{}"\n'
_START_SECONDS = 120
_NO_CERTIFICATES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""The backend speaks plain HTTP, and each request would read those of all authorities."""


class Lab:
    def __init__(self, folder: Path, mark: str, sheet: SheetsServer, machines: Sequence[Machine]) -> None:
        """Nothing runs yet.

        Args:
            folder: of the drill, with the home of the backend in it.
            mark: names the drill in the environment of all its processes.
            sheet: the lab's spreadsheet.
            machines: the servers that have GPUs, the backend's own first.
        """
        self.home = Home(folder / "home")
        self.sheet = sheet
        self.machines = machines
        self.clock = WallClock(folder)
        self.ray: Ray | None = None
        self.ballast = self.home.runs / "ballast"
        self._folder = folder
        self._mark = mark
        self._backend: subprocess.Popen[bytes] | None = None
        self._address: tuple[str, str] | None = None
        self.watch = Watch(mark, self.home.store_file, machines, HERE)

    def variables(self, machine: Machine, home: Path) -> dict[str, str]:
        """The environment of what serves on a machine."""
        return {
            **machine.stub.environment,
            processes.MARK: self._mark,
            "SHEETRACK_HOME": str(home),
            "SHEETRACK_FIGURES": "0",
            "OMP_NUM_THREADS": "1",
        }

    # The backend

    def start_backend(self) -> None:
        """Waits until it serves."""
        if self._backend:
            return
        told = self._folder / "backend.out"
        with told.open("wb") as output:
            self._backend = subprocess.Popen(
                [sys.executable, "-c", _UP, "up", "--port", "0"],
                env=self.variables(self.machines[0], self.home.path) | self.clock.environment,
                stdout=output,
                stderr=output,
            )
        until = time.monotonic() + _START_SECONDS
        while not (found := re.search(r"(http://\S+)/\?token=(\S+)", told.read_text())):
            if self._backend.poll() is not None or time.monotonic() > until:
                self._backend.kill()
                self._backend.wait()
                self._backend = None
                self.watch.problem(f"the backend does not start: {told.read_text()}")
                return
            time.sleep(0.1)
        self._address = found[1], found[2]

    def kill_backend(self) -> None:
        if self._backend:
            self._backend.kill()
            self._backend.wait()
        self._backend = self._address = None

    def signal_backend(self, number: signal.Signals) -> None:
        if self._backend:
            self._backend.send_signal(number)

    def look_after_backend(self) -> None:
        """Tells of a backend that ended by its own fault, and starts the next one."""
        if self._backend and (code := self._backend.poll()) is not None:
            told = (self._folder / "backend.out").read_text()[-2000:]
            self.watch.problem(f"the backend ended with {code}: {told}")
            self._backend = self._address = None
            self.start_backend()

    def ask(self, method: str, path: str) -> Any:
        """The backend's answer; None where it does not answer now."""
        if self._address is None:
            return None
        address, token = self._address
        with suppress(httpx.HTTPError, ValueError):
            headers = {"Authorization": f"Bearer {token}"}
            options: dict[str, Any] = {"timeout": 2, "trust_env": False, "verify": _NO_CERTIFICATES}
            return httpx.request(method, address + path, headers=headers, **options).json()
        return None

    def note_readings(self) -> None:
        """Tells the watch what the backend knows of the GPUs."""
        if answer := self.ask("GET", "/api/servers"):
            self.watch.note(answer["servers"])

    # People

    def command(self, person: str, *words: str) -> Ended:
        """Types a command of `sheetrack`."""
        answer = run_here(*words, SHEETRACK_HOME=str(self.home.path), LOGNAME=person)
        if "Please report it" in answer.stderr:
            self.watch.problem(f"sheetrack {words[0]}: {answer.stderr}")
        return answer

    def bring_foreigner(self, gpu: str) -> Foreigner:
        """A colleague's process takes the GPU."""
        variables = {**os.environ, processes.MARK: self._mark, processes.FOREIGN: "1"}
        variables["CUDA_VISIBLE_DEVICES"] = gpu
        foreigner = Foreigner(gpu, subprocess.Popen(["sleep", "3600"], env=variables))
        self.watch.foreigners.append(foreigner)
        return foreigner

    def names(self) -> dict[str, str]:
        """The name that each job of the store was given."""
        with closing(Sheetrack(self.home)) as parts:
            jobs = [*parts.jobs.unfinished_jobs(), *parts.jobs.finished_jobs(1000)]
        return {job.id: job.work.name for job in jobs}

    def unfinished(self) -> list[str]:
        return [job for job, state in self.watch.states.items() if not state.is_over]

    def running(self) -> list[str]:
        return [job for job, state in self.watch.states.items() if state is JobState.RUNNING]

    # The disk

    def fill_disk(self) -> None:
        """Leaves no byte for the runs."""
        with suppress(OSError), self.ballast.open("ab", buffering=0) as file:
            for size in (1 << 22, 1 << 12, 1):
                with suppress(OSError):
                    while file.write(bytes(size)):
                        pass

    def free_disk(self) -> None:
        self.ballast.unlink(missing_ok=True)


@contextmanager
def lab(folder: Path, mark: str, gpus: int, *, has_own_disk: bool, has_ray: bool) -> Iterator[Lab]:
    """A lab that serves; whatever it started is ended with it.

    Args:
        folder: for all its files.
        mark: names it in the environment of all its processes.
        gpus: how many GPUs the backend's own server has.
        has_own_disk: whether the runs lie on a small disk, and Ray's head on a machine of its own; needs the right
            to mount.
        has_ray: whether two more servers run jobs through Ray.
    """
    with ExitStack() as stack:
        sheet = stack.enter_context(SheetsServer())
        library = compiled_nvml(folder)
        machines = [Machine(HERE, 0, gpus, library, folder)]
        if has_ray:
            machines += [Machine(name, number, 2, library, folder) for number, name in enumerate(THERE, 1)]
        place = Lab(folder, mark, sheet, machines)
        home = place.home
        home.make()
        home.runs.mkdir()
        if has_own_disk:
            disk = ["mount", "-t", "tmpfs", "-o", f"size={_DISK}", "runs", str(home.runs)]
            subprocess.run(disk, check=True)
            stack.callback(subprocess.run, ["umount", "-l", str(home.runs)], check=True)
        write_words(home.data / "tones")
        home.settings_file.write_text(_SETTINGS.format(sheet.address))
        home.servers_file.write_text(f'[[server]]\nname = "{HERE}"\ncpu_jobs = 3\n')
        stack.callback(processes.end_all, mark)
        if has_ray:
            short = Path(stack.enter_context(TemporaryDirectory(prefix="ray", ignore_cleanup_errors=True)))
            place.ray = Ray(folder, short, machines[1:], place.variables, SERVE, is_apart=has_own_disk)
            stack.callback(place.ray.end)
            with home.settings_file.open("a") as settings, home.servers_file.open("a") as servers:
                settings.write(place.ray.settings)
                servers.writelines(server.entry for server in place.ray.servers)
        parts = Sheetrack(home)
        parts.jobs.unfinished_jobs()  # makes the store
        parts.close()
        place.watch.start()
        stack.callback(place.watch.close)
        stack.callback(place.kill_backend)
        place.start_backend()
        yield place


def states_in(jobs: Mapping[str, JobState]) -> str:
    """`27 done, 9 failed`."""
    counts = {state: list(jobs.values()).count(state) for state in JobState}
    return ", ".join(f"{count} {state}" for state, count in counts.items() if count)
