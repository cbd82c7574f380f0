"""Everything that the pictures of a run are drawn from."""

from dataclasses import dataclass
from typing import Self

from models.figures.analysis import Analysis
from models.figures.style import shorten
from models.program_history import read_epochs
from models.program_reader import draft_result, is_program
from models.recipe import Recipe
from models.result import Epoch, Matrix, ProgramResult, RunResult
from models.run_folder import RunFolder
from models.run_reader import BrokenRunError, read_history, read_recipe, read_result


@dataclass(frozen=True)
class Facts:
    """The content of a run folder; what does not exist yet is None or empty."""

    run: str
    recipe: Recipe | None
    """None: a program of the lab's own, or a recorded result."""
    history: list[Epoch]
    result: RunResult | ProgramResult | None
    analysis: Analysis | None

    @classmethod
    def read(cls, folder: RunFolder) -> Self:
        """Reads the folder.

        Raises:
            BrokenRunError: one of its files cannot be read.
        """
        if is_program(folder):
            return cls(folder.id, None, read_epochs(folder), draft_result(folder), None)
        recipe = read_recipe(folder)
        if recipe is None:
            raise BrokenRunError(folder.id, folder.recipe_file.name, "it does not exist")
        return cls(folder.id, recipe, read_history(folder), read_result(folder), Analysis.read(folder))

    @property
    def matrix(self) -> Matrix | None:
        """The confusion matrix; None where there is none."""
        return self.result.confusion_matrix if self.result else None

    @property
    def origin(self) -> str:
        """Recipe or program, run and data in one line, with a note on synthetic speech."""
        if isinstance(self.result, ProgramResult):
            return f"{self.result.title} · run {self.run}"
        if self.result is None:
            return f"{self.recipe.title if self.recipe else ''} · run {self.run}"
        data = self.result.data
        speech = " (synthetic speech)" if data.synthetic else ""
        # The result's recipe has its depth filled in.
        return f"{self.result.recipe.title} · run {self.run} · {shorten(data.name, 30)}{speech}"
