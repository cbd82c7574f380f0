"""Named recipes. Needs no torch."""

from typing import Any

from models import published

SEPARABLE: dict[str, Any] = {
    "depth": 8,
    "dropout": 0.1,
    "batch_norm": True,
    "epochs": 45,
    "learning_rate": 0.004,
    "schedule": "one-cycle",
    "augmentation": "light",
}

PRESETS = {
    "published": "the lab's study as it was published; with ARCHITECTURE, the best row of that network",
    "small": "the smallest network that hears well: at most 94,768 parameters",
    "large": "the same with at most 2,071,184 parameters",
}
"""What each is, for people."""


def preset(name: str, architecture: str | None = None) -> dict[str, Any]:
    """The fields of a Recipe that the preset gives, its architecture among them.

    Raises:
        ValueError: the preset has no recipe for this architecture.
    """
    if name != "published":
        network = {"small": "sep96", "large": "sep512"}[name]
        if architecture not in {None, network}:
            raise ValueError(f"the preset {name} trains {network}; leave out {architecture}")
        return {"architecture": network, **SEPARABLE}
    rows = [row for row in published.results() if row.architecture == (architecture or "ch32")]
    if not rows:
        raise ValueError(f"{architecture} was not published; leave out the preset")
    best = max(rows, key=lambda row: row.accuracy)
    return {
        "architecture": best.architecture,
        "depth": best.depth,
        "dropout": best.dropout,
        "batch_norm": best.batch_norm,
        "schedule": "constant",
        "augmentation": "none",
        "full_length_only": True,
    }
