"""The networks, one file a family.

A new one is a function (words, depth, dropout, batch_norm) -> network in its own file, built of
`Convolution`s so that its filters and feature maps can be drawn, and one line in `ARCHITECTURES` of
`models/architecture_table.py`.
"""

from importlib import import_module

from models.architecture_table import ARCHITECTURES, resolve_depth
from models.architectures.convolution import Network


def build(name: str, words: int, depth: int | None, dropout: float, batch_norm: bool) -> Network:
    """The network of a recipe, with fresh weights from torch's random state.

    Raises:
        ValueError: there is no such architecture, or not at this depth.
    """
    depth = resolve_depth(name, depth)
    family = import_module(f"{__name__}.{ARCHITECTURES[name].file}")
    network: Network = getattr(family, name)(words, depth, dropout, batch_norm)
    return network
