"""Splits, correlations, correction for noise, choice of a layer, and chance. Pure."""

from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Floats = NDArray[np.floating]
Ints = NDArray[np.intp]

SPLITS = 10
CHOICES = 10
_SEED = 20230613


def splits(sounds: int, count: int = SPLITS) -> list[tuple[Ints, Ints]]:
    """Training and test sounds, about half each (83 + 82 of 165): the same for all voxels, layers and networks."""
    random = np.random.default_rng(_SEED)
    orders = (random.permutation(sounds) for _ in range(count))
    half = (sounds + 1) // 2
    return [(np.sort(order[:half]), np.sort(order[half:])) for order in orders]


def correlation(a: Floats, b: Floats) -> Floats:
    """Pearson's r of each column; 0 where one of them is constant."""
    a_centred, b_centred = a - a.mean(axis=0), b - b.mean(axis=0)
    a_power, b_power = _power(a_centred), _power(b_centred)
    product = np.einsum("i...,i...->...", a_centred, b_centred)
    # Rounding leaves a little of a constant column.
    varies = (a_power > 1e-20 * _power(a)) & (b_power > 1e-20 * _power(b))
    return np.asarray(
        np.divide(product, np.sqrt(a_power * b_power), out=np.zeros_like(product), where=varies)
    )


def _power(columns: Floats) -> Floats:
    return np.asarray(np.einsum("i...,i...->...", columns, columns))


def critical_correlation(sounds: int, p: float = 0.05) -> float:
    """The smallest correlation with a one-tailed p below `p` (0.182 for 83 sounds, 0.183 for 82)."""
    t = stats.t.isf(p, sounds - 2)
    return float(t / np.sqrt(sounds - 2 + t**2))


def p_values(r: Floats, sounds: int) -> Floats:
    """One-tailed p of correlations over `sounds`."""
    r = np.clip(r, -0.999999, 0.999999)
    return np.asarray(stats.t.sf(r * np.sqrt((sounds - 2) / (1 - r**2)), sounds - 2))


def q_values(p: Floats) -> Floats:
    """Benjamini and Hochberg's false discovery rate."""
    return np.asarray(stats.false_discovery_control(p)) if p.size else p


def repetition_correlation(repetitions: Floats) -> Floats:
    """The median over pairs of repetitions of their correlation. Takes (sounds, voxels, repetitions)."""
    pairs = combinations(range(repetitions.shape[2]), 2)
    return np.median([correlation(repetitions[:, :, i], repetitions[:, :, j]) for i, j in pairs], axis=0)


def reliability(repetitions: Floats) -> Floats:
    """Reliability of the mean of all repetitions (Spearman and Brown), at least what chance may give (p = .05)."""
    r, count = repetition_correlation(repetitions), repetitions.shape[2]
    corrected = count * r / np.maximum(1 + (count - 1) * r, 1e-6)
    return np.maximum(np.where(r > 0, corrected, 0), critical_correlation(len(repetitions)))


def over_splits(values: Floats) -> Floats:
    """The median over splits (the first axis), from 0 to 1."""
    return np.clip(np.median(values, axis=0), 0, 1)


def halves(count: int) -> list[tuple[Ints, Ints]]:
    """Splits shuffled into two halves, ten times with fixed seeds: to choose on one, and read on the other."""
    orders = [np.random.default_rng(seed).permutation(count) for seed in range(CHOICES)]
    half = count // 2
    return [(order[:half], order[half:]) for order in orders]


def chosen_layers(values: Floats) -> tuple[Ints, Floats, Floats]:
    """Which layer predicts each voxel best, chosen and read on different splits.

    Args:
        values: (layers, splits, voxels), negative where the correlation is: else layers that predict nothing tie.

    Returns:
        The layer that was chosen most often, the mean relative depth (0 is the first, 1 the last layer), and the
        mean value on the other half; (voxels,) each.
    """
    layers, count, voxels = values.shape
    votes = np.zeros((layers, voxels), dtype=int)
    depth, read = np.zeros(voxels), np.zeros(voxels)
    columns = np.arange(voxels)
    for one, other in halves(count):
        best = np.median(values[:, one], axis=1).argmax(axis=0)
        votes[best, columns] += 1
        depth += best / max(layers - 1, 1)
        read += over_splits(np.swapaxes(values[:, other], 0, 1))[best, columns]
    return votes.argmax(axis=0), depth / CHOICES, read / CHOICES


def read_on_halves(values: Floats) -> Floats:
    """The mean over the second halves of the splits, for one layer. Takes (splits, voxels)."""
    return np.asarray(np.mean([over_splits(values[other]) for _, other in halves(len(values))], axis=0))


def by_person(values: Floats, subjects: NDArray[np.str_], fewest: int = 1) -> dict[str, float]:
    """The median over the voxels of each person who has enough of them."""
    return {
        str(subject): float(np.median(values[subjects == subject]))
        for subject in np.unique(subjects)
        if (subjects == subject).sum() >= fewest
    }


def mean_and_sem(values: list[float]) -> tuple[float | None, float | None]:
    """The mean over people and its standard error; None where it is not known."""
    if not values:
        return None, None
    sem = float(np.std(values, ddof=1) / np.sqrt(len(values))) if len(values) > 1 else None
    return float(np.mean(values)), sem


def interval(differences: list[float], draws: int = 10_000) -> tuple[float, float] | None:
    """The 95 % interval of the mean, people drawn with replacement; None for fewer than three people."""
    if len(differences) < 3:
        return None
    random = np.random.default_rng(_SEED)
    people = np.array(differences)
    means = people[random.integers(len(people), size=(draws, len(people)))].mean(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)
