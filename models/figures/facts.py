"""Everything that the pictures of one run are drawn from, as plain data."""

from dataclasses import dataclass
from typing import Self

from models.facts import Epoch, Result, broken, read_history, read_result
from models.figures.analysis import Analysis
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
    def title(self) -> str:
        return f"{self.recipe.title} · run {self.run}"

    @property
    def speech(self) -> str:
        """What was listened to: the name of the data set, and that it is synthetic where it is."""
        if self.result is None:
            return ""
        return f"{self.result.data.name}{' (synthetic speech)' if self.result.data.synthetic else ''}"
