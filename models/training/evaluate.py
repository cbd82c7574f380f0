"""The predictions of a network for clips that it was not trained on."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from models.result import Matrix
from models.training.batches import Batches


@dataclass(frozen=True)
class Predictions:
    """The predictions for some clips.

    Attributes:
        clips: (n,) indices of the clips in the data set.
        labels: (n,) index of each clip's word.
        words: (n,) index of the word that the network predicts.
        confidence: (n,) probability that the network gives to its prediction, 0 to 1.
        loss: mean cross entropy, nats.
    """

    clips: NDArray[np.int64]
    labels: NDArray[np.int64]
    words: NDArray[np.int64]
    confidence: NDArray[np.float32]
    loss: float

    @property
    def right(self) -> NDArray[np.bool_]:
        right: NDArray[np.bool_] = self.labels == self.words
        return right

    def accuracy(self, among: NDArray[np.bool_] | None = None) -> float | None:
        """Share of right predictions, of all or of those `among`; None where there are none."""
        right = self.right if among is None else self.right[among]
        return float(right.mean()) if len(right) else None

    def confusion_matrix(self, words: int, among: NDArray[np.bool_] | None = None) -> Matrix:
        """Counts (words, words): a row for each label, a column for each prediction."""
        chosen = slice(None) if among is None else among
        counts = np.zeros((words, words), np.int64)
        np.add.at(counts, (self.labels[chosen], self.words[chosen]), 1)
        return tuple(tuple(row) for row in counts.tolist())


def evaluate(network: nn.Module, batches: Batches, clips: NDArray[np.int64], precision: str) -> Predictions:
    """The predictions for `clips`, indices (n,) of the data set."""
    network.eval()
    scores = []
    with torch.inference_mode():
        for start in range(0, len(clips), 256):
            sound, _ = batches.get(clips[start : start + 256])
            with torch.autocast(sound.device.type, torch.bfloat16, enabled=precision == "bfloat16"):
                scores.append(network(sound).float())
    labels = batches.labels[torch.from_numpy(clips).to(batches.labels.device)]
    all_scores = torch.cat(scores)
    confidence, words = functional.softmax(all_scores, 1).max(1)
    return Predictions(
        clips,
        labels.cpu().numpy(),
        words.cpu().numpy(),
        confidence.cpu().numpy(),
        float(functional.cross_entropy(all_scores, labels)),
    )
