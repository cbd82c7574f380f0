"""Named recipes. Needs no torch."""

from typing import Any

from models import published

_HEARS_WELL: dict[str, Any] = {
    "dropout": 0.1,
    "batch_norm": True,
    "learning_rate": 0.004,
    "schedule": "one-cycle",
    "augmentation": "strong",
    "label_smoothing": 0.1,
}

_NETWORKS: dict[str, dict[str, Any]] = {
    "fast": {"architecture": "sep96", "depth": 8, "epochs": 45, **_HEARS_WELL},
    "small": {"architecture": "bc64", "depth": 13, "epochs": 30, **_HEARS_WELL},
    "large": {"architecture": "bc192", "depth": 13, "epochs": 25, **_HEARS_WELL},
}

PRESETS = {
    "published": "the lab's study as it was published; with ARCHITECTURE, the best row of that network",
    "fast": "hears well, and trains fastest on a processor: at most 94,768 parameters",
    "small": "hears best with at most 94,768 parameters",
    "large": "hears best with at most 2,071,184 parameters; wants a GPU",
}
"""What each is, for people."""


def preset(name: str, architecture: str | None = None) -> dict[str, Any]:
    """The fields of a Recipe that the preset gives, its architecture among them.

    Raises:
        ValueError: the preset has no recipe for this architecture.
    """
    if name != "published":
        recipe = _NETWORKS[name]
        if architecture not in {None, recipe["architecture"]}:
            raise ValueError(f"the preset {name} trains {recipe['architecture']}; leave out {architecture}")
        return dict(recipe)
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
