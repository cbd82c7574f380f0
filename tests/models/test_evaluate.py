"""Windows of a longer recording vote."""

import numpy as np
import torch

from models.training.evaluate import voted


def test_the_windows_of_a_clip_vote_with_their_mean_probability() -> None:
    scores = torch.tensor([[0.0, 9.0], [2.0, 0.0], [2.0, 0.0], [5.0, 1.0]])
    owners = np.array([0, 1, 1, 2])
    found = voted(scores, owners).softmax(1)
    one, two, *_ = scores.softmax(1)
    torch.testing.assert_close(found, torch.stack([one, two, scores[3].softmax(0)]))
    mixed = voted(torch.tensor([[0.0, 9.0], [3.0, 0.0]]), np.array([0, 0])).exp()
    expected = torch.tensor([[0.0, 9.0], [3.0, 0.0]]).softmax(1).mean(0, keepdim=True)
    torch.testing.assert_close(mixed, expected)


def test_single_windows_keep_their_scores() -> None:
    scores = torch.randn(3, 2)
    assert voted(scores, np.arange(3)) is scores
