"""Ray's Jobs API over HTTP: the backend runs without Ray's packages."""

from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, Field, ValidationError

from backend.jobs.engines import LostError
from backend.jobs.engines.http_client import Remote

_MOST_BYTES = 4 << 20
_RESOURCE = "server:"
_STARTER = "_ray_internal_job_actor_"
"""Begins the name of the actor that starts a job."""
_SHARE = 0.001
"""The part of a server's resource that a job takes: it pins the job there and leaves room for a thousand."""

Answer = TypeVar("Answer", bound=BaseModel)


class RayJob(BaseModel):
    status: str
    """`PENDING`, `RUNNING`, `STOPPED`, `SUCCEEDED` or `FAILED`."""
    message: str | None = None
    """Ray's own words; for a failed job with the last lines of its output."""

    @property
    def is_over(self) -> bool:
        return self.status in ("STOPPED", "SUCCEEDED", "FAILED")


class _Version(BaseModel):
    ray_version: str


class _Raylet(BaseModel):
    state: str
    resources: Annotated[dict[str, float], Field(alias="resourcesTotal")] = {}


class _Machine(BaseModel):
    raylet: _Raylet


class _Summary(BaseModel):
    summary: list[_Machine]


class _Machines(BaseModel):
    data: _Summary


class _Actor(BaseModel):
    state: str


class _Actors(BaseModel):
    total: int
    num_after_truncation: int
    """How many of `total` were looked through."""
    result: list[_Actor]


class _ActorsResult(BaseModel):
    result: _Actors


class _ActorsAnswer(BaseModel):
    data: _ActorsResult


class RayJobs:
    """Every call raises LostError where Ray gives no usable answer."""

    def __init__(self, ray: Remote) -> None:
        self._ray = ray

    def version(self) -> str:
        return self._read("/api/version", _Version).ray_version

    def servers(self) -> set[str]:
        """The servers that are part of the cluster now, by the resource `server:<name>`."""
        machines = self._read("/nodes?view=summary", _Machines).data.summary
        living = [machine.raylet.resources for machine in machines if machine.raylet.state == "ALIVE"]
        return {
            name.removeprefix(_RESOURCE) for names in living for name in names if name.startswith(_RESOURCE)
        }

    def job(self, name: str) -> RayJob | None:
        """The job of that name; None: Ray does not know it."""
        answer = self._ray.ask(f"/api/jobs/{name}", _MOST_BYTES)
        return None if answer is None else _parsed(answer, RayJob)

    def submit(self, name: str, command: str, server: str, environment: Mapping[str, str]) -> None:
        """Runs `command` in a shell on `server`. Ray refuses a second job of the same name."""
        job: dict[str, Any] = {
            "submission_id": name,
            "entrypoint": command,
            "entrypoint_resources": {f"{_RESOURCE}{server}": _SHARE},
            "runtime_env": {"env_vars": dict(environment)},
        }
        self._ray.ask("/api/jobs/", _MOST_BYTES, post=job)

    def is_forgotten(self, name: str) -> bool:
        """Whether nothing in Ray starts or follows the job of that name, which it does not call over.

        Ray notes a job before it makes the actor that starts it. A head that is killed between the two leaves a job
        that is pending for ever, and that cannot be stopped. A head and a server that are cut off together leave one
        that is running for ever.
        """
        path = f"/api/v0/actors?filter_keys=name&filter_predicates=%3D&filter_values={_STARTER}{name}"
        actors = self._read(path, _ActorsAnswer).data.result
        is_all = actors.num_after_truncation == actors.total
        return is_all and all(actor.state == "DEAD" for actor in actors.result)

    def stop(self, name: str) -> None:
        """Asks Ray to end the job; `job` tells when it has ended."""
        self._ray.ask(f"/api/jobs/{name}/stop", _MOST_BYTES, post={})

    def _read(self, path: str, model: type[Answer]) -> Answer:
        return _parsed(self._ray.ask(path, _MOST_BYTES) or b"", model)


def _parsed(answer: bytes, model: type[Answer]) -> Answer:
    try:
        return model.model_validate_json(answer)
    except ValidationError:
        raise LostError("Ray's answer cannot be read.", "Check [ray] address in settings.toml.") from None
