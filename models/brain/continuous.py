"""Protocol B: continuous sounds, as in the voxelwise models of Huth and Gallant. Pure but for the sound files."""

from itertools import combinations

import numpy as np
from himalaya.kernel_ridge import KernelRidgeCV
from himalaya.ridge import RidgeCV
from numpy.typing import NDArray
from scipy.fft import next_fast_len
from sklearn.model_selection import PredefinedSplit

from models.brain.data import DataSet, Run
from models.brain.scores import correlation, critical_correlation

Floats = NDArray[np.floating]

DELAYS = (1, 2, 3, 4)
"""TRs by which the features of a finite impulse response lag behind the sound."""
CUT_OFF_S = 128.0
"""Slower changes count as drift."""
BLOCK_TRS = 10
GRID = 10.0 ** np.arange(-6, 7.0)
PERMUTATIONS = 999
_LOBES = 3
_SEED = 20230613


def waveform(run: Run, tr_s: float, sounds: dict[str, Floats], rate_hz: int) -> Floats:
    """What was heard during a run, silence where nothing was played."""
    heard = np.zeros(round(len(run.responses) * tr_s * rate_hz), dtype=np.float32)
    for event in run.events:
        start = round(event.onset_s * rate_hz)
        sound = sounds[event.stimulus][max(0, -start) :]
        start = max(0, start)
        room = heard[start : start + len(sound)]
        room += sound[: len(room)]
    return heard


def tr_times(trs: int, tr_s: float, slice_time: float) -> Floats:
    """When the volumes of a run count (s)."""
    return np.asarray((np.arange(trs) + slice_time) * tr_s)


def lanczos(values: Floats, times_s: Floats, new_times_s: Floats) -> Floats:
    """Resamples (samples, features) to the new times: three lobes, cut off at the new rate (Duchon, 1979)."""
    cut_off_hz = 1 / np.diff(new_times_s).mean()
    resampled = np.empty((len(new_times_s), values.shape[1]))
    for number, time in enumerate(new_times_s):
        first, last = np.searchsorted(times_s, [time - _LOBES / cut_off_hz, time + _LOBES / cut_off_hz])
        distance = (times_s[first:last] - time) * cut_off_hz
        weights = np.sinc(distance) * np.sinc(distance / _LOBES)
        total = weights.sum()
        nearest = np.clip(first, 0, len(values) - 1)
        resampled[number] = weights / total @ values[first:last] if total > 1e-6 else values[nearest]
    return resampled


def respond(values: Floats, times_s: Floats, new_times_s: Floats) -> Floats:
    """Convolves with Glover's haemodynamic response at the features' own rate, then resamples."""
    from nilearn.glm.first_level import glover_hrf  # noqa: PLC0415 - takes a second to import

    step = float(np.median(np.diff(times_s)))
    response = glover_hrf(step, oversampling=1, time_length=32)
    centred = values - values[0]  # as if what is heard first had always been heard
    # A length with a large prime factor costs ten times as much.
    size = next_fast_len(len(values) + len(response), real=True)
    product = np.fft.rfft(centred, size, axis=0) * np.fft.rfft(response, size)[:, None]
    return lanczos(np.fft.irfft(product, size, axis=0)[: len(values)], times_s, new_times_s)


def delayed(values: Floats) -> Floats:
    """(TRs, delays x features): the features as they were 1 to 4 TRs before; the first row where nothing was."""
    return np.concatenate(
        [np.concatenate([np.repeat(values[:1], lag, axis=0), values[:-lag]]) for lag in DELAYS], axis=1
    )


def z_scored(values: Floats) -> Floats:
    """Each column with mean 0 and variance 1; 0 where it is constant."""
    spread = values.std(axis=0)
    return np.asarray(
        (values - values.mean(axis=0))
        / np.where(spread > 1e-9 * (np.abs(values).max(initial=0) + 1e-30), spread, np.inf)
    )


def cosines(trs: int, tr_s: float) -> Floats:
    """(TRs, cosines): those slower than 128 s, and a constant at last."""
    from nilearn.signal import create_cosine_drift  # noqa: PLC0415 - takes a second to import

    return np.asarray(create_cosine_drift(1 / CUT_OFF_S, np.arange(trs) * tr_s))


