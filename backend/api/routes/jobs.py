from itertools import chain
from typing import Annotated

from flask import Response, g
from flask_openapi3 import APIBlueprint, Tag
from pydantic import BaseModel, ConfigDict, Field

from backend.api.document import binary
from backend.errors import InvalidError, RefusedError
from backend.jobs.job import UNREADABLE, Job, JobState
from backend.jobs.logs import Logs, LogTail
from backend.jobs.queue import Queue
from backend.jobs.store import JobStore
from backend.reply import reply
from models.command import Command
from models.recipe import Recipe


class JobPath(BaseModel):
    job_id: str


class Limit(BaseModel):
    limit: Annotated[int, Field(ge=1, le=1000, description="How many finished jobs")] = 20


class Lines(BaseModel):
    lines: Annotated[int, Field(ge=1, le=2000, description="How many of the last lines")] = 200


class LaunchHeader(BaseModel):
    key: Annotated[
        str | None,
        Field(alias="Idempotency-Key", min_length=8, max_length=100, description="Launches once per key"),
    ] = None


class LaunchBody(BaseModel):
    model_config = ConfigDict(extra="forbid")

    server: Annotated[str, Field(min_length=1, max_length=63)]
    recipe: Recipe | None = None
    command: Command | None = None
    """A program of the lab's own, in place of a recipe."""

    @property
    def work(self) -> Recipe | Command:
        """Raises: InvalidError: there is neither a recipe nor a command, or both."""
        if (self.recipe is None) == (self.command is None):
            raise InvalidError("A job runs either a recipe or a command.", "Send one of the two.")
        return self.command or self.recipe or UNREADABLE


class JobReply(Job):
    title: str
    place_in_queue: int | None = None


class JobsReply(BaseModel):
    jobs: list[JobReply]


def routes(queue: Queue, jobs: JobStore, logs: Logs) -> APIBlueprint:
    blueprint = APIBlueprint("jobs", __name__, url_prefix="/api/jobs", abp_tags=[Tag(name="jobs")])

    @blueprint.get("", responses={200: JobsReply})
    def list_jobs(query: Limit) -> Response:
        """The unfinished ones as they will run, then the newest that ended."""
        return reply(JobsReply(jobs=job_views([*jobs.unfinished_jobs(), *jobs.finished_jobs(query.limit)])))

    @blueprint.post("", responses={201: JobReply})
    def launch(header: LaunchHeader, body: LaunchBody) -> Response:
        """Launches a training or a program of the lab's own."""
        if body.command and not g.may_run_commands:
            raise RefusedError(
                f"{g.person} may launch trainings, but no programs of their own.",
                "Ask the person who runs the backend to add it to people.commands in settings.toml.",
            )
        job = queue.launch(body.server, body.work, g.person, header.key)
        return reply(_view(job), 201)

    @blueprint.get("/<job_id>", responses={200: JobReply})
    def show_job(path: JobPath) -> Response:
        """One job."""
        return reply(_view(jobs.job(path.job_id)))

    @blueprint.post("/<job_id>/cancel", responses={200: JobReply})
    def cancel(path: JobPath) -> Response:
        """Ends a job and the whole tree of its processes."""
        return reply(_view(queue.cancel(path.job_id, g.person)))

    @blueprint.get("/<job_id>/log", responses={200: LogTail})
    def show_log(path: JobPath, query: Lines) -> Response:
        """The last lines of a job's log."""
        return reply(logs.tail(path.job_id, query.lines))

    @blueprint.get("/<job_id>/log.txt", responses={200: binary("The whole log", "text/plain")})
    def download_log(path: JobPath) -> Response:
        """The whole log of a job, as it is now."""
        parts = logs.whole(path.job_id)
        first = next(parts, b"")  # what is wrong is known before the answer begins
        answer = Response(chain([first], parts), mimetype="text/plain")
        answer.headers["Content-Disposition"] = f'attachment; filename="{path.job_id}.log"'
        return answer

    return blueprint


def _view(job: Job, place: int | None = None) -> JobReply:
    return JobReply(**dict(job), title=job.work.title, place_in_queue=place)


def job_views(shown: list[Job]) -> list[JobReply]:
    """The jobs with their titles, the queued ones with their places."""
    waiting: dict[str, int] = {}
    views = []
    for job in shown:
        place = None
        if job.state is JobState.QUEUED:
            place = waiting[job.server] = waiting.get(job.server, 0) + 1
        views.append(_view(job, place))
    return views
