import numpy as np
import pytest

from models.brain.scores import (
    by_person,
    chosen_layers,
    correlation,
    critical_correlation,
    halves,
    interval,
    mean_and_sem,
    p_values,
    reliability,
    splits,
)


def test_the_floors_are_the_published_ones() -> None:
    assert round(critical_correlation(83), 3) == 0.182
    assert round(critical_correlation(82), 3) == 0.183
    assert p_values(np.array([critical_correlation(83)]), 83) == pytest.approx(0.05)


def test_splits_are_halves_and_always_the_same() -> None:
    for (train, test), (again, _) in zip(splits(165), splits(165), strict=True):
        assert (len(train), len(test)) == (83, 82)
        assert not set(train) & set(test)
        assert np.array_equal(train, again)
    assert len({tuple(train) for train, _ in splits(165)}) == 10
    for one, other in halves(10):
        assert sorted([*one, *other]) == list(range(10))


def test_a_constant_correlates_with_nothing() -> None:
    random = np.random.default_rng(0)
    a = np.column_stack([random.normal(size=9), np.full(9, 0.1)])
    found = correlation(a, random.normal(size=(9, 2)))
    assert found[1] == 0
    assert found[0] != 0


def test_reliability_is_that_of_the_mean_and_never_below_chance() -> None:
    random = np.random.default_rng(1)
    signal = random.normal(size=(4000, 1, 1))
    repetitions = signal + random.normal(size=(4000, 1, 3))
    assert reliability(repetitions)[0] == pytest.approx(0.75, abs=0.03)  # 1 / (1 + 1/3)
    assert reliability(random.normal(size=(83, 1, 3)) - 5)[0] >= critical_correlation(83)


def test_a_layer_is_read_where_it_was_not_chosen() -> None:
    values = np.zeros((2, 10, 1))
    values[0] = 0.2
    values[1, :5] = 0.9  # good in some splits alone
    best, depth, read = chosen_layers(values)
    assert best.shape == depth.shape == read.shape == (1,)
    assert read[0] < 0.5
    steady = np.full((3, 10, 4), 0.1)
    steady[2] = 0.7
    best, depth, read = chosen_layers(steady)
    assert list(best) == [2] * 4
    assert list(depth) == [1] * 4
    assert read == pytest.approx(0.7)


def test_people_are_what_is_averaged() -> None:
    subjects = np.array(["a", "a", "a", "b"])
    assert by_person(np.array([1.0, 2, 30, 5]), subjects) == {"a": 2, "b": 5}
    assert by_person(np.array([1.0, 2, 30, 5]), subjects, fewest=2) == {"a": 2}
    mean, sem = mean_and_sem([1.0, 3.0])
    assert mean == 2
    assert sem == pytest.approx(1)
    assert mean_and_sem([]) == (None, None)
    assert mean_and_sem([4.0]) == (4, None)
    assert interval([0.1, 0.2]) is None
    low, high = interval([0.1, 0.2, 0.3]) or (0, 0)
    assert 0.1 <= low < 0.2 < high <= 0.3
