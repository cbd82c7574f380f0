import numpy as np
import pytest

from models.brain.continuous import (
    ceiling,
    delayed,
    fit_predict,
    folds_of,
    lanczos,
    normalised_correlation,
    permutation_p,
    respond,
    without_drift,
    z_scored,
)


def test_lanczos_keeps_slow_changes_and_takes_out_fast_ones() -> None:
    times = np.arange(0, 100, 0.05)
    new = (np.arange(45) + 2.5) * 2
    slow, fast = np.sin(2 * np.pi * 0.05 * times), np.sin(2 * np.pi * 2.3 * times)
    found = lanczos(np.column_stack([slow, fast, np.full(len(times), 3.0)]), times, new)
    assert found[5:-5, 0] == pytest.approx(np.sin(2 * np.pi * 0.05 * new)[5:-5], abs=0.05)
    assert np.abs(found[:, 1]).max() < 0.05
    assert found[:, 2] == pytest.approx(3)


def test_a_response_comes_six_seconds_later() -> None:
    times = np.arange(0, 60, 0.05)
    impulse = ((times >= 10) & (times < 10.5)).astype(float)[:, None]
    found = respond(impulse, times, np.arange(0, 60, 1.0))[:, 0]
    assert found.argmax() in (15, 16)
    assert abs(found[:10]).max() < 0.01 * found.max()


def test_delays_shift_and_never_look_ahead() -> None:
    values = np.arange(6.0)[:, None]
    assert delayed(values)[5].tolist() == [4, 3, 2, 1]
    assert delayed(values)[1].tolist() == [0, 0, 0, 0]


def test_drift_goes_and_the_rest_stays() -> None:
    times = np.arange(150) * 2.0
    drift = 5 * np.cos(np.pi * (times + 1) / 300) + 100
    signal = np.sin(2 * np.pi * times / 30)
    left = without_drift((drift + signal)[:, None], 2.0)[:, 0]
    assert np.corrcoef(left, signal)[0, 1] > 0.98
    assert without_drift(drift[:, None], 2.0) == pytest.approx(0, abs=0.01)
    assert z_scored(np.full((5, 1), 7.0)) == pytest.approx(0)


def test_the_true_signal_reaches_the_ceiling_at_any_noise() -> None:
    random = np.random.default_rng(0)
    signal = z_scored(random.normal(size=(400, 200)))
    for deviation in (0.5, 1.2):
        noise = random.normal(size=(400, 200, 6)) * deviation
        repetitions = np.stack([z_scored(signal + noise[:, :, i]) for i in range(6)], axis=2)
        power, explainable, reliable = ceiling(repetitions)
        found = normalised_correlation(signal, repetitions.mean(axis=2), power)
        assert np.median(found) == pytest.approx(1, abs=0.03)
        assert np.median(explainable) == pytest.approx(1 / (1 + deviation**2), abs=0.04)
        assert reliable.mean() > 0.95
    _, explainable, reliable = ceiling(random.normal(size=(400, 200, 6)))
    assert np.median(explainable) == pytest.approx(0, abs=0.02)
    assert reliable.mean() < 0.02


def test_noise_is_not_significant_and_a_signal_is() -> None:
    random = np.random.default_rng(1)
    actual = random.normal(size=(150, 400))
    p = permutation_p(random.normal(size=(150, 400)), actual, 199)
    assert (p < 0.05).mean() <= 0.08
    assert permutation_p(actual + random.normal(size=(150, 400)), actual, 199).max() < 0.05


@pytest.mark.parametrize("features", [6, 90])
def test_each_voxel_has_its_own_penalty(features: int) -> None:
    random = np.random.default_rng(2)
    x = z_scored(random.normal(size=(120, features)))
    y = z_scored(
        x[:, :6] @ random.normal(size=(6, 3)) + random.normal(size=(120, 3)) * np.array([0.1, 1, 50])
    )
    predicted, inside, at_edge = fit_predict(x[:60], y[:60], x[60:], folds_of([30, 30]))
    assert predicted.shape == (60, 3)
    assert inside[0] > inside[2]
    assert np.corrcoef(predicted[:, 0], y[60:, 0])[0, 1] > 0.3
    assert at_edge.shape == (3,)


def test_folds_are_runs_or_blocks() -> None:
    assert folds_of([2, 3]).tolist() == [0, 0, 1, 1, 1]
    assert np.bincount(folds_of([50])).tolist() == [10] * 5
    assert len(set(folds_of([25]))) == 2
