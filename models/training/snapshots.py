"""The weights of a network along its training, to see what it learned and what it only started with."""

import io
from pathlib import Path
from typing import Any

import torch
from torch import nn

from models.run_folder import RunFolder, write_atomically


def is_kept(epoch: int) -> bool:
    """Whether the weights after this epoch are kept: 1, 2, 4, 8, ..., because most happens early."""
    return epoch & (epoch - 1) == 0


def file(folder: RunFolder, epoch: int) -> Path:
    """Where the weights after an epoch are kept."""
    return folder.snapshots / f"epoch_{epoch}.pt"


def write(place: Path, network: nn.Module) -> None:
    """Writes all weights and moments. Raises: OSError: the disk is full."""
    buffer = io.BytesIO()
    torch.save(network.state_dict(), buffer)
    place.parent.mkdir(exist_ok=True)
    write_atomically(place, buffer.getvalue())


def read_all(folder: RunFolder) -> dict[int, dict[str, Any]]:
    """The weights by epoch, the first one first; empty for a run of an older release."""
    epochs = sorted(int(each.stem.removeprefix("epoch_")) for each in folder.snapshots.glob("epoch_*.pt"))
    return {epoch: torch.load(file(folder, epoch), "cpu", weights_only=True) for epoch in epochs}
