"""The predictions of a network for clips that it was not trained on."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
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


def voted(scores: Tensor, owners: NDArray[np.int64]) -> Tensor:
    """The scores (clips, words) of clips from those (windows, words) of their windows.

    `owners` (windows,) is the clip of each window, in order. Softmax gives the mean of the windows' probabilities.
    """
    counts = np.bincount(owners)
    if len(counts) == len(owners):
        return scores
    probabilities = functional.softmax(scores, 1)
    sums = probabilities.new_zeros(len(counts), scores.shape[1])
    sums.index_add_(0, torch.from_numpy(owners).to(scores.device), probabilities)
    return (sums / torch.from_numpy(counts).to(sums)[:, None]).log()


def evaluate(network: nn.Module, batches: Batches, clips: NDArray[np.int64], precision: str) -> Predictions:
    """The predictions for `clips`, indices (n,) of the data set.

    The windows of a longer clip vote: the mean of their probabilities is the clip's.
    """
    network.eval()
    scores = []
    windows, owners = batches.clips.windows(clips)
    with torch.inference_mode():
        for start in range(0, len(windows), 256):
            sound, _ = batches.get(windows[start : start + 256])
            with torch.autocast(sound.device.type, torch.bfloat16, enabled=precision == "bfloat16"):
                scores.append(network(sound).float())
    all_scores = voted(torch.cat(scores), owners)
    labels = torch.from_numpy(batches.clips.labels[clips]).to(all_scores.device)
    confidence, words = functional.softmax(all_scores, 1).max(1)
    return Predictions(
        clips,
        labels.cpu().numpy(),
        words.cpu().numpy(),
        confidence.cpu().numpy(),
        float(functional.cross_entropy(all_scores, labels)),
    )
