"""A request to run a Recipe or a Command on a Server, and what became of it."""

from enum import StrEnum
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from backend.servers.logins import person_of
from models.command import Command
from models.recipe import Recipe
from models.result import Progress


class JobState(StrEnum):
    QUEUED = "queued"
    STARTING = "starting"
    RUNNING = "running"
    CANCELLING = "cancelling"
    """To be ended; its processes may still run."""
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    TIMED_OUT = "timed_out"
    """Ended at its time limit, with a checkpoint."""
    LOST = "lost"
    """Its server does not answer; its processes may still run."""

    @property
    def in_words(self) -> str:
        return self.value.replace("_", " ")

    @property
    def is_over(self) -> bool:
        """Whether the state is final."""
        return self in (JobState.DONE, JobState.FAILED, JobState.CANCELLED, JobState.TIMED_OUT)

    @property
    def holds_server(self) -> bool:
        """Whether processes of the job may run on the server."""
        return not self.is_over and self is not JobState.QUEUED


NO_PROGRESS = "no progress for "
"""Begins the reason of a running job that shows none."""


ANY = "any"
"""Stands for every server that takes jobs."""


def servers_in(choice: str) -> tuple[str, ...]:
    """The names in `gpu1`, `gpu1,gpu2` or `any`, each once, in the order of the alphabet."""
    return tuple(sorted({name.strip() for name in choice.split(",")} - {""}))


class Resources(BaseModel):
    """What a job needs of a server."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    gpus: Annotated[
        int | None, Field(ge=0, le=64, description="How many GPUs; empty: one where the server has any")
    ] = None
    gpu_memory_gib: Annotated[
        float | None, Field(gt=0, le=10_000, description="The most memory that it takes on each GPU")
    ] = None


class AssignedGpu(BaseModel):
    """A GPU, or an instance of a divided GPU, that a job was given."""

    model_config = ConfigDict(frozen=True)

    uuid: str
    index: int
    """The number of the GPU on its server, as nvidia-smi shows it."""
    name: str | None = None


class Limits(BaseModel):
    """What one job may use on a server; None: as much as it likes."""

    model_config = ConfigDict(frozen=True)

    threads: int | None = None
    memory_gib: float | None = None
    """Main memory of each of its processes."""
    hours: float | None = None


class Decision(BaseModel):
    """Who decided something about a job, and when."""

    model_config = ConfigDict(frozen=True)

    by: str
    at: AwareDatetime


class Job(BaseModel):
    """Job and Run share their `id`: the job leaves behind the run folder of that name."""

    model_config = ConfigDict(frozen=True)

    id: str
    server: str
    """Where it runs, or will run; empty while it waits for one of `servers`."""
    servers: tuple[str, ...] = ()
    """Where it may run: servers, or `ANY`. Empty: on `server` alone."""
    gpus: int | None = None
    """How many GPUs it asks for; None: one where the server has any."""
    gpu_memory_gib: float | None = None
    """Memory that it promises to stay within on each GPU; None: it promises nothing."""
    recipe: Recipe | None = None
    """The training that it runs."""
    command: Command | None = None
    """The program of the lab's own that it runs; it has either this or a recipe."""
    requested_by: str
    submitted_at: AwareDatetime
    state: JobState = JobState.QUEUED
    reason: str = ""
    """Why it waits, failed or was cancelled, as a sentence."""
    handle: str | None = None
    """The engine's name for it; None: not known to have been started."""
    started_at: AwareDatetime | None = None
    ended_at: AwareDatetime | None = None
    assigned: tuple[AssignedGpu, ...] | None = None
    """The GPUs that it runs on, stored before it starts; None: none were chosen, and it sees all of them."""
    limits: Limits | None = None
    """The limits of its server when it started; None: it has not started, or has none."""
    put_first: Decision | None = None
    """Who let it overtake the jobs that wait."""
    override: Decision | None = None
    """Who let it run in spite of other people's reservations."""
    progress: Progress = Progress()
    attempt: int = 1
    """How often it was queued; Ray knows each attempt by a different name."""
    retries: int = 0
    """How often it was queued again since its last new epoch."""
    epochs: int = 0
    """The epochs that were finished when it was last queued again."""
    continues: str = ""
    """Where the present attempt begins and why there is one; empty for the first."""
    sweep: str | None = None
    """The sweep that it belongs to."""

    @property
    def work(self) -> Recipe | Command:
        """What it runs."""
        return self.command or self.recipe or UNREADABLE

    @property
    def person(self) -> str:
        """Takes turns and holds reservations: the same at the command line and on the page."""
        return person_of(self.requested_by)

    @property
    def has_gpus(self) -> bool:
        """Whether it was given GPUs."""
        return bool(self.assigned)

    @property
    def is_cell(self) -> bool:
        """Whether it is a training of a sweep."""
        return self.sweep is not None and self.recipe is not None

    @property
    def resources(self) -> Resources:
        """What it needs of a server."""
        return Resources.model_construct(gpus=self.gpus, gpu_memory_gib=self.gpu_memory_gib)

    @property
    def runs_on(self) -> str:
        """Its server, or those that it may run on, in words."""
        return self.server or " or ".join(self.servers)

    @property
    def unplaced(self) -> dict[str, object]:
        """The changes that take back where it was placed: it may then start on another server and GPU."""
        server = "" if self.servers else self.server
        return {"server": server, "assigned": None, "limits": None, "started_at": None}

    @property
    def gpu_text(self) -> str:
        """Its GPUs in words, such as `GPU 3` or `GPUs 0, 1`; empty where none were chosen."""
        indices = sorted({gpu.index for gpu in self.assigned or ()})
        return f"GPU{'s' * (len(indices) > 1)} {', '.join(map(str, indices))}" if indices else ""


UNREADABLE = Recipe(name="The stored recipe cannot be read.", architecture="unknown", data="unknown")
"""Stands for a recipe or a command that cannot be read: the job is shown, and followed where it runs already."""
