"""The base family: long kernels, strong pooling, three dense layers."""

from itertools import pairwise

from torch import nn

from models.architectures.convolution import Convolution, Network, need


def base(words: int, depth: int, dropout: float, batch_norm: bool, samples: int = 16000) -> Network:
    """Five convolutions of 25 taps, each pooled by 4, then dense layers of 1024 and 512 units.

    Convolutions are "valid" and pools are "same": for a second the lengths are 16000, 15976, 3994, 3970, 993, 969,
    243, 219, 55, 31, 8. Less deep means fewer convolutions in front of the same dense layers.
    """
    channels = [1, 8, 16, 32, 64, 128][: depth + 1]
    convolutions = [
        Convolution(inputs, outputs, 25, same=False, pool=4, pool_all=True, batch_norm=batch_norm)
        for inputs, outputs in pairwise(channels)
    ]
    length = samples
    for _ in convolutions:
        length = -(-(length - 24) // 4)
    need(length, samples, depth)
    classifier = nn.Sequential(
        nn.Linear(channels[-1] * length, 1024),
        nn.ReLU(),
        nn.Dropout(dropout),
        nn.Linear(1024, 512),
        nn.ReLU(),
        nn.Dropout(dropout),
        nn.Linear(512, words),
    )
    return Network(convolutions, classifier)
