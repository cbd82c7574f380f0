"""The machines the lab knows."""

import os
import socket
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from backend.errors import InvalidError
from backend.settings import Home, private_text, read_toml

TOKEN_VARIABLE = "SHEETRACK_AGENT_TOKEN"  # noqa: S105 - a name, not a secret


class Server(BaseModel):
    """A machine from `servers.toml`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(min_length=1, max_length=63, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    agent: Annotated[
        str | None,
        Field(
            pattern=r"^https?://", description="Its agent's address; empty: the machine the backend runs on"
        ),
    ] = None
    token_file: Annotated[
        Path | None,
        Field(description=f"Holds what its agent asks for; empty: the variable {TOKEN_VARIABLE}"),
    ] = None
    ray: Annotated[
        bool, Field(description="Whether trainings run there, through the Ray cluster of settings.toml")
    ] = False
    maintenance: Annotated[
        str, Field(max_length=200, description="Why nobody shall take it now; empty: it may be taken")
    ] = ""

    @property
    def is_here(self) -> bool:
        return self.agent is None

    @property
    def trains(self) -> bool:
        """Whether trainings can be launched on it; others are only watched."""
        return self.is_here or self.ray

    @model_validator(mode="after")
    def _ray_needs_the_agent(self) -> Self:
        if self.ray and self.agent is None:
            raise ValueError(f"{self.name} has no agent: trainings on the backend's own machine need no ray")
        return self


class ServerList(BaseModel):
    """The content of `servers.toml`; without the file, this machine alone."""

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
    """The first label of the host name, as people call the machine."""
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
    """What an agent is asked with: the content of `file`, or of the environment where there is none.

    Raises:
        InvalidError: there is no token, or others may read it.
    """
    if file is None:
        if token := os.environ.get(TOKEN_VARIABLE, "").strip():
            return token
        raise InvalidError(
            "An agent needs a token, and there is none.", f"Name a token_file, or set {TOKEN_VARIABLE}."
        )
    token = private_text(file, "token file")
    if not token:
        raise InvalidError(f"The token file {file} is empty.", "Put a long random text into it.")
    return token
