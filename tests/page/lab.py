"""A lab of five servers behind the real app: what the browser tests look at."""

import socket
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from backend.api.app import LARGEST_BODY_BYTES, create_app
from backend.api.http_server import HttpServer
from backend.jobs.architectures import architectures
from backend.jobs.job import Job, JobState
from backend.jobs.result import Result
from backend.jobs.sweep import Grid, Sweep, sweep_id
from backend.probe.snapshot import GpuProcess, GpuReading, HostReading, Process, Snapshot
from backend.servers.faults import missing_gpus
from backend.servers.reservations import NotSetUp
from backend.servers.state import ServerStatus, State, Verdict
from backend.service.wiring import Sheetrack
from backend.settings import Home
from backend.tabs.refresh import Refresh
from backend.tabs.servers import servers_table
from backend.times import now
from models.recipe import Recipe
from models.result import DataFacts, Progress
from tests.page.runs import HOSTILE, RUN, a_result, tables, write_run

TOKEN = "the-lab-token"

Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class Lab:
    """The parts that a test changes: servers, jobs, tabs, and what is wrong with the backend."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.servers = five_servers()
        self.requests: list[str] = []
        self.before: Callable[[str], None] | None = None
        """Called with each path before it is answered; may block."""
        self.loses_answers = False
        """Whether what was done is answered with a failure."""
        self.sheet_errors: list[str] = []
        self.not_set_up: list[NotSetUp] = []
        (home.data / "speech16").mkdir(parents=True)
        # Nothing answers there, so no job ever leaves the queue.
        home.servers_file.write_text(
            "\n".join(
                f'[[server]]\nname = "{server.name}"\nagent = "http://127.0.0.1:9"\nray = true'
                for server in self.servers
            )
        )
        home.settings_file.write_text('[ray]\naddress = "http://127.0.0.1:9"\n')
        architectures()  # the first time takes seconds; a page would give up
        self._sheetrack = Sheetrack(home)
        self._sheetrack.refresh = _LabRefresh(self, self._sheetrack.status.refresh)
        self.jobs = self._sheetrack.jobs
        self.pairing = self._sheetrack.pairing
        self.readings = self._sheetrack.readings
        self.known_gpus = self._sheetrack.known_gpus
        self.workbook = self._sheetrack.workbook
        self.short_titles = self._sheetrack.display.labels
        for job in four_jobs():
            self.jobs.add_job(job)
        self._sheetrack.display.show_jobs()
        self.workbook.publish([servers_table(five_servers()), *tables()])
        self.jobs.add_result(a_result())
        write_run(home.runs / RUN)

    def current(self) -> list[ServerStatus]:
        kept, known = self._sheetrack.maintenances.known(), self.known_gpus.by_server()
        servers = [
            server.model_copy(
                update={"missing_gpus": tuple(missing_gpus(server.snapshot, known.get(server.name, ())))}
            )
            if server.snapshot
            else server
            for server in self.servers
        ]
        return [
            server.model_copy(
                update={"verdict": Verdict(state=State.MAINTENANCE, reason=kept[server.name].reason)}
            )
            if server.name in kept
            else server
            for server in servers
        ]

    def add_history(self) -> None:
        """An hour of gpu1, read every half minute: kim trains, and for 10 minutes nothing answers."""
        at = now()
        server = next(server for server in self.servers if server.name == "gpu1")
        assert server.snapshot
        for minutes in range(60, -1, -1):
            if 20 <= minutes <= 30:
                continue
            readings = [at - timedelta(minutes=minutes, seconds=half) for half in (30, 0)]
            self.readings.remember(
                [server.snapshot.model_copy(update={"at": read_at}) for read_at in readings]
            )
        self._sheetrack.history.summarize(at)
        silence = Verdict(state=State.DOWN, reason="agent not answering", since=at - timedelta(minutes=30))
        for verdict, ended in ((silence, 30), (server.verdict, 20)):
            status = server.model_copy(update={"verdict": verdict})
            self._sheetrack.incidents.note([status], at - timedelta(minutes=ended))

    def add_sweep(self) -> Sweep:
        """Four trainings on gpu2: one done, one running, one failed, one waiting."""
        shared = Recipe(architecture="ch32", epochs=40, data="speech16")
        grid = Grid(depths=(7, 8), dropouts=(0.25,))
        facts = DataFacts(name="speech16", hash="5e1f", synthetic=False)
        sweep = Sweep(
            id=sweep_id("gpu2", shared, facts),
            server="gpu2",
            recipe=shared,
            grid=grid,
            layers={},
            data=facts,
            requested_by="lee",
            submitted_at=now(),
        )
        states = (JobState.DONE, JobState.RUNNING, JobState.FAILED, JobState.QUEUED)
        for place, (recipe, state) in enumerate(zip(grid.recipes(shared), states, strict=True)):
            job = Job(
                id=f"r00001{place}", server="gpu2", recipe=recipe, requested_by="lee", submitted_at=now()
            )
            more: dict[str, Any] = {"reason": "the disk is full"} if state is JobState.FAILED else {}
            self.jobs.add_job(job.model_copy(update={"state": state, "sweep": sweep.id, **more}))
            if state is JobState.DONE:
                done = a_result(job.id)
                content = done.content.model_copy(update={"recipe": recipe})
                self.jobs.add_result(done.model_copy(update={"content": content}))
        return self.jobs.add_sweep(sweep)

    def show_jobs(self) -> None:
        self._sheetrack.display.show_jobs()

    def show_results(self) -> None:
        self._sheetrack.display.show_results()

    def result(self, run: str) -> Result:
        found = self.jobs.result(run)
        assert found
        return found

    @contextmanager
    def serving(self) -> Iterator[str]:
        """Yields the address without its token."""
        app: Wsgi = create_app(self._sheetrack, TOKEN)

        def watched(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
            self.requests.append(f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}")
            if self.before:
                self.before(environ["PATH_INFO"])
            if not self.loses_answers or not environ["PATH_INFO"].startswith("/api/"):
                return app(environ, start_response)
            b"".join(app(environ, lambda *_: None))
            start_response("500 Internal Server Error", [("Content-Type", "text/plain")])
            return [b"lost"]

        server = HttpServer(
            watched,
            socket.create_server(("127.0.0.1", 0)),
            threads=8,
            largest_body_bytes=2 * LARGEST_BODY_BYTES,
            most_connections=100,
        )
        server.start()
        try:
            yield f"http://127.0.0.1:{server.port}"
        finally:
            server.close()
            self._sheetrack.close()


class _LabRefresh(Refresh):
    """Shows the lab's servers, whatever is read."""

    def __init__(self, lab: Lab, read: Callable[[], object]) -> None:
        self._lab = lab
        self._read = read

    def __call__(self, fresh_seconds: float = 0) -> None:
        self._read()

    def stamp(self) -> None:
        """None: the tests change the lab between any two requests."""

    def servers(self) -> list[ServerStatus]:
        return self._lab.current()

    def not_set_up(self) -> list[NotSetUp]:
        return self._lab.not_set_up

    def sheet_errors(self) -> list[str]:
        return self._lab.sheet_errors


