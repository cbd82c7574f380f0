"""Clips as tensors on the device that trains."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.data.clips import Clips


class Batches:
    """All clips of a data set: on a GPU they lie in its memory as int16, else they stay memory-mapped."""

    def __init__(self, clips: Clips, device: torch.device) -> None:
        self._device = device
        self.clips = clips
        self._held = torch.from_numpy(np.array(clips.audio)).to(device) if device.type == "cuda" else None
        labels = np.repeat(clips.labels, np.diff(clips.first))
        self.labels = torch.from_numpy(labels).to(device)

    def get(self, indices: NDArray[np.int64] | Tensor) -> tuple[Tensor, Tensor]:
        """Windows (batch, samples) of float samples in -1 to 1, and their labels (batch,)."""
        index = torch.as_tensor(indices, device=self._device)
        sound = torch.from_numpy(self.clips.audio[index.numpy()]) if self._held is None else self._held[index]
        return sound.float() / 32768, self.labels[index]
