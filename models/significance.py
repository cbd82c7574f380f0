"""Whether two accuracies differ by more than chance: tests of paired and of independent clips, both two-sided."""

from math import comb, erfc, sqrt
from typing import Literal

from pydantic import BaseModel, ConfigDict


class Significance(BaseModel):
    """The outcome of a test.

    `statistic` is None for an exact test; the clips that only one side got right are None for an unpaired one.
    """

    model_config = ConfigDict(frozen=True)

    test: Literal[
        "McNemar's test, exact",
        "McNemar's test, chi-square with continuity correction",
        "two-proportion z-test",
    ]
    statistic: float | None
    p_value: float
    only_a_right: int | None
    only_b_right: int | None


def mcnemar(only_a_right: int, only_b_right: int) -> Significance:
    """McNemar's test on paired clips; it counts those that only one side got right.

    With 25 of them or more (|b - c| - 1)^2 / (b + c), chi-square with one degree of freedom (McNemar,
    Psychometrika, 1947; continuity correction by Edwards, Psychometrika, 1948); with fewer the exact
    binomial test at 1/2.
    """
    discordant = only_a_right + only_b_right
    if discordant < 25:
        tail = sum(comb(discordant, k) for k in range(min(only_a_right, only_b_right) + 1))
        return Significance(
            test="McNemar's test, exact",
            statistic=None,
            p_value=min(1.0, 2 * tail / 2**discordant),
            only_a_right=only_a_right,
            only_b_right=only_b_right,
        )
    statistic = max(0, abs(only_a_right - only_b_right) - 1) ** 2 / discordant
    return Significance(
        test="McNemar's test, chi-square with continuity correction",
        statistic=statistic,
        p_value=erfc(sqrt(statistic / 2)),
        only_a_right=only_a_right,
        only_b_right=only_b_right,
    )


def two_proportions(right_a: int, clips_a: int, right_b: int, clips_b: int) -> Significance:
    """The z-test of two independent proportions, variance pooled.

    z = (p_b - p_a) / sqrt(p (1 - p) (1 / n_a + 1 / n_b)) with p of both together (Fleiss, Levin and Paik,
    Statistical Methods for Rates and Proportions, 2003).
    """
    pooled = (right_a + right_b) / (clips_a + clips_b)
    deviation = sqrt(pooled * (1 - pooled) * (1 / clips_a + 1 / clips_b))
    z = (right_b / clips_b - right_a / clips_a) / deviation if deviation else 0.0
    return Significance(
        test="two-proportion z-test",
        statistic=z,
        p_value=erfc(abs(z) / sqrt(2)),
        only_a_right=None,
        only_b_right=None,
    )