def five_servers() -> list[ServerStatus]:
    """As in the pictures of the README: one is free, one is shared, and three have a problem."""
    at = now()
    return [
        _server("gpu2", "idle", "both GPUs free", [(2, 400, ()), (0, 350, ())], host=(3, 12), suggested=True),
        _server(
            "gpu1", "busy", "1 of 2 GPUs free", [(97, 23900, ("kim",)), (0, 420, ())], host=(41, 38)
        ).model_copy(update={"reserved": "kim until 18:00"}),
        _server(
            "gpu5", "full", "22 GiB held by park, idle for 40 min", [(1, 23600, ("park",))], host=(2, 20)
        ),
        _server(
            "gpu3",
            "overloaded",
            "memory pressure 23 % for 2 min; GPU 1 not answering",
            [(99, 22500, ("choi", "lee"))],
            host=(100, 96),
            faulty=(GpuReading(index=1, fault="not answering"),),
        ),
        ServerStatus(
            name="gpu4",
            verdict=Verdict(state=State.DOWN, reason="agent not answering since 14:02, 3 tries"),
            seen_at=at - timedelta(minutes=12),
        ),
    ]


def _server(
    name: str,
    state: str,
    reason: str,
    gpus: list[tuple[float, float, tuple[str, ...]]],
    *,
    host: tuple[float, float],
    faulty: tuple[GpuReading, ...] = (),
    suggested: bool = False,
) -> ServerStatus:
    """`gpus` as (use in per cent, memory used in MiB, users); `host` as (CPU, memory) in per cent."""
    cpu_percent, memory_percent = host
    snapshot = Snapshot(
        server=name,
        at=now(),
        host=HostReading(
            cpu_percent=cpu_percent,
            cpu_count=32,
            load_1min=cpu_percent / 3,
            memory_total_mib=128_000,
            memory_available_mib=128_000 * (1 - memory_percent / 100),
            disk_free_gib=412,
            top=(
                Process(pid=3141, user=HOSTILE, command="python", cpu_percent=cpu_percent, memory_mib=5300),
            ),
        ),
        gpus=tuple(
            GpuReading(
                index=index,
                name="NVIDIA GeForce RTX 4090",
                utilization_percent=utilization,
                memory_used_mib=used_mib,
                memory_total_mib=24_564,
                temperature_c=40 + utilization / 3,
                power_w=60 + 3 * utilization,
                power_limit_w=450,
                throttle_reasons=("power",) if utilization > 98 else (),
                processes=tuple(
                    GpuProcess(pid=100 + place, user=user, command="python train.py", memory_mib=1024)
                    for place, user in enumerate(users)
                ),
            )
            for index, (utilization, used_mib, users) in enumerate(gpus)
        )
        + faulty,
    )
    past = tuple(None if minute == 3 else cpu_percent * (0.3 + minute / 20) for minute in range(13))
    verdict = Verdict(state=State(state), reason=reason)
    return ServerStatus(
        name=name, verdict=verdict, snapshot=snapshot, seen_at=now(), suggested=suggested, last_hour=past
    )


