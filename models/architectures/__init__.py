"""The architectures that a recipe can name.

A new one is a function (words, depth, dropout, batch_norm) -> network in a file of its own, built of
`Convolution`s so that its filters and feature maps can be drawn, and one line in `ARCHITECTURES`.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from models.architectures.base import base
from models.architectures.ch import ch32, ch64, ch128
from models.architectures.convolution import Convolution, Network
from models.architectures.vgg import vgg

__all__ = ["ARCHITECTURES", "Architecture", "Convolution", "Network", "build", "resolve_depth"]


class Architecture(NamedTuple):
    network: Callable[[int, int, float, bool], Network]
    default_depth: int
    depths: Sequence[int]


ARCHITECTURES = {
    "base": Architecture(base, 5, [5]),
    "ch32": Architecture(ch32, 8, range(1, 10)),
    "ch64": Architecture(ch64, 8, range(1, 10)),
    "ch128": Architecture(ch128, 9, range(1, 10)),
    "vgg": Architecture(vgg, 16, range(2, 17, 2)),
}


def resolve_depth(name: str, depth: int | None) -> int:
    """The depth to build: `depth`, or the architecture's own where it is None.

    Raises:
        ValueError: there is no such architecture, or not at this depth; the message lists what there is.
    """
    if name not in ARCHITECTURES:
        raise ValueError(f"there is no architecture '{name}'; choose one of {', '.join(ARCHITECTURES)}")
    architecture = ARCHITECTURES[name]
    depth = architecture.default_depth if depth is None else depth
    if depth not in architecture.depths:
        offered = ", ".join(map(str, architecture.depths))
        raise ValueError(f"{name} has no depth {depth}; choose one of {offered}")
    return depth


def build(name: str, words: int, depth: int | None, dropout: float, batch_norm: bool) -> Network:
    """The network of a recipe, with fresh weights from torch's random state.

    Raises:
        ValueError: as `resolve_depth`.
    """
    depth = resolve_depth(name, depth)
    return ARCHITECTURES[name].network(words, depth, dropout, batch_norm)
