import numpy as np
import pytest
from himalaya.kernel_ridge import KernelRidgeCV
from sklearn.linear_model import Ridge, RidgeCV

from models.brain.ridge import GRID, choose, predict


@pytest.mark.parametrize("features", [5, 40])
def test_the_ridge_is_that_of_scikit_learn_and_of_a_closed_form(features: int) -> None:
    random = np.random.default_rng(features)
    x, test = random.normal(size=(20, features)) + 3, random.normal(size=(7, features)) + 3
    y = x[:, :3] @ random.normal(size=(3, 4)) + random.normal(size=(20, 4))
    penalties = np.array([0.1, 1.0, 1.0, 100.0])
    predicted = predict(x, y, test, penalties)
    assert np.allclose(predicted, Ridge(alpha=penalties).fit(x, y).predict(test), atol=1e-8)
    xc, yc = x - x.mean(axis=0), y - y.mean(axis=0)
    for voxel, penalty in enumerate(penalties):
        weights = np.linalg.solve(xc.T @ xc + penalty * np.eye(features), xc.T @ yc[:, voxel])
        closed = (test - x.mean(axis=0)) @ weights + y[:, voxel].mean()
        assert np.allclose(predicted[:, voxel], closed, atol=1e-8)


@pytest.mark.parametrize("features", [5, 40])
def test_the_penalty_is_that_of_leaving_one_out(features: int) -> None:
    random = np.random.default_rng(features)
    x = random.normal(size=(20, features)) * 2 + 1
    y = x[:, :3] @ random.normal(size=(3, 6)) + random.normal(size=(20, 6)) * np.array([0.1, 1, 2, 4, 8, 16])
    penalties, places = choose(x, y, GRID[::3])
    centred = x - x.mean(axis=0)
    grid = GRID[::3] * (centred**2).sum() / len(x)
    assert np.allclose(grid[places], penalties)
    direct = np.empty((len(grid), 6))
    for number, penalty in enumerate(grid):
        errors = [
            y[i] - Ridge(alpha=penalty).fit(np.delete(x, i, 0), np.delete(y, i, 0)).predict(x[i : i + 1])[0]
            for i in range(len(x))
        ]
        direct[number] = np.square(errors).sum(axis=0)
    # Penalties that are all too small to matter have equal errors.
    assert direct[places, np.arange(6)] == pytest.approx(direct.min(axis=0), rel=1e-5)
    assert len(set(places)) > 1  # each voxel has its own


def test_other_libraries_choose_the_same_penalty() -> None:
    random = np.random.default_rng(3)
    x = random.normal(size=(20, 12))
    y = x[:, :3] @ random.normal(size=(3, 5)) + random.normal(size=(20, 5)) * np.array([0.1, 1, 3, 6, 9])
    grid = 10.0 ** np.arange(-3, 4)
    penalties, places = choose(x, y, grid)
    assert len(set(places)) > 2
    alphas = grid * ((x - x.mean(axis=0)) ** 2).sum() / len(x)
    assert np.allclose(RidgeCV(alphas=alphas, alpha_per_target=True).fit(x, y).alpha_, penalties)
    kernel = KernelRidgeCV(alphas=alphas, cv=len(x), fit_intercept=True, warn=False).fit(x, y)
    assert np.allclose(kernel.best_alphas_, penalties)


def test_features_that_never_change_predict_the_mean() -> None:
    y = np.random.default_rng(0).normal(size=(10, 2))
    penalties, places = choose(np.ones((10, 4)), y)
    assert list(places) == [len(GRID) - 1] * 2
    assert np.allclose(predict(np.ones((10, 4)), y, np.ones((3, 4)), penalties), y.mean(axis=0))
