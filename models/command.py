"""A program of the lab's own that runs as a job."""

import re
import shlex
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

RUN_VARIABLE = "SHEETRACK_RUN"
"""Names the run folder to the program and to all its children."""

_LONGEST_TITLE = 60
_QUOTED = re.compile(r"""'[^']*'|"(\\.|[^"\\])*"|\\.""", re.DOTALL)
_NEEDS_SHELL = re.compile(r"[|;&<>`]|\$[\w{(]|^\s*\w+=")


class Command(BaseModel):
    """A program with its arguments, and where it runs."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(max_length=100, description="A label for people; changes nothing")] = ""
    shell: Annotated[bool, Field(description="Let /bin/sh run it: pipes, variables, several commands")] = (
        False
    )
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

    @field_validator("name", "folder", "environment")
    @classmethod
    def _one_line(cls, text: str) -> str:
        if any(ord(character) < 32 or ord(character) == 127 for character in text):
            raise _wrong("must not contain control characters")
        return text.strip()

    @field_validator("folder")
    @classmethod
    def _is_full(cls, text: str) -> str:
        if not text.startswith(("/", "~")):
            raise _wrong("give a full path, such as /home/kim/study, or one that begins with ~")
        return text

    @field_validator("command")
    @classmethod
    def _can_be_started(cls, text: str, known: ValidationInfo) -> str:
        if "\0" in text or not text.strip():
            raise _wrong("name a program")
        if known.data.get("shell"):
            return text.strip()
        try:
            shlex.split(text)
        except ValueError:
            raise _wrong("a quote is not closed") from None
        if found := _NEEDS_SHELL.search(_QUOTED.sub("x", text)):
            raise _wrong(
                f"{found[0].strip()} means something to a shell only; put it into quotes, or ask for a shell"
            )
        return text.strip()

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


def _wrong(message: str) -> PydanticCustomError:
    return PydanticCustomError("command", "{message}", {"message": message})
