"""The blocks of the broadcast families in C, on a processor. Where they do not fit, the torch form is used, the reference.

`bands_norm` and `join` belong together: what the first one gives back as `u` is not normed yet, `join` norms it, and
the gradient that `join` hands back for `u` is that of the normed values.
"""

import ctypes
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from models.architectures.compiled import at, loops
from models.architectures.fused import counts
from models.architectures.fused_fits import fits


class _Image(ctypes.Structure):
    _fields_ = (
        ("clips", ctypes.c_long),
        *(
            (name, ctypes.c_int)
            for name in ("inputs", "bands", "frames", "channels", "step", "parts", "threads")
        ),
    )


class Bands(NamedTuple):
    """The output of a filter over bands.

    Attributes:
        u: (batch, channels, bands, time) before its norm.
        scale, shift: (parts, channels) the norm of equal parts of the bands: scale * u + shift.
        mean: (batch, channels, 1, time) of the normed values over all bands.
    """

    u: Tensor
    scale: Tensor
    shift: Tensor
    mean: Tensor


def fits_bands(signal: Tensor, kernel: torch.nn.Conv2d, *, parts: int) -> bool:
    """Whether `bands_norm` can take this filter over bands, (3, 1), and a signal with the bands of this one."""
    bands = (signal.shape[2] - 1) // int(kernel.stride[0]) + 1
    return bands % parts == 0 and kernel.out_channels % 16 == 0 and fits(signal, kernel, 1)


def bands_norm(
    signal: Tensor, kernel: torch.nn.Conv2d, norm: torch.nn.BatchNorm2d | None, *, parts: int, around: bool
) -> Bands:
    """A filter over bands for each channel, and batch norm for each part of the bands.

    Args:
        signal: (batch, channels, bands, time).
        kernel: (3, 1) taps, with its stride over bands; no bias.
        norm: of channels * parts; None: there is none.
        parts: of the bands.
        around: whether the signal is also added at the end, by `join`.
    """
    step = int(kernel.stride[0])
    if norm is None:
        gain, offset = torch.ones(parts * kernel.out_channels), torch.zeros(parts * kernel.out_channels)
        moments, epsilon = (torch.zeros_like(gain), torch.ones_like(gain)), 0.0
    else:
        gain, offset, epsilon = norm.weight, norm.bias, norm.eps
        moments = (norm.running_mean, norm.running_var)  # type: ignore[assignment]
    fixed = moments if norm is None or not norm.training else None
    u, scale, shift, mean, batch_mean, batch_variance = _BandsNorm.apply(  # type: ignore[no-untyped-call]
        signal, kernel.weight, gain, offset, fixed, epsilon, step, parts, around
    )
    if norm is not None and fixed is None:
        with torch.no_grad():
            values = u.shape[0] * u.shape[2] * u.shape[3] // parts
            counts(norm, batch_mean.T.flatten(), batch_variance.T.flatten(), values)
    return Bands(u, scale, shift, mean)


def join(bands: Bands, told: Tensor, signal: Tensor | None) -> Tensor:
    """ReLU of the normed bands + `told`, (batch, channels, 1, time), for each of them + `signal`, if there is one.

    The gradient of `signal` goes through `bands_norm`.
    """
    out: Tensor = _Join.apply(  # type: ignore[no-untyped-call]
        bands.u, told, bands.scale, bands.shift, None if signal is None else signal.detach()
    )
    return out


