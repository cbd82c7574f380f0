"""The page of one run, from its first epoch on, and what people note about it."""

from contextlib import suppress
from pathlib import Path
from typing import Annotated

from flask import Response, g, send_file
from flask_openapi3 import APIBlueprint, Tag
from pydantic import BaseModel, Field

from backend.api.document import binary, json_of
from backend.api.routes.jobs import JobReply, job_view
from backend.api.routes.runs import RunPath
from backend.errors import InvalidError, NotFoundError
from backend.jobs.job import JobState, Resources
from backend.jobs.logs import Logs
from backend.jobs.marks import Mark, MarkChange, Marks
from backend.jobs.own_command import own_command
from backend.jobs.queue import Queue
from backend.jobs.run_bin import DeletedRun, RunBin
from backend.jobs.store import JobStore
from backend.reply import reply
from backend.servers.server_list import Servers
from backend.settings import Home
from backend.sheets.table import Table
from backend.tabs.display import Display
from backend.tabs.leaderboard import train_command
from models.program_reader import read_any_progress, read_any_run
from models.recipe import Recipe
from models.result import Epoch, MetricLine, Progress
from models.run_folder import RunFolder, is_run_id
from models.run_reader import BrokenRunError

_LINES = 30


class FilePath(RunPath):
    name: str


class Known(BaseModel):
    known: Annotated[str, Field(description="The `stamp` of the answer that the client has")] = ""


class Download(BaseModel):
    name: str
    size_bytes: int


class RunPage(BaseModel):
    run: str
    title: str
    state: str
    """That of its job; of a training without a job `running`, `stopped` or `done`."""
    is_deleted: bool
    """Whether it is in the bin; then nothing else is told."""
    mark: Mark
    job: JobReply | None
    progress: Progress
    recipe: Recipe | None
    command: str
    """The command that trains its recipe again; empty where it has none."""
    history: list[Epoch]
    metrics: list[MetricLine]
    log: list[str]
    """Its last lines."""
    log_note: str
    table: Table | None
    """What the tab of the finished run shows."""
    files: list[Download]


class RunPageReply(BaseModel):
    stamp: str
    """Changes whenever the page does."""
    page: RunPage | None
    """None: the client has it."""


class BinReply(BaseModel):
    deleted: list[DeletedRun]


class _Pages:
    """The pages of runs, made of all that is stored about each."""

    def __init__(
        self, home: Home, *, jobs: JobStore, queue: Queue, logs: Logs, marks: Marks, display: Display
    ) -> None:
        self._home = home
        self._jobs = jobs
        self._queue = queue
        self._logs = logs
        self._marks = marks
        self._display = display

    def check(self, run: str) -> RunFolder:
        """Raises: NotFoundError: there is neither a run nor a job of that name."""
        folder = RunFolder(self._home.runs / run)
        if not is_run_id(run) or not (folder.path.is_dir() or self._job(run) or self._jobs.result(run)):
            raise NotFoundError(f"There is no run {run!r}.", "`sheetrack results` lists them.")
        return folder

    def reply(self, run: str, known: str) -> RunPageReply:
        """The page of a run; without its content where that has the stamp `known`."""
        folder, job, mark = self.check(run), self._job(run), self._marks.of(run)
        is_running = folder.is_locked() if job is None else not job.state.is_over
        changed = str(sorted(folder.changed().items()))
        stamp = f"{hash((job and job.model_dump_json(), mark, changed, is_running)):x}"
        # The log of a job on another server is read there, so that its file here tells nothing.
        if known == stamp and not is_running:
            return RunPageReply(stamp=stamp, page=None)
        content = read_any_run(folder)
        tail = self._logs.tail(run, _LINES) if job and job.state is not JobState.QUEUED else None
        work = (job.work if job else None) or content.recipe or content.command
        recipe = work if isinstance(work, Recipe) else None
        ended = "done" if content.result else "stopped"
        page = RunPage(
            run=run,
            title=work.title if work else "",
            state=job.state.value if job else "running" if is_running else ended,
            is_deleted=False,
            mark=mark,
            job=job,
            progress=job.progress if job else _progress(folder),
            recipe=recipe,
            command=train_command(recipe) if recipe else "",
            history=content.history,
            metrics=content.metrics,
            log=tail.lines if tail else folder.log_tail(_LINES).splitlines(),
            log_note=tail.note if tail else "",
            table=self._display.run_table(run),
            files=_files(folder),
        )
        return RunPageReply(stamp=stamp, page=page)

    def _job(self, run: str) -> JobReply | None:
        try:
            return job_view(self._jobs.job(run), self._queue.places())
        except NotFoundError:
            return None


