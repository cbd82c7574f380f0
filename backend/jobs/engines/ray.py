"""Jobs on other servers: started through Ray, followed through the agent of each server."""

import json
import math
import re
import shlex
import time
from collections.abc import Iterable
from contextlib import suppress
from functools import partial
from pathlib import Path

import httpx
from pydantic import ValidationError

from backend.errors import UnavailableError
from backend.jobs.ending import ended_on_ray, noted_ending, rebooted
from backend.jobs.engines import LogPart, LostError, ProcessState, job_environment
from backend.jobs.engines.http_client import Remote, open_client
from backend.jobs.engines.log_file import part_of
from backend.jobs.engines.ray_jobs import RayJob, RayJobs
from backend.jobs.engines.run_mirror import Mirror
from backend.jobs.engines.steps import prefix
from backend.jobs.job import Job
from backend.probe.snapshot import Snapshot
from backend.servers.server import Server, read_agent_token
from backend.settings import RaySettings, private_text
from models.own_files import packed
from models.process import command
from models.run_folder import RunFolder

GRACE_SECONDS = 5
"""Time that a training has to write a checkpoint before Ray kills it."""
_SNAPSHOT_BYTES = 256 << 10
_RESULT = "result.json"
_START_SECONDS = 60.0
"""A job that Ray holds pending for so long, or running without its lock, may be one that it has forgotten."""
_BETWEEN_SECONDS = 2.0
"""Time between two polls of a running training."""
_ENVIRONMENT = {
    # Ray leaves the GPUs that a job sees alone: the queue chooses them.
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_JOB_STOP_WAIT_TIME_S": str(GRACE_SECONDS),
}


