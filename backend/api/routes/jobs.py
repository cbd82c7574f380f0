import math
from collections.abc import Mapping
from itertools import chain
from typing import Annotated

from flask import Response, g
from flask_openapi3 import APIBlueprint, Tag
from pydantic import BaseModel, ConfigDict, Field

from backend.api.document import binary, json_of
from backend.errors import InvalidError, RefusedError
from backend.jobs.job import UNREADABLE, Job, Resources
from backend.jobs.logs import Logs, LogTail
from backend.jobs.queue import Queue
from backend.jobs.store import JobStore
from backend.reply import reply
from models.command import Command
from models.recipe import Recipe


class JobPath(BaseModel):
    job_id: str


class Limit(BaseModel):
    model_config = ConfigDict(extra="forbid")

    limit: Annotated[int, Field(ge=1, le=1000, description="How many finished jobs")] = 20


class Lines(BaseModel):
    model_config = ConfigDict(extra="forbid")

    lines: Annotated[int, Field(ge=1, le=2000, description="How many of the last lines")] = 200


class LaunchHeader(BaseModel):
    key: Annotated[
        str | None,
        Field(alias="Idempotency-Key", min_length=8, max_length=100, description="Launches once per key"),
    ] = None


class LaunchBody(BaseModel):
    model_config = ConfigDict(extra="forbid")

    server: Annotated[str, Field(min_length=1, max_length=1000, description="A name, `gpu1,gpu2`, or `any`")]
    recipe: Recipe | None = None
    command: Command | None = None
    """A program of the lab's own, in place of a recipe."""
    resources: Resources = Resources()

    @property
    def work(self) -> Recipe | Command:
        """Raises: InvalidError: there is neither a recipe nor a command, or both."""
        if (self.recipe is None) == (self.command is None):
            raise InvalidError("A job runs either a recipe or a command.", "Send one of the two.")
        return self.command or self.recipe or UNREADABLE


class JobReply(Job):
    title: str
    where: str
    """Its server, or those that it may run on, in words."""
    gpu_names: str
    """Its GPUs in words; empty where it has none."""
    place_in_queue: int | None = None
    """1 starts next; a paused job has no place."""


class JobsReply(BaseModel):
    jobs: list[JobReply]


def _check_right() -> None:
    if not g.may_decide:
        raise RefusedError(
            f"{g.person} may launch and cancel, but not put jobs first or override reservations.",
            "Ask the person who runs the backend to add it to people.decide in settings.toml.",
        )


def routes(queue: Queue, jobs: JobStore, logs: Logs) -> APIBlueprint:
    blueprint = APIBlueprint("jobs", __name__, url_prefix="/api/jobs", abp_tags=[Tag(name="jobs")])

    @blueprint.get("", responses={200: json_of(JobsReply)})
    def list_jobs(query: Limit) -> Response:
        """The unfinished ones as they will run, then the newest that ended."""
        return reply(JobsReply(jobs=job_views(queue, jobs, query.limit)))

    @blueprint.post("", responses={201: json_of(JobReply)})
    def launch(header: LaunchHeader, body: LaunchBody) -> Response:
        """Launches a training or a program of the lab's own."""
        if body.command and not g.may_run_commands:
            raise RefusedError(
                f"{g.person} may launch trainings, but no programs of their own.",
                "Ask the person who runs the backend to add it to people.commands in settings.toml.",
            )
        job = queue.launch(body.server, body.work, g.person, header.key, body.resources)
        return reply(job_view(job, queue.places()), 201)

    @blueprint.get("/<job_id>", responses={200: json_of(JobReply)})
    def show_job(path: JobPath) -> Response:
        """One job."""
        return reply(job_view(jobs.job(path.job_id), queue.places()))

    @blueprint.post("/<job_id>/cancel", responses={200: json_of(JobReply)})
    def cancel(path: JobPath) -> Response:
        """Ends a job and the whole tree of its processes."""
        return reply(job_view(queue.cancel(path.job_id, g.person), {}))

    @blueprint.post("/<job_id>/first", responses={200: json_of(JobReply)})
    def put_first(path: JobPath) -> Response:
        """Lets a job that waits overtake all others; who did that is recorded."""
        _check_right()
        return reply(job_view(queue.put_first(path.job_id, g.person), queue.places()))

    @blueprint.post("/<job_id>/override", responses={200: json_of(JobReply)})
    def override(path: JobPath) -> Response:
        """Lets a job that waits run in spite of reservations; who did that is recorded."""
        _check_right()
        return reply(job_view(queue.override_reservations(path.job_id, g.person), queue.places()))

    @blueprint.get("/<job_id>/log", responses={200: json_of(LogTail)})
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

    _add_resume(blueprint, queue)
    return blueprint


def _add_resume(blueprint: APIBlueprint, queue: Queue) -> None:
    @blueprint.post("/<job_id>/resume", responses={200: json_of(JobReply)})
    def resume(path: JobPath) -> Response:
        """Queues a job again that failed, timed out or was cancelled; it goes on from its checkpoint."""
        return reply(job_view(queue.resume(path.job_id, g.person), queue.places()))


def job_views(queue: Queue, jobs: JobStore, most_finished: int) -> list[JobReply]:
    """The unfinished jobs as they will run, then the newest that ended."""
    places = queue.places()

    def turn(job: Job) -> float:
        return 0 if job.state.holds_server else places.get(job.id, math.inf)

    shown = [*sorted(jobs.unfinished_jobs(), key=turn), *jobs.finished_jobs(most_finished)]
    return [job_view(job, places) for job in shown]


def job_view(job: Job, places: Mapping[str, int]) -> JobReply:
    return JobReply(
        **dict(job),
        title=job.work.title,
        where=job.runs_on,
        gpu_names=job.gpu_text,
        place_in_queue=places.get(job.id),
    )
