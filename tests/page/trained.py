"""A run that was really trained, on tones, and asked."""

from pathlib import Path

from backend.jobs.models_cli import refusal
from models.recipe import Recipe
from models.run_folder import RunFolder
from tests.models.forked import Forked
from tests.speech import write_words


def train_tones(runs: Path, words: Path) -> RunFolder:
    """Two epochs on half a second of three tones, written to `words`."""
    recipe = Recipe(
        architecture="ch32", depth=3, epochs=2, batch_size=4, augmentation="none", sample_rate=8000, seconds=0.5,
        data=str(write_words(words)),
    )  # fmt: skip
    folder = RunFolder.create(runs, recipe)
    assert Forked("train", folder.path).ended().returncode == 0
    return folder


def ask_forked(*arguments: str, timeout_seconds: float) -> str:
    """`models_cli.ask`, without the seconds that a new interpreter takes to import torch."""
    assert timeout_seconds
    ended = Forked(*arguments).ended()
    if ended.returncode:
        raise refusal(ended.stderr, *arguments)
    return ended.stdout
