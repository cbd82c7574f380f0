"""What augmentation does to sound."""

import pytest
import torch

from models.data.augment import augment

RATE_HZ = 8000


def noise(clips: int = 64) -> torch.Tensor:
    torch.manual_seed(1)
    return 0.1 * torch.randn(clips, RATE_HZ)


def test_none_changes_nothing() -> None:
    assert torch.equal(augment(noise(), "none", RATE_HZ), noise())


@pytest.mark.parametrize("strength", ["light", "strong"])
def test_each_clip_is_changed_in_its_own_way_and_the_same_way_from_the_same_seed(strength: str) -> None:
    torch.manual_seed(2)
    first = augment(noise(1).expand(3, -1), strength, RATE_HZ)
    torch.manual_seed(2)
    assert torch.equal(augment(noise(1).expand(3, -1), strength, RATE_HZ), first)
    assert (first[0] - first[1]).abs().max() > 0.05


def test_light_moves_a_click_by_at_most_a_tenth_of_a_second_and_changes_loudness_by_at_most_6_db() -> None:
    clicks = torch.zeros(200, RATE_HZ)
    clicks[:, RATE_HZ // 2] = 1.0
    torch.manual_seed(3)
    height, place = augment(clicks, "light", RATE_HZ).max(1)
    moved = (place - RATE_HZ // 2).abs()
    assert RATE_HZ / 20 < moved.max() <= RATE_HZ / 10
    assert 0.49 < height.min() < 0.7
    assert 1.4 < height.max() < 2.1


def test_strong_takes_out_bands_and_stretches_of_time() -> None:
    """Of white noise: bands without energy for some clips, at low and at high frequencies, and silent stretches."""
    torch.manual_seed(4)
    light, strong = (augment(noise(300), strength, RATE_HZ) for strength in ("light", "strong"))

    def quiet(sound: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Whether each of 20 bands, and each of 40 stretches, has less than a hundredth of a clip's mean energy."""
        bands = torch.fft.rfft(sound)[:, :4000].abs().square().reshape(len(sound), 20, -1).mean(2)
        times = sound[:, 1600:6400].square().reshape(len(sound), 40, -1).mean(2)
        return bands < bands.mean(1, keepdim=True) / 100, times < times.mean(1, keepdim=True) / 100

    bands, times = quiet(strong)
    assert not any(found.any() for found in quiet(light))
    assert bands[:, 2:-2].any(0).all()
    assert 0.05 < bands.float().mean() < 0.35
    assert times.any(0).all()
    assert 0.05 < times.float().mean() < 0.35
