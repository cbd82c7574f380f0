"""All that a training needs to go on as if it had never stopped."""

import io
import pickle
from dataclasses import dataclass, field, fields, replace
from typing import Any

import torch
from torch import nn

from models.recipe import Recipe
from models.run_folder import RunFolder, write_atomically
from models.training.errors import TrainingError

_DEFAULTS = Recipe(data="-").model_dump()


def give_weights(network: nn.Module, weights: dict[str, Any], folder: RunFolder) -> None:
    """Raises: TrainingError: the weights of the run are of another network, as another release may have built it."""
    try:
        network.load_state_dict(weights)
    except RuntimeError:
        raise TrainingError(
            f"{folder.checkpoint_file} does not fit the network of run {folder.id} as this release builds it; "
            "use the release that trained it, or start a new run"
        ) from None


@dataclass
class Checkpoint:
    """The state after an epoch.

    Randomness is not part of it: each epoch draws from its own seed.
    """

    data_hash: str
    recipe: dict[str, Any]
    epoch: int = 0
    network: dict[str, Any] = field(default_factory=dict)
    optimizer: dict[str, Any] = field(default_factory=dict)
    schedule: dict[str, Any] = field(default_factory=dict)
    best_epoch: int = 0
    best_accuracy: float = -1.0
    best_network: dict[str, Any] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)
    parents_epochs: int = 0
    """The epochs of the run that this one goes on from, which are part of its history."""

    @classmethod
    def read(cls, folder: RunFolder, data_hash: str, recipe: Recipe) -> "Checkpoint":
        """The checkpoint of a run, or a new one at epoch 0 where there is none.

        Raises:
            TrainingError: it cannot be read, or data or recipe are no longer those it was trained with.
        """
        try:
            content = torch.load(folder.checkpoint_file, "cpu", weights_only=True)
            checkpoint = cls(**content)
        except FileNotFoundError:
            return (
                cls._of_parent(folder, data_hash, recipe)
                if recipe.parent
                else cls(data_hash, recipe.model_dump())
            )
        except (OSError, RuntimeError, TypeError, EOFError, pickle.UnpicklingError):
            raise TrainingError(
                f"{folder.checkpoint_file} cannot be read; delete it and the run starts from its first epoch"
            ) from None
        for what, same in (
            ("data", checkpoint.data_hash == data_hash),
            # An older release knew fewer fields; what it did not know had the default.
            ("recipe", recipe.model_dump() == {**_DEFAULTS, **checkpoint.recipe}),
        ):
            if not same:
                raise TrainingError(f"the {what} has changed since run {folder.id} began; start a new run")
        return checkpoint

    @classmethod
    def _of_parent(cls, folder: RunFolder, data_hash: str, recipe: Recipe) -> "Checkpoint":
        """The last epoch of the run that `recipe` goes on from, with a learning rate that begins anew.

        Raises:
            TrainingError: it has no checkpoint here, or another recipe or data.
        """
        parent = RunFolder(folder.path.parent / recipe.parent)
        try:
            content = torch.load(parent.checkpoint_file, "cpu", weights_only=True)
            checkpoint = cls(**content)
        except (OSError, RuntimeError, TypeError, EOFError, pickle.UnpicklingError):
            raise TrainingError(
                f"run {parent.id} has no checkpoint in {parent.path} to go on from; start a new run"
            ) from None
        changed = {name: getattr(recipe, name) for name in ("epochs", "name", "data", "parent")}
        is_same = {**_DEFAULTS, **checkpoint.recipe, **changed} == recipe.model_dump()
        if checkpoint.data_hash != data_hash or not is_same:
            raise TrainingError(f"run {parent.id} had another recipe or other data; start a new run")
        if checkpoint.epoch >= recipe.epochs:
            raise TrainingError(f"run {parent.id} has {checkpoint.epoch} epochs already; ask for more")
        return replace(checkpoint, recipe=recipe.model_dump(), schedule={}, parents_epochs=checkpoint.epoch)

    def write(self, folder: RunFolder) -> None:
        """Raises: OSError: the disk is full."""
        buffer = io.BytesIO()
        torch.save({each.name: getattr(self, each.name) for each in fields(self)}, buffer)
        write_atomically(folder.checkpoint_file, buffer.getvalue())