class RayEngine:
    """A training runs while Ray says so, or while the agent of its server sees the lock on its run held."""

    def __init__(self, settings: RaySettings, home: Path, runs: Path, servers: Iterable[Server]) -> None:
        self._runs = runs
        self._client = open_client()
        self._jobs = ray_jobs(settings, home, self._client)
        known = list(servers)
        self._environments = {server.name: server.environments for server in known}
        self._agents = {
            server.name: Remote(
                self._client,
                f"The agent of {server.name}",
                server.agent or "",
                partial(read_agent_token, server.token_file),
            )
            for server in known
        }
        self._mirrors = {name: Mirror(agent, runs) for name, agent in self._agents.items()}
        self._notes: dict[str, str] = {}
        self._rests_until: dict[str, float] = {}
        """When each running job is polled again, by the monotonic clock."""
        self._doubted_at: dict[str, float] = {}
        """When Ray is asked whether it still follows each submission that seems not to run, by the monotonic clock."""
        self._forgotten: set[str] = set()
        """The submissions that Ray holds pending or running, and that nothing in it follows."""

    def close(self) -> None:
        self._client.close()

    def start(self, job: Job) -> str:
        """Submits the job to Ray unless Ray has it already. The handle is Ray's name for it, one an attempt."""
        name = _submission(job)
        if self._jobs.job(name) is None:
            if job.server not in self._jobs.servers():
                raise absent(job.server)
            content = json.dumps(job.work.model_dump())
            options = prefix(job, self._environments[job.server])
            source = RunFolder(self._runs / job.id).architecture_file
            if source.exists():
                options.append(f"--source={packed(source.read_bytes())}")
            options += ["--again"] * (job.attempt > 1)
            # `exec`: Ray ends its own child with certainty, a grandchild not always.
            # `env`: Ray itself sets some of these variables in the environment that a job gets.
            seen = [f"{name}={value}" for name, value in job_environment(job).items()]
            run = command("job", *options, job.id, content, python="python")
            self._jobs.submit(name, shlex.join(["exec", "env", *seen, *run]), job.server, _ENVIRONMENT)
        return name

    def poll(self, job: Job) -> ProcessState:
        if time.monotonic() < self._rests_until.get(job.id, -math.inf):
            return ProcessState.RUNNING
        try:
            known = self._jobs.job(_submission(job))
        except LostError as silent:
            return self._without_ray(job, silent)
        self._notes[job.id] = _held(known)
        there = self._mirrors[job.server].files(job)
        is_training = there is not None and there.is_training
        # Ray may have lost a job that still runs.
        is_over = (known is None or known.is_over) and not is_training
        if is_training:
            self._doubted_at.pop(_submission(job), None)
        elif known and not known.is_over:
            has_forgotten = self._has_forgotten(_submission(job))
            if known.status == "PENDING" and not has_forgotten:
                return ProcessState.PENDING
            if known.status == "PENDING" and there is None:
                self._notes[job.id] = "Ray forgot it before it started"
                return ProcessState.FORGOTTEN
            is_over = has_forgotten  # it ended while Ray's head was away
        if known and known.status == "SUCCEEDED" and there is None:
            raise LostError(
                f"Ray has finished the job, and the agent of {job.server} does not see its run.",
                "Give Ray and the agent there the same SHEETRACK_HOME.",
            )
        is_whole = there is None or self._mirrors[job.server].bring(job, there, is_over=is_over)
        if is_over and is_whole:
            self._rests_until.pop(job.id, None)
            return ProcessState.EXITED
        if is_whole:
            self._rests_until[job.id] = time.monotonic() + _BETWEEN_SECONDS
        return ProcessState.RUNNING

    def _has_forgotten(self, name: str) -> bool:
        """Whether nothing in Ray follows a submission that it holds pending or running; asked now and then."""
        if name in self._forgotten:
            return True
        at = time.monotonic()
        if at >= self._doubted_at.setdefault(name, at + _START_SECONDS):
            self._doubted_at[name] = at + _START_SECONDS
            if self._jobs.is_forgotten(name):
                self._forgotten.add(name)
        return False  # it may have run and ended just now: the next poll sees that

    def stop(self, job: Job, *, kill: bool = False) -> None:
        """Ray itself kills, `GRACE_SECONDS` after it was asked to stop the job."""
        del kill
        self._rests_until.pop(job.id, None)
        name = _submission(job)
        known = self._jobs.job(name)
        if known and not known.is_over:
            self._jobs.stop(name)

    def _without_ray(self, job: Job, silent: LostError) -> ProcessState:
        """What the agent alone tells of a job, while Ray's head does not answer.

        Raises:
            LostError: the agent sees neither a training nor a result, so that only Ray knows.
        """
        there = self._mirrors[job.server].files(job)
        has_result = there is not None and any(file.name == _RESULT for file in there.files)
        if there is None or not (there.is_training or has_result):
            raise silent
        is_over = has_result and not there.is_training
        is_whole = self._mirrors[job.server].bring(job, there, is_over=is_over)
        self._notes[job.id] = f"{silent.message} The agent of {job.server} tells the progress"
        return ProcessState.EXITED if is_over and is_whole else ProcessState.RUNNING

    def note(self, job: Job) -> str:
        return self._notes.get(job.id, "")

    def ask_ray(self) -> str:
        """Why Ray gives no usable answer now; empty where it does."""
        try:
            self._jobs.version()
        except LostError as error:
            return f"{error.message} Jobs on other servers cannot be started or ended until it does."
        return ""

    def log(self, job: Job) -> str:
        """The training's own log; where there is none, Ray's message."""
        if log := RunFolder(self._runs / job.id).log_tail():
            return log
        try:
            known = self._jobs.job(_submission(job))
        except LostError as error:
            return error.message
        return _last_words(known.message or "") if known else "Ray does not know this job"

    def ending(self, job: Job) -> str:
        """As the program's own folder says, or the server's start, or Ray."""
        if noted := noted_ending(RunFolder(self._runs / job.id)):
            return noted
        with suppress(LostError, ValidationError):
            answer = self._agents[job.server].ask("/snapshot", _SNAPSHOT_BYTES)
            host = Snapshot.model_validate_json(answer or b"").host
            if reboot := rebooted(job, host.booted_at if host else None):
                return reboot
        with suppress(LostError):
            if known := self._jobs.job(_submission(job)):
                return ended_on_ray(known.status, known.message or "")
        return ""

    def read_log(self, job: Job, start: int, most_bytes: int) -> LogPart:
        """From the server's agent; where the server has no such run, what was brought here."""
        there = self._agents[job.server].part(f"/runs/{job.id}/train.log", start, most_bytes)
        return there or part_of(RunFolder(self._runs / job.id), start, most_bytes)


def ray_jobs(settings: RaySettings, home: Path, client: httpx.Client) -> RayJobs:
    """The Jobs API of the lab's Ray, with the token file in `settings`; relative paths start at `home`."""
    what, file = f"Ray at {settings.address}", home / settings.token_file
    return RayJobs(Remote(client, what, settings.address, lambda: private_text(file, "Ray token")))


def absent(server: str) -> UnavailableError:
    """The error for a server that Ray does not know: Ray would let its job wait for ever, without a message."""
    return UnavailableError(
        f"{server} is not part of Ray's cluster.",
        f"""Start Ray there with --resources '{{"server:{server}": 1}}', as deploy/sheetrack-ray.service does.""",
    )


def _submission(job: Job) -> str:
    """Ray's name for an attempt: it accepts no name twice."""
    return job.id if job.attempt == 1 else f"{job.id}-{job.attempt}"


def _held(known: RayJob | None) -> str:
    if known is None or known.status != "PENDING":
        return ""
    return f"pending in Ray: {known.message or 'it waits for the resources of the server'}"


def _last_words(message: str) -> str:
    """The output of the command, which follows a line in which Ray repeats the command."""
    return re.split(r"^Running entrypoint for job .*$", message, maxsplit=1, flags=re.MULTILINE)[-1].strip()
