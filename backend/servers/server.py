"""The machines that the lab knows."""

import os
import socket
import sys
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

from backend.errors import InvalidError
from backend.settings import Home, private_text, read_toml
from backend.text import address_fault

SERVER_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}"
TOKEN_VARIABLE = "SHEETRACK_AGENT_TOKEN"  # noqa: S105 - a name, not a secret

EnvironmentName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")]


_LIMITS = ("gpus", "jobs_per_gpu", "cpu_jobs", "threads", "memory_gib", "hours")


class Server(BaseModel):
    """A machine from `servers.toml`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(pattern=f"^{SERVER_NAME}$")]
    agent: Annotated[
        str | None,
        Field(
            description="Address of its agent, or ssh:// and a host of ~/.ssh/config to read it over SSH; "
            "without one it is the machine that the backend runs on"
        ),
    ] = None
    token_file: Annotated[
        Path | None,
        Field(description=f"Holds the token of its agent; without one the variable {TOKEN_VARIABLE} does"),
    ] = None
    ray: Annotated[
        bool, Field(description="Whether jobs run there, through the Ray cluster of settings.toml")
    ] = False
    environments: Annotated[
        dict[EnvironmentName, Annotated[str, Field(pattern=r"^[/~]", max_length=1000)]],
        Field(description="The Python and conda environments that jobs can name: name and folder there"),
    ] = {}
    gpus: Annotated[
        tuple[Annotated[int, Field(ge=0, lt=1000)], ...] | None,
        Field(max_length=64, description="The GPUs that jobs may use, preferred ones first; without it all"),
    ] = None
    jobs_per_gpu: Annotated[int, Field(ge=1, le=16, description="How many jobs share a GPU")] = 1
    cpu_jobs: Annotated[
        int | None,
        Field(
            ge=0,
            le=1000,
            description="How many jobs without GPUs run at once; without it one, or several trainings of sweeps that "
            "share the processors",
        ),
    ] = None
    threads: Annotated[
        int | None, Field(ge=1, le=4096, description="How many processors a job may use; without it all")
    ] = None
    memory_gib: Annotated[
        float | None,
        Field(gt=0, le=1e6, description="Memory that each process of a job may take; without it all"),
    ] = None
    hours: Annotated[
        float | None, Field(gt=0, le=10_000, description="How long a job may run; without it for ever")
    ] = None
    maintenance: Annotated[
        str, Field(max_length=200, description="Why the server must not be used now; empty: it may be used")
    ] = ""

    @property
    def is_here(self) -> bool:
        return self.agent is None

    @property
    def over_ssh(self) -> bool:
        """Whether it is read over SSH, and so only watched."""
        return self.agent is not None and self.agent.lower().startswith("ssh://")

    @property
    def trains(self) -> bool:
        """Whether jobs can be launched on it; other servers are only watched."""
        return self.is_here or self.ray

    @field_validator("name")
    @classmethod
    def _is_no_choice(cls, name: str) -> str:
        if name.casefold() == "any":
            raise ValueError("any means every server that takes jobs: give this one another name")
        return name

    @field_validator("gpus")
    @classmethod
    def _each_gpu_once(cls, gpus: tuple[int, ...] | None) -> tuple[int, ...] | None:
        if gpus and len(set(gpus)) < len(gpus):
            raise ValueError("a GPU is named twice")
        return gpus

    @field_validator("agent")
    @classmethod
    def _is_an_address(cls, agent: str | None, info: ValidationInfo) -> str | None:
        if agent is not None and (fault := address_fault(agent, ("http", "https", "ssh"))):
            name = info.data.get("name", "gpu2")
            raise PydanticCustomError(
                "address",
                "the address of {name} {fault}; write it like {example}",
                {"name": name, "fault": fault, "example": f'agent = "http://{name}:8765"'},
            )
        return agent and agent.rstrip("/")

    @model_validator(mode="after")
    def _ray_needs_the_agent(self) -> Self:
        if self.ray and self.agent is None:
            raise ValueError(f"{self.name} has no agent: jobs on the backend's own machine need no ray")
        if self.ray and self.over_ssh:
            raise ValueError(f"{self.name} is read over SSH: jobs there need its agent, at http://")
        return self

    @model_validator(mode="after")
    def _limits_can_be_kept(self) -> Self:
        set_here = [name for name in _LIMITS if name in self.model_fields_set]
        if set_here and not self.trains:
            raise ValueError(f"{self.name} is only watched: no job runs there that {set_here[0]} could limit")
        unkept = [name for name in ("threads", "memory_gib") if getattr(self, name) is not None]
        if unkept and self.is_here and sys.platform != "linux":
            raise ValueError(f"{unkept[0]} of {self.name} cannot be kept: this machine does not run Linux")
        return self


class ServerList(BaseModel):
    """The content of `servers.toml`; without the file it names this machine alone."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    servers: tuple[Server, ...] = Field(
        default_factory=lambda: (Server(name=this_machine()),), alias="server", min_length=1
    )

    @model_validator(mode="after")
    def _names_are_unique(self) -> Self:
        names = [server.name for server in self.servers]
        if doubled := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"two servers are called {', '.join(doubled)}")
        return self


def this_machine() -> str:
    """The first label of the host name, which is the name that people use."""
    label = "".join(
        c for c in socket.gethostname().split(".")[0] if c.isascii() and (c.isalnum() or c in "-_")
    )
    return label.lstrip("-_")[:63] or "this-server"


def read_servers(home: Home) -> dict[str, Server]:
    """The servers by name, in the order of the file; token files are relative to the file's folder."""
    servers = {}
    for server in read_toml(home.servers_file, ServerList).servers:
        file = server.token_file and home.servers_file.parent / server.token_file
        servers[server.name] = server.model_copy(update={"token_file": file})
    return servers


def read_agent_token(file: Path | None) -> str:
    """The token of an agent, from `file` or, without one, from the environment.

    Raises:
        InvalidError: there is no token, it cannot be sent in one line of ASCII, or others may read the file.
    """
    if file is None:
        token, where = os.environ.get(TOKEN_VARIABLE, "").strip(), f"The variable {TOKEN_VARIABLE}"
        if not token:
            raise InvalidError(
                "An agent needs a token, and there is none.", f"Name a token_file, or set {TOKEN_VARIABLE}."
            )
    else:
        token, where = private_text(file, "token file"), f"The token file {file}"
        if not token:
            raise InvalidError(f"{where} is empty.", "Put a long random text into it.")
    if not (token.isascii() and token.isprintable()):
        raise InvalidError(f"{where} holds more than one line of ASCII.", "Put one long random text into it.")
    return token
