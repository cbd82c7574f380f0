"""The VGG-style family: pairs of small convolutions."""

from torch import nn

from models.architectures.convolution import Convolution, Network, need


def vgg(words: int, depth: int, dropout: float, batch_norm: bool, samples: int = 16000) -> Network:
    """`depth` convolutions of 3 taps, 64 channels in the first 8 and 128 after; pool 3 after each pair but the last.

    At the published depth of 16 that leaves 7 times 128 values for the dense layer.
    """
    widths = [1, *(64 if layer < 8 else 128 for layer in range(depth))]
    convolutions = [
        Convolution(
            widths[layer],
            widths[layer + 1],
            3,
            pool=3 if layer % 2 and layer < depth - 1 else 1,
            batch_norm=batch_norm,
        )
        for layer in range(depth)
    ]
    length = samples // 3 ** (depth // 2 - 1)
    need(length, samples, depth)
    return Network(convolutions, nn.Sequential(nn.Dropout(dropout), nn.Linear(widths[-1] * length, words)))
