"""Protocol A: one response to each sound, as in Tuckute, Feather et al. (PLOS Biology, 2023)."""

import numpy as np
from numpy.typing import NDArray

from models.brain.part import Part
from models.brain.ridge import GRID, choose, predict
from models.brain.scores import correlation, over_splits, p_values, reliability, splits

Floats = NDArray[np.floating]


class Separate:
    """Responses (sounds, voxels, repetitions), prepared for any number of layers."""

    def __init__(self, responses: Floats) -> None:
        responses = responses.astype(np.float64)
        self._mean = responses.mean(axis=2)
        self._repeated = responses.shape[2] > 1
        self._apart = np.swapaxes(responses, 1, 2).reshape(len(responses), -1)
        self._splits = splits(len(responses))
        self._reliability = [
            reliability(responses[train]) if self._repeated else np.ones(responses.shape[1])
            for train, _ in self._splits
        ]

    def score(self, features: Floats, shuffle: int | None = None) -> Part:
        """How well the features (sounds, features) predict each voxel.

        r is the correlation with the mean of the test sounds' repetitions; R2 = r^2, 0 where r is negative.
        R2_c = R2 / (reliability of the voxel x reliability of the prediction), the latter from ridges fitted to
        each repetition alone. Median over splits, at most 1. What the penalty takes away stays away: R2_c of the
        true layer is the squared correlation of what drives the voxel with its ridge, which noise keeps below 1.

        Args:
            features: one row a sound; not scaled.
            shuffle: the seed with which sounds are put in random order, anew in each split; None: they stay.
        """
        features, voxels = features.astype(np.float64), self._mean.shape[1]
        r, value, edge, constant = [], [], [], []
        for number, (train, test) in enumerate(self._splits):
            rows = features
            if shuffle is not None:
                rows = features[np.random.default_rng([shuffle, number]).permutation(len(features))]
            penalties, places = choose(rows[train], self._mean[train])
            # With one penalty the prediction from the mean is the mean of those from each repetition: Spearman and
            # Brown's step from one repetition to all of them, in `reliability`, holds for nothing else.
            repetitions = self._apart.shape[1] // voxels
            predicted = predict(rows[train], self._apart[train], rows[test], np.tile(penalties, repetitions))
            apart = predicted.reshape(len(test), repetitions, voxels)
            together = apart.mean(axis=1)
            found = correlation(together, self._mean[test])
            trust = self._reliability[number]
            if self._repeated:
                trust = trust * reliability(np.swapaxes(apart, 1, 2))
            r.append(found)
            value.append(np.sign(found) * found**2 / trust)
            edge.append(np.isin(places, (0, len(GRID) - 1)))
            constant.append(np.ptp(together, axis=0) < 1e-12)
        # Not the median: over splits that share sounds it is no unbiased estimate of 0 where there is nothing.
        mean_r = np.mean(r, axis=0)
        return Part(
            r=mean_r.astype(np.float32),
            value=over_splits(np.array(value)).astype(np.float32),
            # Splits share sounds: their mean varies less than one split, so that this p errs to the safe side.
            p=p_values(mean_r, len(self._splits[0][1])),
            by_split=np.array(value, dtype=np.float32),
            at_edge=np.mean(edge, axis=0) > 0.5,
            constant=np.mean(constant, axis=0) > 0.5,
        )
