"""The result of a run, with the facts that only the backend knows."""

from collections.abc import Iterable

from pydantic import AwareDatetime, BaseModel, ConfigDict

from models.command import Command
from models.recipe import Recipe
from models.result import BrokenFile, ProgramResult, RunResult


class Result(BaseModel):
    """The result of a run, where it was trained, and who requested it."""

    model_config = ConfigDict(frozen=True)

    run: str
    server: str
    requested_by: str
    finished_at: AwareDatetime
    content: RunResult | ProgramResult


class BrokenResult(BaseModel):
    """A finished run whose `result.json` cannot be read. What is not known is None."""

    model_config = ConfigDict(frozen=True)

    run: str
    server: str | None
    requested_by: str | None
    finished_at: AwareDatetime
    recipe: Recipe | None
    command: Command | None = None
    broken: tuple[BrokenFile, ...]

    @property
    def work(self) -> Recipe | Command | None:
        """What the run did, where that is known."""
        return self.recipe or self.command


def trainings(results: Iterable[Result]) -> list[tuple[Result, RunResult]]:
    """The results of trainings, each with its content, without those of programs of the lab's own."""
    return [(result, result.content) for result in results if isinstance(result.content, RunResult)]
