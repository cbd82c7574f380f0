"""The networks, one file a family. A lab's own networks are in files of their own, which `own.py` reads."""

from importlib import import_module
from pathlib import Path

from torch import nn

from models.architecture_table import ARCHITECTURES, resolve_depth
from models.architectures import own
from models.recipe import Recipe


def build(
    name: str, words: int, depth: int | None, dropout: float, batch_norm: bool, *, samples: int = 16000
) -> nn.Module:
    """A network of ours, with fresh weights from torch's random state.

    Raises:
        ValueError: there is no such architecture, or not at this depth, or it is too deep for so few samples.
    """
    depth = resolve_depth(name, depth)
    family = import_module(f"{__name__}.{ARCHITECTURES[name].file}")
    network: nn.Module = getattr(family, name)(words, depth, dropout, batch_norm, samples)
    return network


def build_for(recipe: Recipe, words: int, source: Path) -> nn.Module:
    """The network of a recipe; one of the lab's own is in the file `source`.

    Raises:
        ValueError: there is no such architecture, or not at this depth.
        OwnError: a network of the lab's own cannot be built.
    """
    if not recipe.architecture_hash:
        return build(
            recipe.architecture,
            words,
            recipe.depth,
            recipe.dropout,
            recipe.batch_norm,
            samples=recipe.samples,
        )
    network = own.load(source, recipe.architecture)
    return network.build(
        words=words,
        depth=recipe.depth or 1,
        dropout=recipe.dropout,
        batch_norm=recipe.batch_norm,
        samples=recipe.samples,
        sample_rate=recipe.sample_rate,
    )
