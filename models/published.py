"""The lab's published tables, as the CSV files in `published_tables` give them. Needs no torch.

All accuracies are test accuracies on the sixteen words, full-length clips only.
"""

import csv
from importlib.resources import files
from typing import NamedTuple

SOURCE = "the lab's published tables"

PARAMETERS = {
    ("base", 5, False): 1_855_056,
    ("ch32", 8, False): 94_768,
    ("ch64", 8, False): 363_600,
    ("ch128", 9, True): 2_071_184,
    ("vgg", 16, False): 470_736,
}
"""Trainable parameters by (architecture, depth, batch norm).

The tables print one count an architecture, beside rows with batch norm and without; it stands here for the
one that it is the exact count of.
"""

CLIPS = {"training": 40_851, "validation": 4_796, "testing": 5_297}
"""Clips of the sixteen words in each split of Speech Commands v0.02."""


class PublishedResult(NamedTuple):
    """A row of the published table of architectures."""

    architecture: str
    depth: int
    dropout: float
    batch_norm: bool
    accuracy: float


class PublishedCell(NamedTuple):
    """A cell of a published fine-tuning table; accuracy is None where it was not run."""

    depth: int
    dropout: float
    batch_norm: bool
    accuracy: float | None


def results() -> list[PublishedResult]:
    return [
        PublishedResult(
            architecture=(architecture := row["architecture"].removeprefix("custom_")),
            depth=16 if architecture == "vgg" else int(row["depth"]),
            dropout=float(row["dropout"]),
            batch_norm=row["batch_norm"] == "yes",
            accuracy=float(row["accuracy"]),
        )
        for row in _rows("published_results")
    ]


def fine_tuning(architecture: str) -> list[PublishedCell]:
    """The table of depths 1 to 9 by dropout and batch norm; empty where none was published."""
    if architecture not in {"ch32", "ch128"}:
        return []
    return [
        PublishedCell(
            depth=int(row["depth"]),
            dropout=float(column.split("(")[1].split(")")[0]),
            batch_norm=column.endswith("+BN"),
            accuracy=float(accuracy) if accuracy else None,
        )
        for row in _rows(f"fine_tuning_{architecture}")
        for column, accuracy in row.items()
        if column != "depth"
    ]


def _rows(name: str) -> list[dict[str, str]]:
    table = files("models") / "published_tables" / f"{name}.csv"
    return list(csv.DictReader(table.read_text(encoding="utf-8").splitlines()))
