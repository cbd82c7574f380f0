"""Which layers and signals the loops in C take; all others are left to torch."""

import torch
from torch import Tensor, nn

from models.architectures.compiled import libraries

_MOST_OUTPUTS = 1024


def fits(signal: Tensor, kernel: nn.Conv2d, pool: int) -> bool:
    """Whether the loops can take this layer and this signal; not where a hook wants to see or change the convolution."""
    return (
        signal.device.type == "cpu"
        and not torch.compiler.is_exporting()
        and not torch.jit.is_tracing()  # type: ignore[attr-defined, no-untyped-call]
        and not _is_hooked(kernel)
        and signal.dtype == torch.float32
        and kernel.weight.dtype == torch.float32
        and not torch.is_autocast_enabled("cpu")
        and pool in (1, 2, 3, 4)
        and kernel.out_channels % 8 == 0
        and kernel.out_channels <= _MOST_OUTPUTS
        and bool(libraries())
    )


def fits_layer(signal: Tensor, kernel: nn.Conv2d, norm: nn.Module, *, pool: int, pool_all: bool) -> bool:
    """Whether `fused` and `fused_norm` do what the torch form does with this layer and this signal.

    A lab's own network may give a layer another convolution or norm, or a signal that it cannot take: the loops know
    nothing of either, and would read beyond the signal. The torch form takes it, or says what is wrong.
    """
    return (
        fits(signal, kernel, pool)  # first: a question about a size would fix it in an exported network
        and signal.ndim == 4
        and signal.shape[0] > 0
        and signal.shape[1:3] == (kernel.in_channels, 1)
        and type(kernel).forward is nn.Conv2d.forward
        and kernel.bias is not None
        and kernel.kernel_size[0] == kernel.groups == 1
        and kernel.stride == kernel.dilation == (1, 1)
        and kernel.padding_mode == "zeros"
        and isinstance(kernel.padding, tuple)
        and kernel.padding[0] == 0
        and signal.shape[3] + 2 * kernel.padding[1] - kernel.kernel_size[1] + 1 >= (1 if pool_all else pool)
        and (type(norm) is nn.Identity or _is_usual(norm, kernel.out_channels))
        and not _is_hooked(norm)
    )


def _is_usual(norm: nn.Module, channels: int) -> bool:
    """Whether this is a batch norm of so many channels with a scale, a shift and running moments."""
    return (
        type(norm) is nn.BatchNorm2d
        and norm.num_features == channels
        and norm.affine
        and norm.track_running_stats
        and norm.momentum is not None
    )


def _is_hooked(layer: nn.Module) -> bool:
    """Whether something is attached to the calls of a layer; torch has no public way to ask."""
    return bool(
        layer._forward_hooks  # noqa: SLF001
        or layer._forward_pre_hooks  # noqa: SLF001
        or layer._backward_hooks  # noqa: SLF001
        or layer._backward_pre_hooks  # noqa: SLF001
    )