def four_jobs() -> list[Job]:
    at = now()

    def job(number: int, server: str, state: JobState, recipe: Recipe, **more: Any) -> Job:
        submitted_at = at - timedelta(minutes=number)
        return Job(
            id=f"r00000{number}",
            server=server,
            recipe=recipe,
            requested_by="kim",
            submitted_at=submitted_at,
            state=state,
            **more,
        )

    plain = Recipe(architecture="ch32", depth=8, dropout=0.75, batch_norm=False, epochs=40, data="speech16")
    return [
        job(
            1,
            "gpu2",
            JobState.RUNNING,
            plain,
            progress=Progress(
                epoch=14, epochs=40, fraction=0.35, loss=0.2134, validation_accuracy=0.9312, seconds_left=720
            ),
        ),
        job(
            2,
            "gpu1",
            JobState.QUEUED,
            Recipe(architecture="ch128", depth=9, dropout=0.25, data="speech16"),
            reason="another training runs on this server",
        ),
        job(
            3,
            "gpu2",
            JobState.FAILED,
            plain.model_copy(update={"name": HOSTILE}),
            reason="the disk is full",
            ended_at=at,
        ),
        job(
            4,
            "gpu2",
            JobState.DONE,
            plain,
            progress=Progress(epoch=40, epochs=40, fraction=1, validation_accuracy=0.9533),
            ended_at=at,
        ).model_copy(update={"id": RUN}),
    ]
