"""A filter over time for each channel, on a processor, in a loop in C; where it does not fit, torch's form is used."""

import ctypes
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from models.architectures.compiled import Shape, at, loops
from models.architectures.fused_fits import fits


def fits_channels(signal: Tensor, kernel: torch.nn.Conv2d) -> bool:
    """Whether `channel_filters` can take this layer and this signal."""
    return (
        kernel.groups == kernel.in_channels == kernel.out_channels
        and kernel.bias is None
        and kernel.in_channels % 16 == 0
        and fits(signal, kernel, 1)
    )


def channel_filters(signal: Tensor, weight: Tensor) -> Tensor:
    """A filter over time for each channel, with zeros around so that the length stays.

    Args:
        signal: (batch, channels, 1, time).
        weight: (channels, 1, 1, taps), an odd number of taps.

    Returns:
        As `signal`, channels last in memory.
    """
    out: Tensor = _ChannelFilters.apply(signal, weight)  # type: ignore[no-untyped-call]
    return out


class _ChannelFilters(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, signal: Tensor, weight: Tensor) -> Tensor:
        x = signal.contiguous(memory_format=torch.channels_last)
        w = weight.detach()[:, 0, 0].T.contiguous()  # (taps, channels)
        context.save_for_backward(x, w)
        return _filter_channels(x, w)

    @staticmethod
    @once_differentiable
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor]:
        x, w = context.saved_tensors
        g = gradient.contiguous(memory_format=torch.channels_last)
        dw = torch.empty_like(w)
        shape = _channel_shape(x, w)
        loops(shape.inputs).channel_weights(ctypes.byref(shape), at(x), at(g), at(dw))
        dx = _filter_channels(g, w.flip(0)) if context.needs_input_grad[0] else None
        return dx, dw.T[:, None, None]


def _filter_channels(x: Tensor, w: Tensor) -> Tensor:
    out = torch.empty_like(x, memory_format=torch.channels_last)
    shape = _channel_shape(x, w)
    loops(shape.inputs).channel_forward(ctypes.byref(shape), at(x), at(w), at(out))
    return out


def _channel_shape(x: Tensor, w: Tensor) -> Shape:
    clips, channels, _, length = x.shape
    taps = w.shape[0]
    return Shape(clips, length, channels, channels, taps, taps // 2, 1, 0, length, torch.get_num_threads())
