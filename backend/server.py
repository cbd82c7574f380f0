"""The machines the lab knows."""

import socket
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from backend.settings import Home, read_toml


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

    @property
    def is_here(self) -> bool:
        return self.agent is None


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
    """The servers by name, in the order of the file."""
    return {server.name: server for server in read_toml(home.servers_file, ServerList).servers}