def routes(
    *,
    home: Home,
    servers: Servers,
    jobs: JobStore,
    queue: Queue,
    logs: Logs,
    marks: Marks,
    run_bin: RunBin,
    display: Display,
) -> APIBlueprint:
    blueprint = APIBlueprint("run_pages", __name__, url_prefix="/api/runs", abp_tags=[Tag(name="runs")])
    pages = _Pages(home, jobs=jobs, queue=queue, logs=logs, marks=marks, display=display)

    @blueprint.get("/<run>/page", responses={200: json_of(RunPageReply)})
    def show_page(path: RunPath, query: Known) -> Response:
        """Everything that the page of a run shows: progress, curve, log, and its tables once it is finished."""
        if run_bin.has(path.run):
            return reply(RunPageReply(stamp="deleted", page=_deleted(path.run)))
        return reply(pages.reply(path.run, query.known))

    @blueprint.get("/<run>/files/<name>", responses={200: binary("The file", "application/octet-stream")})
    def download(path: FilePath) -> Response:
        """A file of a run: its recipe, result, predictions, history, log or checkpoint."""
        known = _downloads(pages.check(path.run))
        file = next((file for file in known if file.name == path.name and file.is_file()), None)
        if file is None:
            raise NotFoundError(
                f"Run {path.run} has no file {path.name!r} here.",
                f"If it is on another server: sheetrack fetch {path.run}",
            )
        return send_file(file, as_attachment=True, download_name=f"{path.run}-{file.name}", max_age=0)

    @blueprint.post("/<run>/mark", responses={200: json_of(Mark)})
    def change_mark(path: RunPath, body: MarkChange) -> Response:
        """Names a run, notes something about it, gives it a star, or puts it into the archive."""
        pages.check(path.run)
        return reply(marks.change(path.run, body))

    @blueprint.post("/<run>/delete", responses={200: json_of(BinReply)})
    def delete(path: RunPath) -> Response:
        """Moves a run into the bin."""
        run_bin.delete(path.run)
        return reply(BinReply(deleted=run_bin.runs()))

    @blueprint.post("/<run>/restore", responses={200: json_of(BinReply)})
    def restore(path: RunPath) -> Response:
        """Moves a run back out of the bin."""
        run_bin.restore(path.run)
        return reply(BinReply(deleted=run_bin.runs()))

    _add_explain(blueprint, pages, servers, queue)
    return blueprint


def _add_explain(blueprint: APIBlueprint, pages: _Pages, servers: Servers, queue: Queue) -> None:
    @blueprint.post("/<run>/explain", responses={201: json_of(JobReply)})
    def explain(path: RunPath) -> Response:
        """Makes all analyses of a trained network, as a job on this machine."""
        folder = pages.check(path.run)
        if not folder.result_file.exists() or not folder.checkpoint_file.exists():
            raise InvalidError(
                f"Run {path.run} has no trained network here.", f"Bring it: sheetrack fetch {path.run}"
            )
        here = next((name for name, server in servers.items() if server.is_here), None)
        if here is None:
            raise InvalidError(
                "No server of servers.toml is this machine.", f"Here, type: sheetrack explain all {path.run}"
            )
        command = own_command(["explain", "all", path.run], is_here=True)
        job = queue.launch(here, command, g.person, resources=Resources(gpus=0))
        return reply(job_view(job, queue.places()), 201)


def _deleted(run: str) -> RunPage:
    return RunPage(
        run=run, title="", state="deleted", is_deleted=True, mark=Mark(), job=None, progress=Progress(),
        recipe=None, command="", history=[], metrics=[], log=[], log_note="", table=None, files=[],
    )  # fmt: skip


def _progress(folder: RunFolder) -> Progress:
    try:
        return read_any_progress(folder)
    except BrokenRunError:
        return Progress()


def _files(folder: RunFolder) -> list[Download]:
    """The files of a run that can be downloaded."""
    files = []
    for file in _downloads(folder):
        with suppress(OSError):
            files.append(Download(name=file.name, size_bytes=file.stat().st_size))
    return files


def _downloads(folder: RunFolder) -> list[Path]:
    return [
        folder.recipe_file, folder.command_file, folder.environment_file, folder.result_file,
        folder.predictions_file, folder.history_file, folder.log_file, folder.checkpoint_file,
        folder.explanations / "report.html",
    ]  # fmt: skip
