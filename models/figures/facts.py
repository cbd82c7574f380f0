"""Everything that the pictures of one run are drawn from, as plain data."""

from dataclasses import dataclass
from typing import Self

from models.facts import Epoch, Result, broken, read_history, read_result
from models.figures.analysis import Analysis
from models.figures.style import shorten
from models.recipe import Recipe
from models.run_folder import RunFolder


@dataclass(frozen=True)
class Facts:
    """What a run folder tells. What is not there (yet) is None, or empty."""

    run: str
    recipe: Recipe
    history: list[Epoch]
    result: Result | None
    analysis: Analysis | None

    @classmethod
    def read(cls, folder: RunFolder) -> Self:
        """Reads the folder.

        Raises:
            BrokenRunError: one of its files cannot be read.
        """
        try:
            recipe = folder.recipe()
        except (OSError, ValueError) as error:
            raise broken(folder, folder.recipe_file.name, error) from error
        return cls(folder.id, recipe, read_history(folder), read_result(folder), Analysis.read(folder))

    @property
    def origin(self) -> str:
        """Recipe, run and data in one line; synthetic speech is called so."""
        if self.result is None:
            return f"{self.recipe.title} · run {self.run}"
        data = self.result.data
        speech = " (synthetic speech)" if data.synthetic else ""
        # The result's recipe has its depth filled in.
        return f"{self.result.recipe.title} · run {self.run} · {shorten(data.name, 30)}{speech}"
