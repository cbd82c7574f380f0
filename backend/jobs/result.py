"""The result of a run, with the facts that only the backend knows."""

from pydantic import AwareDatetime, BaseModel, ConfigDict

from models.recipe import Recipe
from models.result import BrokenFile, RunResult


class Result(BaseModel):
    """The result of a run, where it was trained, and who requested it."""

    model_config = ConfigDict(frozen=True)

    run: str
    server: str
    requested_by: str
    finished_at: AwareDatetime
    content: RunResult


class BrokenResult(BaseModel):
    """A finished run whose `result.json` cannot be read. What is not known is None."""

    model_config = ConfigDict(frozen=True)

    run: str
    server: str | None
    requested_by: str | None
    finished_at: AwareDatetime
    recipe: Recipe | None
    broken: tuple[BrokenFile, ...]
