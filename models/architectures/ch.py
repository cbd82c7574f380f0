"""The families ch32, ch64 and ch128: short kernels, and channels that double after every fourth layer."""

from torch import nn

from models.architectures.convolution import Convolution, Network, need


def ch32(words: int, depth: int, dropout: float, batch_norm: bool, samples: int = 16000) -> Network:
    return _ch(32, words, depth, dropout, batch_norm, samples=samples)


def ch64(words: int, depth: int, dropout: float, batch_norm: bool, samples: int = 16000) -> Network:
    return _ch(64, words, depth, dropout, batch_norm, samples=samples)


def ch128(words: int, depth: int, dropout: float, batch_norm: bool, samples: int = 16000) -> Network:
    return _ch(128, words, depth, dropout, batch_norm, samples=samples)


def _ch(channels: int, words: int, depth: int, dropout: float, batch_norm: bool, *, samples: int) -> Network:
    """`depth` convolutions of 5 taps: C channels in layers 1 to 4, 2C in 5 to 8, 4C in 9.

    Every convolution but the last is pooled by 3. The published parameter counts leave open which one
    goes unpooled, the first or the last; unpooled-last needs a third of the arithmetic.
    """
    widths = [1, *(channels * 2 ** (layer // 4) for layer in range(depth))]
    convolutions = [
        Convolution(
            widths[layer], widths[layer + 1], 5, pool=3 if layer < depth - 1 else 1, batch_norm=batch_norm
        )
        for layer in range(depth)
    ]
    length = samples // 3 ** (depth - 1)
    need(length, samples, depth)
    return Network(convolutions, nn.Sequential(nn.Dropout(dropout), nn.Linear(widths[-1] * length, words)))
