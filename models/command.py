"""A program of the lab's own that runs as a job."""

import re
import shlex
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

_LONGEST_TITLE = 60
_QUOTED = re.compile(r"""'[^']*'|"(\\.|[^"\\])*"|\\.""", re.DOTALL)
_NEEDS_SHELL = re.compile(r"[|;&<>`]|\$[\w{(]|^\s*\w+=")


class Command(BaseModel):
    """A program with its arguments, and where it runs."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(max_length=100, description="A label for people; changes nothing")] = ""
    command: Annotated[
        str,
        Field(
            min_length=1,
            max_length=10_000,
            description="The program and its arguments, written as in a shell, which does not run it",
        ),
    ]
    folder: Annotated[
        str,
        Field(
            min_length=1,
            max_length=1000,
            description="The folder on the server in which it runs: a full path, or one that begins with ~",
        ),
    ]
    environment: Annotated[
        str,
        Field(max_length=100, description="A Python or conda environment of servers.toml; empty: none"),
    ] = ""
    shell: Annotated[bool, Field(description="Let /bin/sh run it: pipes, variables, several commands")] = (
        False
    )

    @field_validator("name", "folder", "environment")
    @classmethod
    def _one_line(cls, text: str) -> str:
        if any(ord(character) < 32 or ord(character) == 127 for character in text):
            raise ValueError("must not contain control characters")
        return text.strip()

    @field_validator("command")
    @classmethod
    def _is_text(cls, text: str) -> str:
        if "\0" in text or not text.strip():
            raise ValueError("name a program")
        return text.strip()

    @model_validator(mode="after")
    def _can_be_started(self) -> "Command":
        if not self.folder.startswith(("/", "~")):
            raise ValueError("folder: give a full path, such as /home/kim/study, or one that begins with ~")
        if self.shell:
            return self
        try:
            shlex.split(self.command)
        except ValueError:
            raise ValueError("command: a quote is not closed") from None
        if found := _NEEDS_SHELL.search(_QUOTED.sub("x", self.command)):
            raise ValueError(
                f"command: {found[0].strip()!r} means something to a shell only; "
                "put it into quotes, or ask for a shell"
            )
        return self

    @property
    def arguments(self) -> list[str]:
        """The program and its arguments, as the system starts it."""
        return ["/bin/sh", "-c", self.command] if self.shell else shlex.split(self.command)

    @property
    def title(self) -> str:
        """Its name, or else the beginning of the command, on one line."""
        words = " ".join((self.name or self.command).split())
        shown = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in words)
        return shown if len(shown) <= _LONGEST_TITLE else f"{shown[: _LONGEST_TITLE - 1].rstrip()}…"
