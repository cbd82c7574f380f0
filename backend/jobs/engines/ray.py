"""Trainings on other servers: started through Ray, followed through each server's own agent."""

import json
import math
import re
import shlex
import time
from collections.abc import Iterable
from functools import partial
from pathlib import Path

import httpx

from backend.errors import UnavailableError
from backend.jobs.engines import LostError, ProcessState
from backend.jobs.engines.http_client import Remote, open_client
from backend.jobs.engines.ray_jobs import RayJob, RayJobs
from backend.jobs.engines.run_mirror import Mirror
from backend.jobs.job import Job
from backend.jobs.run_files import RunFiles
from backend.servers.server import Server, read_agent_token
from backend.settings import RaySettings, private_text
from models.process import command
from models.run_folder import RunFolder

GRACE_SECONDS = 5
"""How long a training may take to leave a checkpoint before Ray kills it."""
_STOP_SECONDS = 2 * GRACE_SECONDS
_BETWEEN_SECONDS = 2.0
"""How often a training that runs is asked for."""
_ENVIRONMENT = {
    # A job that reserves no GPU shall see them all: the queue admits one training a server.
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_JOB_STOP_WAIT_TIME_S": str(GRACE_SECONDS),
}


class RayEngine:
    """Whether a training lives is known to Ray, which ends it, and to its run's lock, which the agent sees."""

    def __init__(self, settings: RaySettings, home: Path, runs: Path, servers: Iterable[Server]) -> None:
        self._runs = runs
        self._client = open_client()
        self._jobs = ray_jobs(settings, home, self._client)
        self._mirrors = {
            server.name: Mirror(
                Remote(
                    self._client,
                    f"The agent of {server.name}",
                    server.agent or "",
                    partial(read_agent_token, server.token_file),
                ),
                runs,
            )
            for server in servers
        }
        self._rests_until: dict[str, float] = {}
        """When each job that is alive is asked for again, by the monotonic clock."""

    def close(self) -> None:
        self._client.close()

    def start(self, job: Job) -> str:
        """Has Ray run the job on its server, unless Ray has it already. The handle is the job's own name."""
        if self._jobs.job(job.id) is None:
            if job.server not in self._jobs.servers():
                raise absent(job.server)
            recipe = json.dumps(job.recipe.model_dump())
            # `exec`: Ray ends what it started itself with certainty, and what that started not always.
            training = shlex.join(["exec", *command("job", job.id, recipe, python="python")])
            self._jobs.submit(job.id, training, job.server, _ENVIRONMENT)
        return job.id

    def poll(self, job: Job) -> ProcessState:
        if time.monotonic() < self._rests_until.get(job.id, -math.inf):
            return ProcessState.RUNNING
        known, there = self._look(job)
        is_over = _is_over(known, there)
        if known and known.status == "SUCCEEDED" and there is None:
            raise LostError(
                f"Ray has finished it, and the agent of {job.server} sees nothing of it.",
                "Give Ray and the agent there the same SHEETRACK_HOME.",
            )
        is_whole = there is None or self._mirrors[job.server].bring(job, there, is_over=is_over)
        if is_over and is_whole:
            self._rests_until.pop(job.id, None)
            return ProcessState.EXITED
        if is_whole:
            self._rests_until[job.id] = time.monotonic() + _BETWEEN_SECONDS
        return ProcessState.RUNNING

    def stop(self, job: Job) -> None:
        self._rests_until.pop(job.id, None)
        until = time.monotonic() + _STOP_SECONDS
        known = self._jobs.job(job.id)
        if known and not known.is_over:
            self._jobs.stop(job.id)
        while not _is_over(*self._look(job)):
            if time.monotonic() > until:
                raise LostError(f"{job.server} has not ended {job.id} yet.", "It is tried again by itself.")
            time.sleep(0.2)

    def _look(self, job: Job) -> tuple[RayJob | None, RunFiles | None]:
        """What Ray knows of the job, and what its server then has of the run."""
        return self._jobs.job(job.id), self._mirrors[job.server].files(job)

    def log(self, job: Job) -> str:
        """The training's own log; where it never wrote one, what Ray says."""
        if said := RunFolder(self._runs / job.id).log_tail():
            return said
        try:
            known = self._jobs.job(job.id)
        except LostError as error:
            return error.message
        return _last_words(known.message or "") if known else "Ray knows nothing of it"


def ray_jobs(settings: RaySettings, home: Path, client: httpx.Client) -> RayJobs:
    """Speaks to the lab's Ray with the token that `settings` names; relative paths start at `home`."""
    what, file = f"Ray at {settings.address}", home / settings.token_file
    return RayJobs(Remote(client, what, settings.address, lambda: private_text(file, "Ray token")))


def absent(server: str) -> UnavailableError:
    """Ray would let a job for a server that it does not know wait for ever, and say nothing."""
    return UnavailableError(
        f"{server} is not part of Ray's cluster.",
        f"""Start Ray there with --resources '{{"server:{server}": 1}}', as deploy/sheetrack-ray.service does.""",
    )


def _is_over(known: RayJob | None, there: RunFiles | None) -> bool:
    """Ray may have lost what it started, or forgotten it, while it goes on."""
    return (known is None or known.is_over) and not (there and there.is_training)


def _last_words(message: str) -> str:
    """What the command wrote, after the line with which Ray repeats the command itself."""
    return re.split(r"^Running entrypoint for job .*$", message, maxsplit=1, flags=re.MULTILINE)[-1].strip()
