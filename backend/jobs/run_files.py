"""What an agent tells of a run on its server."""

from pydantic import BaseModel, ConfigDict


class RunFile(BaseModel):
    model_config = ConfigDict(frozen=True)

    name: str
    """Its path below the run folder, such as `figures/confusion.png`."""
    size_bytes: int
    modified_ns: int
    """Nanoseconds since 1970; only ever compared with itself."""


class RunFiles(BaseModel):
    model_config = ConfigDict(frozen=True)

    is_training: bool
    """Whether a process holds the run's lock."""
    files: tuple[RunFile, ...]
