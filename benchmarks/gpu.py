"""Seconds of an epoch on a GPU, with each step replayed as a CUDA graph and without: `make bench-gpu DATA=~/speech`.

Trains each network for two epochs; the second counts, because the first one measures and allocates. The losses of
both forms are compared: they must be the same.
"""

import tempfile
from math import inf
from pathlib import Path
from typing import Any

import click
import torch

from models.presets import preset
from models.recipe import Recipe
from models.run_folder import RunFolder
from models.run_reader import read_history
from models.training import step
from models.training.environment import device_name, prepare_torch
from models.training.train import train

CH32: dict[str, Any] = {"architecture": "ch32"}
RECIPES: dict[str, dict[str, Any]] = {
    "ch32": CH32,
    "ch32, bfloat16, batch 256": CH32 | {"precision": "bfloat16", "batch_size": 256},
    "fast": preset("fast"),
    "small": preset("small"),
    "large": preset("large"),
}
REPLAYED_AFTER = step._EAGER_STEPS  # noqa: SLF001 - a benchmark of that very thing


@click.command()
@click.argument("data")
@click.option("--clips", type=int, help="Train on this many clips only.")
def main(data: str, clips: int | None) -> None:
    """Measures trainings on DATA, a folder of words."""
    print(f"{device_name(prepare_torch())}, torch {torch.__version__}\n")
    print("| recipe | an epoch | clips/s | without a graph | same losses |")
    print("|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for name, fields in RECIPES.items():
            recipe = Recipe.model_validate({**fields, "data": data, "epochs": 2, "training_clips": clips})
            lines = []
            for eager_steps in (REPLAYED_AFTER, inf):
                step._EAGER_STEPS = eager_steps  # type: ignore[assignment] # noqa: SLF001
                run = RunFolder.create(Path(folder), recipe)
                train(run, figures=False)
                lines.append(read_history(run))
            (_, replayed), (_, eager) = lines
            same = [epoch.loss for epoch in lines[0]] == [epoch.loss for epoch in lines[1]]
            print(
                f"| {name} | {replayed.seconds:.2f} s | {replayed.clips_per_second:,.0f} | {eager.seconds:.2f} s "
                f"| {'yes' if same else 'no'} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