def without_drift(values: Floats, tr_s: float) -> Floats:
    """Without cosines slower than 128 s, and without the mean."""
    trs = len(values)
    drift = cosines(trs, tr_s)
    basis, _ = np.linalg.qr(np.column_stack([np.ones(trs), drift]))
    return np.asarray(values - basis @ (basis.T @ values))


def test_runs(data: DataSet) -> list[list[int]]:
    """The places of the runs that repeat the same sounds, a list for each; empty where no run is repeated."""
    groups: dict[object, list[int]] = {}
    for place, run in enumerate(data.runs):
        groups.setdefault(run.what, []).append(place)
    return [group for group in groups.values() if len(group) > 1]


def fit_predict(
    train: Floats, responses: Floats, test: Floats, folds: NDArray[np.intp]
) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """Predictions for the test, cross-validated scores inside the training, and whether a penalty is at the grid's edge.

    Each voxel has its own penalty, chosen by the squared error over `folds`; in kernel form where features
    outnumber TRs. Features and responses have mean 0.
    """
    grid = GRID * max(float((train**2).sum()) / len(train), 1e-12)
    kind = KernelRidgeCV if train.shape[1] > len(train) else RidgeCV
    params = {"n_targets_batch": 2048, "n_alphas_batch": 4, "n_targets_batch_refit": 512}
    if kind is RidgeCV:
        params["warn"] = False
    model = kind(alphas=grid, cv=PredefinedSplit(folds), solver_params=params)
    model.fit(train, responses)
    at_edge = (model.best_alphas_ <= grid[0] * 1.001) | (model.best_alphas_ >= grid[-1] * 0.999)
    return np.asarray(model.predict(test)), np.asarray(model.cv_scores_), at_edge


def folds_of(lengths: list[int]) -> NDArray[np.intp]:
    """A fold for each TR of the training: its run, or blocks of at least 10 TRs of a single run."""
    if len(lengths) > 1:
        return np.repeat(np.arange(len(lengths)), lengths)
    return np.minimum(np.arange(lengths[0]) * 5 // lengths[0], max(1, lengths[0] // BLOCK_TRS) - 1)


def ceiling(repetitions: Floats) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """How well a test run of z-scored (TRs, voxels, repetitions) could be predicted at best.

    Returns:
        Signal power (Schoppe et al., 2016), explainable variance corrected for its bias (Sahani & Linden, 2003),
        and whether the voxel is reliable: its repetitions correlate beyond p = .001 for half as many TRs, as
        noise that lasts makes neighbours alike.
    """
    trs, _, count = repetitions.shape
    total = repetitions.sum(axis=2).var(axis=0)
    apart = repetitions.var(axis=0).sum(axis=1)
    power = (total - apart) / (count * (count - 1))
    share = repetitions.mean(axis=2).var(axis=0) / np.maximum(repetitions.var(axis=0).mean(axis=1), 1e-12)
    pairs = [
        correlation(repetitions[:, :, i], repetitions[:, :, j]) for i, j in combinations(range(count), 2)
    ]
    reliable = np.median(pairs, axis=0) > critical_correlation(max(trs // 2, 4), 0.001)
    return power, share - (1 - share) / (count - 1), reliable


def normalised_correlation(predicted: Floats, mean: Floats, power: Floats) -> Floats:
    """CC_norm = Cov(predicted, mean) / sqrt(Var(predicted) SP) (Schoppe et al., 2016); 0 without signal power."""
    covariance = ((predicted - predicted.mean(axis=0)) * (mean - mean.mean(axis=0))).mean(axis=0)
    scale = np.sqrt(predicted.var(axis=0) * np.maximum(power, 0))
    return np.asarray(np.divide(covariance, scale, out=np.zeros_like(covariance), where=scale > 1e-12))


def permutation_p(predicted: Floats, actual: Floats, permutations: int = PERMUTATIONS) -> Floats:
    """The p of the correlation where blocks of 10 TRs of the prediction are put in random order."""
    blocks = max(2, len(actual) // BLOCK_TRS)
    edges = np.array_split(np.arange(len(actual)), blocks)
    predicted, actual = z_scored(predicted), z_scored(actual)
    observed = np.einsum("ij,ij->j", predicted, actual)
    random, above = np.random.default_rng(_SEED), np.zeros(actual.shape[1])
    for _ in range(permutations):
        order = np.concatenate([edges[block] for block in random.permutation(blocks)])
        above += np.einsum("ij,ij->j", predicted[order], actual) >= observed
    return np.asarray((1 + above) / (1 + permutations))
