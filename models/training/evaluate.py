"""What a network hears in clips it was not trained on."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from models.training.batches import Batches


@dataclass(frozen=True)
class Heard:
    """What was heard in some clips.

    Attributes:
        clips: (n,) their indices in the data set.
        actual: (n,) index of the word said.
        words: (n,) index of the word heard.
        probability: (n,) how sure the network was of it, 0 to 1.
        loss: mean cross entropy.
    """

    clips: NDArray[np.int64]
    actual: NDArray[np.int64]
    words: NDArray[np.int64]
    probability: NDArray[np.float32]
    loss: float

    @property
    def right(self) -> NDArray[np.bool_]:
        right: NDArray[np.bool_] = self.actual == self.words
        return right

    def accuracy(self, among: NDArray[np.bool_] | None = None) -> float | None:
        """Share heard right, of all or of those `among`; None where there are none."""
        right = self.right if among is None else self.right[among]
        return float(right.mean()) if len(right) else None

    def confusion_matrix(self, words: int, among: NDArray[np.bool_] | None = None) -> list[list[int]]:
        """Counts (words, words): a row for each word said, a column for each word heard."""
        chosen = slice(None) if among is None else among
        counts = np.zeros((words, words), np.int64)
        np.add.at(counts, (self.actual[chosen], self.words[chosen]), 1)
        matrix: list[list[int]] = counts.tolist()
        return matrix


def evaluate(network: nn.Module, batches: Batches, clips: NDArray[np.int64], precision: str) -> Heard:
    network.eval()
    scores = []
    with torch.inference_mode():
        for start in range(0, len(clips), 256):
            sound, _ = batches.get(clips[start : start + 256])
            with torch.autocast(sound.device.type, torch.bfloat16, enabled=precision == "bfloat16"):
                scores.append(network(sound).float())
    actual = batches.labels[torch.from_numpy(clips).to(batches.labels.device)]
    all_scores = torch.cat(scores)
    probability, words = functional.softmax(all_scores, 1).max(1)
    return Heard(
        clips,
        actual.cpu().numpy(),
        words.cpu().numpy(),
        probability.cpu().numpy(),
        float(functional.cross_entropy(all_scores, actual)),
    )
