"""Ridge regression for many targets at once, with a penalty for each chosen on held-out data."""

import torch
from torch import Tensor

PENALTIES = tuple(10.0**power for power in range(-4, 4))
"""As shares of the mean variance of the predictors."""


def solve(gram: Tensor, cross: Tensor) -> Tensor:
    """Weights for every penalty: (penalties, predictors, targets).

    Args:
        gram: X'X of centred predictors, (predictors, predictors).
        cross: X'Y of centred predictors and targets, (predictors, targets).
    """
    values, vectors = torch.linalg.eigh(gram.double())
    values = values.clamp(min=0)
    turned = vectors.T @ cross.double()
    mean = values.mean().clamp(min=1e-12)
    return torch.stack([vectors @ (turned / (values + share * mean)[:, None]) for share in PENALTIES])


def fit_and_score(x: Tensor, y: Tensor, x_test: Tensor) -> Tensor:
    """Predictions (test, targets) for x_test (test, predictors), fitted to x (n, predictors) and y (n, targets).

    Predictors are scaled; every fourth row of x is held out to choose the penalty of each target.
    """
    mean, deviation = x.mean(0), x.std(0)
    deviation = torch.where(deviation > 1e-6 * deviation.max().clamp(min=1e-12), deviation, torch.inf)
    x, x_test = (x - mean) / deviation, (x_test - mean) / deviation
    held = torch.arange(len(x)) % 4 == 3
    tried = _weights(x[~held], y[~held])
    errors = torch.stack([(predict(x[held], w, b) - y[held].double()).square().sum(0) for w, b in tried])
    chosen = errors.argmin(0)
    final = torch.stack([predict(x_test, w, b) for w, b in _weights(x, y)])
    return final.gather(0, chosen.expand(1, len(x_test), -1))[0].float()


def _weights(x: Tensor, y: Tensor) -> list[tuple[Tensor, Tensor]]:
    x, y = x.double(), y.double()
    x_mean, y_mean = x.mean(0), y.mean(0)
    weights = solve((x - x_mean).T @ (x - x_mean), (x - x_mean).T @ (y - y_mean))
    return [(each, y_mean - x_mean @ each) for each in weights]


def predict(x: Tensor, weights: Tensor, offset: Tensor) -> Tensor:
    """(n, targets)."""
    return x.double() @ weights + offset


def explained(truth: Tensor, predicted: Tensor) -> Tensor:
    """R squared of each target, (targets,); 0 where a target does not vary."""
    truth, predicted = truth.double(), predicted.double()
    total = (truth - truth.mean(0)).square().sum(0)
    return torch.where(total > 1e-9, 1 - (truth - predicted).square().sum(0) / total.clamp(min=1e-9), 0.0)
