"""The architectures that a recipe can name, with their depths and sizes. Needs no torch."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict


class Architecture(NamedTuple):
    """The function of the architecture's name in `models/architectures/<file>.py`, and its depths."""

    file: str
    default_depth: int
    depths: Sequence[int]


ARCHITECTURES = {
    "base": Architecture("base", 5, [5]),
    "ch32": Architecture("ch", 8, range(1, 10)),
    "ch64": Architecture("ch", 8, range(1, 10)),
    "ch128": Architecture("ch", 9, range(1, 10)),
    "vgg": Architecture("vgg", 16, range(2, 17, 2)),
    "sep96": Architecture("separable", 8, range(1, 10)),
    "sep512": Architecture("separable", 8, range(1, 10)),
    "bc64": Architecture("broadcast", 13, range(1, 14)),
    "bc192": Architecture("broadcast", 13, range(1, 14)),
}

SOURCES = Path(__file__).with_name("architectures")
MEASURED = Path(__file__).with_suffix(".json")
"""The sizes of the networks above; `python -m models architectures` prints its content."""
_SIZELESS = (
    "cost.py",
    "compiled.py",
    "fused.py",
    "fused_bands.py",
    "fused_channels.py",
    "fused_fits.py",
    "own.py",
    "__init__.py",
)
"""How networks are found, counted and computed does not change their sizes."""


class NetworkSize(BaseModel):
    """One network that can be trained, sized for sixteen words. What was not measured is None or empty."""

    model_config = ConfigDict(frozen=True)

    architecture: str
    depth: int
    batch_norm: bool
    parameters: int | None = None
    published_parameters: int | None = None
    mflop_per_clip: float | None = None
    layer: str = ""
    """Its deepest convolution, such as `CONV(5, 32)`: taps and channels."""
    default: bool
    error: str | None = None
    """Why it cannot be built."""


class Table(BaseModel):
    """Every network, and the hash of the sources that it was measured from."""

    model_config = ConfigDict(frozen=True)

    sources: str
    networks: tuple[NetworkSize, ...]


def sources_hash() -> str:
    """Changes with every file of `models/architectures` that networks are made of, and every line above."""
    digest = hashlib.sha256(repr(ARCHITECTURES).encode())
    for file in sorted(set(SOURCES.rglob("*.py")) - {SOURCES / name for name in _SIZELESS}):
        digest.update(f"\0{file.relative_to(SOURCES)}\0".encode())
        try:
            digest.update(file.read_bytes())
        except OSError as error:
            digest.update(str(error.errno).encode())
    return digest.hexdigest()


def read_table(file: Path) -> Table | None:
    """The table in `file`, None where it is missing, broken, or of other sources than these."""
    try:
        table = Table.model_validate_json(file.read_bytes())
    except (OSError, ValueError):
        return None
    return table if table.sources == sources_hash() else None


def unmeasured() -> tuple[NetworkSize, ...]:
    """Every network without its size."""
    return tuple(
        NetworkSize(
            architecture=name, depth=depth, batch_norm=batch_norm, default=depth == known.default_depth
        )
        for name, known in ARCHITECTURES.items()
        for depth in known.depths
        for batch_norm in (False, True)
    )


def resolve_depth(name: str, depth: int | None) -> int:
    """The depth to build: `depth`, or the architecture's own where it is None.

    Raises:
        ValueError: there is no such architecture, or not at this depth; the message lists the choices.
    """
    if name not in ARCHITECTURES:
        raise ValueError(f"there is no architecture '{name}'; choose one of {', '.join(ARCHITECTURES)}")
    architecture = ARCHITECTURES[name]
    depth = architecture.default_depth if depth is None else depth
    if depth not in architecture.depths:
        offered = ", ".join(map(str, architecture.depths))
        raise ValueError(f"{name} has no depth {depth}; choose one of {offered}")
    return depth