class _BandsNorm(torch.autograd.Function):
    @staticmethod
    def forward(  # noqa: PLR0917 - torch passes them in order
        context: Any,
        signal: Tensor,
        weight: Tensor,
        gain: Tensor,
        offset: Tensor,
        fixed: tuple[Tensor, Tensor] | None,
        epsilon: float,
        step: int,
        parts: int,
        around: bool,
    ) -> tuple[Tensor, ...]:
        x = signal.contiguous(memory_format=torch.channels_last)
        clips, channels, inputs, frames = x.shape
        w = weight.detach()[:, 0, :, 0].T.contiguous()  # (3, channels)
        bands = (inputs - 1) // step + 1
        shape = _Image(clips, inputs, bands, frames, channels, step, parts, torch.get_num_threads())
        u = _empty(clips, channels, bands, frames)
        sums = torch.empty((2, parts, channels), dtype=torch.float64)
        loops(shape.channels).bands_forward(ctypes.byref(shape), at(x), at(w), at(u), at(sums))
        count = clips * frames * bands // parts
        if fixed is None:
            mean = sums[0] / count
            variance = (sums[1] / count - mean.square()).clamp(min=0)
        else:
            mean, variance = (_of_parts(each, parts).double() for each in fixed)
        inverse = (variance + epsilon).rsqrt()
        by_part = _of_parts(gain.detach(), parts) * inverse
        scale = by_part.float()
        shift = (_of_parts(offset.detach(), parts) - mean * by_part).float()
        over_bands = _empty(clips, channels, 1, frames)
        loops(shape.channels).bands_mean(ctypes.byref(shape), at(u), at(scale), at(shift), at(over_bands))
        context.save_for_backward(x, w, u, scale, mean, inverse)
        context.shape, context.count, context.around = shape, count if fixed is None else 0, around
        context.mark_non_differentiable(scale, shift, mean, variance)
        return u, scale, shift, over_bands, mean, variance

    @staticmethod
    @once_differentiable
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        x, w, u, scale, mean, inverse = context.saved_tensors
        shape = context.shape
        shape.threads = torch.get_num_threads()
        df, dm = (gradients[place].contiguous(memory_format=torch.channels_last) for place in (0, 3))
        sum_g, sum_gu = sums = torch.empty((2, shape.parts, shape.channels), dtype=torch.float64)
        loops(shape.channels).bands_sums(ctypes.byref(shape), at(df), at(dm), at(u), at(sums))
        d_gain = (sum_gu - mean * sum_g) * inverse
        if context.count:
            alpha = (scale.double() * (mean * inverse * d_gain - sum_g) / context.count).float()
            beta = (-scale.double() * inverse * d_gain / context.count).float()
        else:  # the moments are not those of this batch
            alpha, beta = torch.zeros_like(scale), torch.zeros_like(scale)
        dx = torch.empty_like(x) if context.needs_input_grad[0] else None
        dw = torch.empty(w.shape, dtype=torch.float64)
        loops(shape.channels).bands_backward(
            ctypes.byref(shape), at(df), at(dm), at(u), at(x), at(w), at(scale), at(alpha), at(beta),
            int(context.around), None if dx is None else at(dx), at(dw),
        )  # fmt: skip
        d_gain, d_offset = (each.T.flatten().float() for each in (d_gain, sum_g))
        return dx, dw.float().T[:, None, :, None], d_gain, d_offset, None, None, None, None, None


class _Join(torch.autograd.Function):
    @staticmethod
    def forward(  # noqa: PLR0917 - torch passes them in order
        context: Any, u: Tensor, told: Tensor, scale: Tensor, shift: Tensor, signal: Tensor | None
    ) -> Tensor:
        clips, channels, bands, frames = u.shape
        shape = _Image(clips, bands, bands, frames, channels, 1, len(scale), torch.get_num_threads())
        out = torch.empty_like(u)
        h = told.contiguous(memory_format=torch.channels_last)
        x = None if signal is None else signal.contiguous(memory_format=torch.channels_last)
        loops(shape.channels).bands_join(
            ctypes.byref(shape), at(u), at(scale), at(shift), at(h), None if x is None else at(x), at(out)
        )
        context.save_for_backward(out)
        context.shape = shape
        return out

    @staticmethod
    @once_differentiable
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        (out,) = context.saved_tensors
        shape = context.shape
        shape.threads = torch.get_num_threads()
        g = gradient.contiguous(memory_format=torch.channels_last)
        df = torch.empty_like(out)
        dh = _empty(shape.clips, shape.channels, 1, shape.frames)
        loops(shape.channels).join_backward(ctypes.byref(shape), at(g), at(out), at(df), at(dh))
        return df, dh, None, None, None


def _of_parts(values: Tensor, parts: int) -> Tensor:
    """(channels * parts) as batch norm has them, to (parts, channels)."""
    return values.reshape(-1, parts).T.contiguous()


def _empty(*shape: int) -> Tensor:
    return torch.empty(shape, memory_format=torch.channels_last)
