"""Two feature spaces side by side in one banded ridge: what each adds to the other."""

import warnings
from collections.abc import Sequence

import numpy as np
from himalaya.kernel_ridge import MultipleKernelRidgeCV
from numpy.typing import NDArray

from models.brain.scores import correlation, splits

Floats = NDArray[np.floating]

_GAMMAS = 12
"""Random weights of the two spaces that are tried, besides equal ones and each space alone."""
_GRID = 10.0 ** np.arange(-4, 5)
_FINE_GRID = 10.0 ** np.arange(-4, 4.5, 0.5)
"""Of one space alone: beside another one, the weights give penalties between those of the grid."""
_SPLITS = 4
_FOLDS = 5
_SEED = 20230613


def joint(spaces: Sequence[Floats], responses: Floats) -> Floats:
    """r^2 of test sounds for each voxel, from one feature space or two with a penalty of their own for each voxel.

    A voxel may leave one space out altogether (Dupre la Tour et al., NeuroImage, 2022). 0 where r is negative.

    Args:
        spaces: (sounds, features) each.
        responses: (sounds, voxels).
    """
    random = np.random.default_rng(_SEED)
    gammas: Floats = np.ones((1, 1))
    grid: Floats = _FINE_GRID
    if len(spaces) > 1:
        gammas = np.concatenate([np.eye(2), [[0.5, 0.5]], random.dirichlet([0.5, 0.5], size=_GAMMAS)])
        gammas, grid = np.maximum(gammas, 1e-6), _GRID
    found = []
    for train, test in splits(len(responses))[:_SPLITS]:
        kernels = np.array([_kernels(space, train) for space in spaces])
        centred = responses[train] - responses[train].mean(axis=0)
        model = MultipleKernelRidgeCV(
            kernels="precomputed",
            solver="random_search",
            solver_params={"n_iter": gammas, "alphas": grid, "progress_bar": False, "n_targets_batch": 2048},
            cv=_FOLDS,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of single gammas whose penalties are all too small
            model.fit(kernels[:, train][:, :, train], centred)
        predicted = np.asarray(model.predict(kernels[:, test][:, :, train]))
        found.append(np.maximum(correlation(predicted, responses[test]), 0) ** 2)
    return np.asarray(np.median(found, axis=0))


def _kernels(space: Floats, train: NDArray[np.intp]) -> Floats:
    """Products of all sounds, centred on the training, so that the training's mean diagonal is 1."""
    centred = space - space[train].mean(axis=0)
    kernel = centred @ centred.T
    scale = float(kernel[train, train].mean())
    return np.asarray(kernel / scale if scale > 0 else kernel)
