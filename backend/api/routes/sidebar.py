from typing import Annotated

from flask import Response, g
from flask_openapi3 import APIBlueprint, Tag
from pydantic import AwareDatetime, BaseModel, Field

from backend.api.document import json_of
from backend.api.pairing import AddOn, Pairing
from backend.api.routes.jobs import JobReply, job_views
from backend.jobs.job import JobState
from backend.jobs.queue import Queue
from backend.jobs.store import JobStore
from backend.jobs.sweep import SweepView
from backend.jobs.sweeps import Sweeps
from backend.reply import reply
from backend.servers.reservations import NotSetUp
from backend.servers.state import ServerStatus
from backend.tabs.refresh import Refresh
from backend.text import plain_text
from backend.times import now
from models.result import Progress

_FINISHED_JOBS = 20
_LONGEST_NAME = 80
_LONGEST_TEXT = 300


class SidebarJob(BaseModel):
    id: str
    name: Annotated[str, Field(description="What its person called it; may be empty")]
    title: str
    command: Annotated[bool, Field(description="Whether it is a program of the lab's own")]
    where: Annotated[str, Field(description="Its server, or those that it may run on, in words")]
    gpu_names: Annotated[str, Field(description="Its GPUs in words; empty where it has none")]
    put_first_by: str | None
    overridden_by: Annotated[str | None, Field(description="Who overrode reservations for it")]
    state: JobState
    reason: str
    requested_by: str
    progress: Progress
    place_in_queue: Annotated[int | None, Field(description="From 1; of a queued job only")]
    sweep: str | None


class SidebarSweep(BaseModel):
    """How far a sweep is, without its cells."""

    id: str
    server: str
    architecture: str
    done: int
    trainings: int
    cancelling: int
    paused_by: str | None
    preparing: str
    is_over: bool
    fault: str


class SidebarReply(BaseModel):
    updated_at: AwareDatetime
    servers: list[ServerStatus]
    not_set_up: list[NotSetUp]
    sheet_errors: list[str]
    jobs: list[SidebarJob]
    sweeps: list[SidebarSweep]
    add_ons: Annotated[
        list[AddOn],
        Field(description="Add-ons that ask to be let in; told on the backend's own machine only"),
    ]


def routes(refresh: Refresh, queue: Queue, jobs: JobStore, sweeps: Sweeps, pairing: Pairing) -> APIBlueprint:
    blueprint = APIBlueprint("sidebar", __name__, url_prefix="/api", abp_tags=[Tag(name="sidebar")])

    @blueprint.get("/sidebar", responses={200: json_of(SidebarReply)})
    def show() -> Response:
        """Everything that the sidebar shows and that changes: servers, best first, jobs and sweeps."""
        shown = job_views(queue, jobs, _FINISHED_JOBS)
        return reply(
            SidebarReply(
                updated_at=now(),
                servers=list(refresh.servers()),
                not_set_up=refresh.not_set_up(),
                sheet_errors=[plain_text(error, _LONGEST_TEXT) for error in refresh.sheet_errors()],
                jobs=[_job(job) for job in shown],
                sweeps=[_sweep(view) for view in sweeps.sweeps()],
                add_ons=pairing.waiting() if g.is_local else [],
            )
        )

    return blueprint


def _job(job: JobReply) -> SidebarJob:
    return SidebarJob(
        id=job.id,
        name=plain_text(job.recipe.name if job.recipe else "", _LONGEST_NAME),
        title=plain_text(job.title, _LONGEST_NAME),
        command=job.command is not None,
        where=plain_text(job.where, _LONGEST_NAME),
        gpu_names=plain_text(job.gpu_names, _LONGEST_NAME),
        put_first_by=plain_text(job.put_first.by, _LONGEST_NAME) if job.put_first else None,
        overridden_by=plain_text(job.override.by, _LONGEST_NAME) if job.override else None,
        state=job.state,
        reason=plain_text(job.reason, _LONGEST_TEXT),
        requested_by=plain_text(job.requested_by, _LONGEST_NAME),
        progress=job.progress,
        place_in_queue=job.place_in_queue,
        sweep=job.sweep,
    )


def _sweep(view: SweepView) -> SidebarSweep:
    jobs = [cell.job for cell in view.cells if cell.job]
    failed = [job for job in jobs if job.state is JobState.FAILED]
    return SidebarSweep(
        id=view.id,
        server=view.server,
        architecture=view.recipe.architecture,
        done=sum(len(cell.runs) for cell in view.cells),
        trainings=len(view.cells) * view.grid.seeds,
        cancelling=sum(job.state is JobState.CANCELLING for job in jobs),
        paused_by=view.paused_by,
        preparing=view.preparing,
        is_over=not view.preparing and all(job.state.is_over for job in jobs),
        fault=plain_text(
            f"{len(failed)} failed: {failed[0].reason}" if failed else view.fault, _LONGEST_TEXT
        ),
    )
