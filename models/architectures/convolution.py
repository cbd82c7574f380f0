"""The building block of the families."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.architectures.fused import fused, fused_norm
from models.architectures.fused_fits import fits_layer


class Block(nn.Module):
    """A layer as people count them. Analyses look at the output of a block, not at what is inside it."""


class Convolution(Block):
    """Convolution, batch norm if asked for, max pool if asked for, ReLU.

    A one-dimensional convolution, computed as a two-dimensional one of height 1: in the channels-last
    memory format that is about twice as fast on a CPU as `Conv1d`. Pooling comes before ReLU, which gives
    the same result as after it (both keep the order of values) on a fraction of the elements.

    Takes and gives (batch, channels, 1, time).

    Args:
        inputs: input channels.
        outputs: output channels, that is filters.
        kernel: taps of each filter.
        same: keep the length (zero padding, odd kernels), else use only the places where the kernel fits.
        pool: width and stride of the max pool, 1 for none.
        pool_all: pool the incomplete last window too ("same" pooling), else drop it.
        batch_norm: with trainable scale and shift.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        *,
        same: bool = True,
        pool: int = 1,
        pool_all: bool = False,
        batch_norm: bool = False,
    ) -> None:
        super().__init__()
        self.pool = pool
        self.pool_all = pool_all
        self.convolution = nn.Conv2d(inputs, outputs, (1, kernel), padding=(0, kernel // 2 if same else 0))
        nn.init.kaiming_uniform_(self.convolution.weight, nonlinearity="relu")
        nn.init.zeros_(self.convolution.bias)  # type: ignore[arg-type]
        self.norm = nn.BatchNorm2d(outputs) if batch_norm else nn.Identity()

    @property
    def filters(self) -> Tensor:
        """The weights, (outputs, inputs, taps)."""
        return self.convolution.weight.detach()[:, :, 0]

    def forward(self, signal: Tensor) -> Tensor:
        kernel = self.convolution
        if kernel.bias is not None and fits_layer(
            signal, kernel, self.norm, pool=self.pool, pool_all=self.pool_all
        ):
            if isinstance(self.norm, nn.BatchNorm2d):
                return fused_norm(signal, kernel, self.norm, pool=self.pool, pool_all=self.pool_all)
            padding = int(kernel.padding[1])
            return fused(
                signal, kernel.weight, kernel.bias, padding=padding, pool=self.pool, pool_all=self.pool_all
            )
        signal = self.norm(self.convolution(signal))
        if self.pool > 1:
            if missing := -signal.shape[-1] % self.pool if self.pool_all else 0:
                # Minus infinity never wins, and zero would where all values are negative.
                signal = functional.pad(signal, (missing // 2, missing - missing // 2), value=-torch.inf)
            signal = functional.max_pool2d(signal, (1, self.pool))
        return torch.relu(signal)


class Network(nn.Sequential):
    """Convolutions and a classifier: takes clips (batch, samples), gives a score a word (batch, words)."""

    def __init__(self, convolutions: Sequence[nn.Module], classifier: nn.Sequential) -> None:
        super().__init__(*convolutions, nn.Flatten(), *classifier)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload] # torch's stub lacks it

    def forward(self, clips: Tensor) -> Tensor:
        signal = clips[:, None, None].to(memory_format=torch.channels_last)
        return super().forward(signal)  # type: ignore[no-any-return, no-untyped-call]


def need(length: int, samples: int, depth: int) -> None:
    """Raises: ValueError: after its layers a network of this depth has no values left of so few samples."""
    if length < 1:
        raise ValueError(
            f"{samples:,} samples are too few for {depth} layers; choose more seconds, a higher sample_rate, or fewer layers"
        )
