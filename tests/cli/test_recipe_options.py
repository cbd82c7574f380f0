"""The recipe that options describe."""

import click
import pytest

from backend.cli.recipe_options import recipe_from


def test_options_change_a_preset() -> None:
    recipe = recipe_from({"preset": "fast", "architecture": None, "data": "words", "epochs": 3})
    assert (recipe.architecture, recipe.learning_rate, recipe.epochs) == ("sep96", 0.004, 3)
    published = recipe_from({"preset": "published", "architecture": "ch128", "data": "words"})
    assert (published.depth, published.dropout, published.batch_norm) == (9, 0.25, True)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"preset": "small", "architecture": "ch32", "data": "words"}, "the preset small trains bc64"),
        ({"preset": "published", "architecture": "tiny", "data": "words"}, "tiny was not published"),
        ({"preset": "small", "architecture": None, "data": None}, "Give the network and the data"),
    ],
)
def test_what_does_not_fit_together_is_refused(options: dict[str, str | None], said: str) -> None:
    with pytest.raises(click.UsageError, match=said):
        recipe_from(options)
