"""All that a training needs to go on as if it had never stopped."""

import io
import pickle
from dataclasses import dataclass, field, fields
from typing import Any

import torch

from models.run_folder import RunFolder, write_atomically
from models.training.errors import TrainingError


@dataclass
class Checkpoint:
    """The state after an epoch.

    Randomness is not part of it: each epoch draws from a seed of its own.
    """

    data_hash: str
    epoch: int = 0
    network: dict[str, Any] = field(default_factory=dict)
    optimizer: dict[str, Any] = field(default_factory=dict)
    schedule: dict[str, Any] = field(default_factory=dict)
    best_epoch: int = 0
    best_accuracy: float = -1.0
    best_network: dict[str, Any] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def read(cls, folder: RunFolder, data_hash: str) -> "Checkpoint":
        """The checkpoint of a run, or a new one at epoch 0 where there is none.

        Raises:
            TrainingError: it cannot be read, or the data is no longer the one it was trained on.
        """
        try:
            content = torch.load(folder.checkpoint_file, "cpu", weights_only=True)
            checkpoint = cls(**content)
        except FileNotFoundError:
            return cls(data_hash)
        except (OSError, RuntimeError, TypeError, EOFError, pickle.UnpicklingError):
            raise TrainingError(
                f"{folder.checkpoint_file} cannot be read; delete it and the run starts from its first epoch"
            ) from None
        if checkpoint.data_hash != data_hash:
            raise TrainingError(
                f"the data has changed since run {folder.id} began; restore it, or start a new run"
            )
        return checkpoint

    def write(self, folder: RunFolder) -> None:
        """Raises: OSError: the disk is full."""
        buffer = io.BytesIO()
        torch.save({each.name: getattr(self, each.name) for each in fields(self)}, buffer)
        write_atomically(folder.checkpoint_file, buffer.getvalue())
