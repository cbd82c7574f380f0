"""The choices of recipes as columns: those that differ among rows; the others are told once. Pure."""

from collections.abc import Mapping, Sequence

from backend.sheets.table import Cell, Column
from models.recipe import FILLED_IN, Recipe, exact

_SHOWN_APART = (
    *FILLED_IN,
    "name",
    "architecture",
    "depth",
    "dropout",
    "batch_norm",
    "epochs",
    "data",
)
"""In the title of a training, or in a column of their own."""
CHOICES = tuple(name for name in Recipe.model_fields if name not in _SHOWN_APART)


def epochs_told(count: int) -> str:
    return "1 epoch" if count == 1 else f"{count:,} epochs"


def differing(recipes: Sequence[Recipe], names: Sequence[str] = CHOICES) -> tuple[list[str], dict[str, Cell]]:
    """The fields in which the recipes differ, and the value of each other one."""
    if not recipes:
        return [], {}
    first = recipes[0]
    differ = [
        name for name in names if any(getattr(recipe, name) != getattr(first, name) for recipe in recipes)
    ]
    return differ, {name: choice_cell(first, name) for name in names if name not in differ}


def choice_column(name: str) -> Column:
    return Column(title=words_of(name), width=14, is_choice=True)


def choice_cell(recipe: Recipe, name: str) -> Cell:
    """The choice as a number where it is one, so that it can be sorted."""
    value = getattr(recipe, name)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value if value is None or isinstance(value, int | float) else str(value)


def in_words(same: Mapping[str, Cell], rows: str = "rows") -> str:
    """Such as `All rows: batch size 64 · schedule one-cycle.`; what is not chosen is left out."""
    known = {name: value for name, value in same.items() if value not in (None, "no")}
    told = (
        f"{words_of(name).lower()}{'' if value == 'yes' else f' {exact(value) if isinstance(value, float) else value}'}"
        for name, value in known.items()
    )
    return f"All {rows}: {' · '.join(told)}." if known else ""


def words_of(name: str) -> str:
    return name.replace("_", " ").capitalize()
