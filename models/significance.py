"""Whether two networks hear equally well: tests of paired and of independent clips."""

from math import comb, erfc, sqrt


def mcnemar(only_a_right: int, only_b_right: int) -> tuple[float | None, float]:
    """Statistic and two-sided p-value of McNemar's test on paired clips.

    With 25 discordant clips or more (|b - c| - 1)^2 / (b + c), chi-square with one degree of freedom
    (McNemar, Psychometrika, 1947; continuity correction by Edwards, Psychometrika, 1948); with fewer the
    exact binomial test at 1/2, which has no statistic.
    """
    discordant = only_a_right + only_b_right
    if discordant < 25:
        tail = sum(comb(discordant, k) for k in range(min(only_a_right, only_b_right) + 1))
        return None, min(1.0, 2 * tail / 2**discordant)
    statistic = max(0, abs(only_a_right - only_b_right) - 1) ** 2 / discordant
    return statistic, erfc(sqrt(statistic / 2))


def two_proportions(right_a: int, clips_a: int, right_b: int, clips_b: int) -> tuple[float, float]:
    """Statistic and two-sided p-value of the z-test of two independent proportions, variance pooled.

    z = (p_b - p_a) / sqrt(p (1 - p) (1 / n_a + 1 / n_b)) with p of both together (Fleiss, Statistical Methods
    for Rates and Proportions, 2003, chapter 3).
    """
    pooled = (right_a + right_b) / (clips_a + clips_b)
    deviation = sqrt(pooled * (1 - pooled) * (1 / clips_a + 1 / clips_b))
    z = (right_b / clips_b - right_a / clips_a) / deviation if deviation else 0.0
    return z, erfc(abs(z) / sqrt(2))
