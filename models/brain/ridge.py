"""Ridge regression with a penalty of its own for each voxel, chosen by leave-one-out."""

import numpy as np
from himalaya.kernel_ridge import solve_kernel_ridge_eigenvalues
from himalaya.ridge import solve_ridge_svd
from numpy.typing import NDArray

Floats = NDArray[np.floating]

GRID = 10.0 ** np.arange(-8, 8.5, 0.5)
"""Penalties relative to the mean squared singular value of the centred features: from none to the mean alone."""
_BATCH = 512


def choose(features: Floats, responses: Floats, grid: Floats = GRID) -> tuple[Floats, NDArray[np.intp]]:
    """The penalty of each voxel with the smallest leave-one-out error; intercept included, which is not penalised.

    The residual of a sound that was left out is (y - fitted) / (1 - leverage), so that one decomposition does
    for all sounds, penalties and voxels (Golub, Heath & Wahba, Technometrics, 1979).

    Args:
        features: (sounds, features).
        responses: (sounds, voxels).
        grid: penalties to choose from, relative to the features' power.

    Returns:
        Penalties (voxels,) as in ||y - Xb||^2 + penalty ||b||^2, and their places in the grid.
    """
    left, singular, _ = np.linalg.svd(features - features.mean(axis=0), full_matrices=False)
    alive = singular > singular[0] * 1e-10 if singular.size and singular[0] > 0 else singular > 0
    if not alive.any():  # constant features: only the mean can be predicted
        return np.full(responses.shape[1], grid[-1]), np.full(responses.shape[1], len(grid) - 1)
    left, power = left[:, alive], singular[alive] ** 2
    penalties = grid * power.sum() / len(features)
    centred = responses - responses.mean(axis=0)
    places = np.empty(responses.shape[1], dtype=np.intp)
    for start in range(0, responses.shape[1], _BATCH):  # small enough for the processor's cache
        some = centred[:, start : start + _BATCH]
        projected = left.T @ some
        errors = np.empty((len(penalties), some.shape[1]))
        for number, penalty in enumerate(penalties):
            shrunk = power / (power + penalty)
            leverage = 1 / len(features) + (left**2) @ shrunk
            residual = some - (left * shrunk) @ projected
            # A leverage of 1 means that the sound is fitted by itself alone: nothing is known of its error.
            residual /= np.maximum(1 - leverage, 1e-12)[:, None]
            errors[number] = np.einsum("ij,ij->j", residual, residual)
        places[start : start + _BATCH] = errors.argmin(axis=0)
    return penalties[places], places


def predict(train: Floats, responses: Floats, test: Floats, penalties: Floats) -> Floats:
    """Predictions (test sounds, voxels): himalaya's ridge, in kernel form where features outnumber sounds."""
    centre, level = train.mean(axis=0), responses.mean(axis=0)
    train, test, centred = train - centre, test - centre, responses - level
    wide = train.shape[1] > len(train)
    kernel, across = (train @ train.T, test @ train.T) if wide else (train, test)
    predicted = np.empty((len(test), responses.shape[1]))
    # Voxels of one penalty together: himalaya would make a matrix for each voxel.
    for penalty in np.unique(penalties):
        some = penalties == penalty
        if wide:
            weights = solve_kernel_ridge_eigenvalues(kernel, centred[:, some], alpha=penalty)
        else:
            weights = solve_ridge_svd(kernel, centred[:, some], alpha=penalty, warn=False)
        predicted[:, some] = across @ weights
    return np.asarray(predicted + level)
