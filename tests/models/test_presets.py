"""Named recipes."""

import pytest

from models import published
from models.architecture_table import MEASURED, read_table
from models.presets import PRESETS, preset
from models.recipe import Recipe


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_a_recipe_of_a_network_that_exists(name: str) -> None:
    recipe = Recipe(**preset(name), data="words")
    table = read_table(MEASURED)
    assert table
    found = [
        network
        for network in table.networks
        if (network.architecture, network.depth, network.batch_norm)
        == (recipe.architecture, recipe.depth, recipe.batch_norm)
    ]
    most = {"fast": 94_768, "small": 94_768, "published": 94_768, "large": 2_071_184}[name]
    assert found[0].parameters
    assert found[0].parameters <= most


@pytest.mark.parametrize("architecture", ["base", "ch32", "ch64", "ch128", "vgg"])
def test_published_is_the_best_row_of_each_network(architecture: str) -> None:
    recipe = preset("published", architecture)
    chosen = (architecture, recipe["depth"], recipe["dropout"], recipe["batch_norm"])
    rows = [row for row in published.results() if row.architecture == architecture]
    assert max(row.accuracy for row in rows) == next(row.accuracy for row in rows if row[:4] == chosen)
    assert recipe["full_length_only"]
    assert (recipe["augmentation"], recipe["schedule"]) == ("none", "constant")


@pytest.mark.parametrize(("name", "architecture"), [("small", "ch32"), ("published", "sep96")])
def test_a_preset_of_another_network_is_refused(name: str, architecture: str) -> None:
    with pytest.raises(ValueError, match=architecture):
        preset(name, architecture)
