import numpy as np

from models.brain.banded import joint


def test_a_second_space_adds_what_only_it_knows() -> None:
    random = np.random.default_rng(0)
    one, other = random.normal(size=(80, 6)), random.normal(size=(80, 6)) * 100  # scales do not matter
    standard = other / 100
    y = np.column_stack(
        [
            one @ random.normal(size=6),
            standard @ random.normal(size=6),
            one @ random.normal(size=6) + standard @ random.normal(size=6),
            random.normal(size=80) * 2,
        ]
    ) + 0.3 * random.normal(size=(80, 4))
    both, alone = joint([one, other], y), joint([one], y)
    assert (both[:3] > 0.9).all()
    assert alone[0] > 0.9
    assert alone[1] < 0.2
    assert 0.1 < alone[2] < 0.85
    assert both[3] < 0.2
