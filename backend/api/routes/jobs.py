from typing import Annotated

from flask import Response, g
from flask_openapi3 import APIBlueprint, Tag
from pydantic import BaseModel, ConfigDict, Field

from backend.jobs.job import Job, JobState
from backend.jobs.queue import Queue
from backend.jobs.store import JobStore
from backend.reply import reply
from models.recipe import Recipe


class JobPath(BaseModel):
    job_id: str


class Limit(BaseModel):
    limit: Annotated[int, Field(ge=1, le=1000, description="How many finished jobs")] = 20


class LaunchHeader(BaseModel):
    key: Annotated[
        str | None,
        Field(alias="Idempotency-Key", min_length=8, max_length=100, description="Launches once per key"),
    ] = None


class LaunchBody(BaseModel):
    model_config = ConfigDict(extra="forbid")

    server: Annotated[str, Field(min_length=1, max_length=63)]
    recipe: Recipe


class JobReply(Job):
    title: str
    place_in_queue: int | None = None


class JobsReply(BaseModel):
    jobs: list[JobReply]


def routes(queue: Queue, jobs: JobStore) -> APIBlueprint:
    blueprint = APIBlueprint("jobs", __name__, url_prefix="/api/jobs", abp_tags=[Tag(name="jobs")])

    @blueprint.get("", responses={200: JobsReply})
    def list_jobs(query: Limit) -> Response:
        """The unfinished ones as they will run, then the newest that ended."""
        return reply(JobsReply(jobs=_views([*jobs.unfinished_jobs(), *jobs.finished_jobs(query.limit)])))

    @blueprint.post("", responses={201: JobReply})
    def launch(header: LaunchHeader, body: LaunchBody) -> Response:
        """Launches a training."""
        job = queue.launch(body.server, body.recipe, g.person, header.key)
        return reply(_view(job), 201)

    @blueprint.get("/<job_id>", responses={200: JobReply})
    def show_job(path: JobPath) -> Response:
        """One job."""
        return reply(_view(jobs.job(path.job_id)))

    @blueprint.post("/<job_id>/cancel", responses={200: JobReply})
    def cancel(path: JobPath) -> Response:
        """Ends a job and the whole tree of its processes."""
        return reply(_view(queue.cancel(path.job_id, g.person)))

    return blueprint


def _view(job: Job, place: int | None = None) -> JobReply:
    return JobReply(**dict(job), title=job.recipe.title, place_in_queue=place)


def _views(shown: list[Job]) -> list[JobReply]:
    waiting: dict[str, int] = {}
    views = []
    for job in shown:
        place = None
        if job.state is JobState.QUEUED:
            place = waiting[job.server] = waiting.get(job.server, 0) + 1
        views.append(_view(job, place))
    return views
