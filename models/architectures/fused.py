"""Convolution, bias, max pool and ReLU in one pass over the clips, on a processor, in loops in C.

Where there is no compiler, or a layer does not fit, the torch form of `Convolution` is used instead: the
reference, equal within the rounding of float32.
"""

import ctypes
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from models.architectures.compiled import Shape, at, loops

ONE_VALUE = "more than 1 value per channel"
"""What batch norm expects, in the words of torch."""


def fused(signal: Tensor, weight: Tensor, bias: Tensor, *, padding: int, pool: int, pool_all: bool) -> Tensor:
    """ReLU of the max pool of the convolution.

    Args:
        signal: (batch, inputs, 1, time).
        weight: (outputs, inputs, 1, taps).
        bias: (outputs,).
        padding: zeros at both ends.
        pool: width and stride of the max pool, 1 for none.
        pool_all: pool the incomplete windows at the ends too.

    Returns:
        (batch, outputs, 1, places), channels last in memory.
    """
    if not torch.is_grad_enabled():
        return _forward(signal, weight, bias, None, padding=padding, pool=pool, pool_all=pool_all)
    out: Tensor = _Fused.apply(signal, weight, bias, padding, pool, pool_all)  # type: ignore[no-untyped-call]
    return out


def _forward(
    signal: Tensor,
    weight: Tensor,
    bias: Tensor,
    start: Tensor | None,
    *,
    padding: int,
    pool: int,
    pool_all: bool,
) -> Tensor:
    """As `fused`, without gradients; `start` (batch, rows, outputs) is taken instead of the bias."""
    x = signal.contiguous(memory_format=torch.channels_last)
    w = _in_order(weight)
    b = bias.contiguous()  # a copy must live until the loops are done
    shape, out = _pooled(x, w, padding, pool, pool_all=pool_all)
    loops(shape.outputs).forward(
        ctypes.byref(shape), at(x), at(w), at(b),
        None if start is None else at(start), at(out), None,
    )  # fmt: skip
    return out.permute(0, 3, 2, 1)


class Silencing:
    """A layer's output when some of its inputs are silent, of which only their share is computed again.

    Without gradients. For a layer and a signal that `fits` takes.
    """

    def __init__(
        self,
        signal: Tensor,
        kernel: torch.nn.Conv2d,
        norm: torch.nn.Module,
        *,
        pool: int,
        pool_all: bool,
    ) -> None:
        """Args: as of `fused_norm`; `norm` may be one that does nothing."""
        weight, bias = kernel.weight.detach(), kernel.bias
        if bias is None:
            raise ValueError("a Convolution has a bias")
        if isinstance(norm, torch.nn.BatchNorm2d):
            weight, bias = _folded(kernel.weight, bias, norm)
        self._signal = signal
        self._weight, self._bias = weight.detach(), bias.detach()
        self._padding, self._pool, self._pool_all = int(kernel.padding[1]), pool, pool_all
        x = signal.contiguous(memory_format=torch.channels_last)
        self._sums = _plain(x, _in_order(weight), self._padding) + self._bias

    def __call__(self, silent: Sequence[int]) -> Tensor:
        """Without the inputs `silent`; as `fused` gives it."""
        inputs = list(silent) or [0]  # the loops need one
        share = self._weight[:, inputs] if silent else torch.zeros_like(self._weight[:, inputs])
        return _forward(
            self._signal[:, inputs],
            -share,
            self._bias,
            self._sums,
            padding=self._padding,
            pool=self._pool,
            pool_all=self._pool_all,
        )


class _Fused(torch.autograd.Function):
    @staticmethod
    def forward(  # noqa: PLR0917 - torch passes them in order
        context: Any, signal: Tensor, weight: Tensor, bias: Tensor, padding: int, pool: int, pool_all: bool
    ) -> Tensor:
        x = signal.contiguous(memory_format=torch.channels_last)
        w, b = _in_order(weight), bias.detach().contiguous()
        shape, out = _pooled(x, w, padding, pool, pool_all=pool_all)
        won = torch.empty((shape.clips, shape.places, shape.outputs), dtype=torch.int8)
        loops(shape.outputs).forward(ctypes.byref(shape), at(x), at(w), at(b), None, at(out), at(won))
        context.save_for_backward(x, w, won)
        context.shape = shape
        return out.permute(0, 3, 2, 1)

    @staticmethod
    @once_differentiable
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, w, won = context.saved_tensors
        shape = context.shape
        shape.threads = torch.get_num_threads()
        g = gradient.permute(0, 3, 2, 1).contiguous()
        dx = torch.empty_like(x.permute(0, 3, 2, 1)) if context.needs_input_grad[0] else None
        dw, db = torch.empty_like(w), torch.empty(w.shape[0])
        loops(shape.outputs).backward(
            ctypes.byref(shape), at(x), at(g), at(won), at(w),
            None if dx is None else at(dx), at(dw), at(db),
        )  # fmt: skip
        return None if dx is None else dx.permute(0, 3, 2, 1), dw.permute(0, 3, 2, 1), db, None, None, None


def fused_norm(
    signal: Tensor, kernel: torch.nn.Conv2d, norm: torch.nn.BatchNorm2d, *, pool: int, pool_all: bool
) -> Tensor:
    """As `fused`, with batch norm between convolution and pool; in training it counts the batch as `norm` does.

    Args:
        signal: (batch, inputs, 1, time).
        kernel: the convolution; its bias shifts the running mean and nothing else.
        norm: in evaluation its running moments are folded into the weights.
        pool: width and stride of the max pool, 1 for none.
        pool_all: pool the incomplete windows at the ends too.
    """
    padding, bias = int(kernel.padding[1]), kernel.bias
    return normed(signal, kernel.weight, bias, norm, padding=padding, pool=pool, pool_all=pool_all)


def normed(
    signal: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    norm: torch.nn.BatchNorm2d,
    *,
    padding: int,
    pool: int = 1,
    pool_all: bool = False,
) -> Tensor:
    """As `fused_norm`, of weights (outputs, inputs, 1, taps)."""
    mean, variance = norm.running_mean, norm.running_var
    if mean is None or variance is None:
        raise ValueError("this batch norm keeps no running moments")
    if not norm.training:
        folded, shift = _folded(weight, bias, norm)
        return fused(signal, folded, shift, padding=padding, pool=pool, pool_all=pool_all)
    out, batch_mean, batch_variance = _FusedNorm.apply(  # type: ignore[no-untyped-call]
        signal, weight, norm.weight, norm.bias, norm.eps, padding, pool, pool_all
    )
    count = signal.shape[0] * (signal.shape[-1] + 2 * padding - weight.shape[-1] + 1)
    with torch.no_grad():
        counts(norm, batch_mean if bias is None else batch_mean + bias, batch_variance, count)
    pooled: Tensor = out
    return pooled


def counts(norm: torch.nn.BatchNorm2d, mean: Tensor, variance: Tensor, values: int) -> None:
    """Has the running moments heed a batch, with its mean and its variance among so many values of each channel.

    Raises: ValueError: there is one value, as torch raises it.
    """
    if values == 1:
        raise ValueError(f"Expected {ONE_VALUE} when training")
    if norm.running_mean is None or norm.running_var is None:
        return
    if norm.num_batches_tracked is not None:
        norm.num_batches_tracked.add_(1)
    momentum = norm.momentum or 0.0
    norm.running_mean.lerp_(mean.float(), momentum)
    norm.running_var.lerp_((variance * (values / (values - 1))).float(), momentum)


def _folded(weight: Tensor, bias: Tensor | None, norm: torch.nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """Weights and bias of a convolution with the running moments of its batch norm in them."""
    mean, variance = norm.running_mean, norm.running_var
    if mean is None or variance is None:
        raise ValueError("this batch norm keeps no running moments")
    scale = norm.weight * (variance + norm.eps).rsqrt()
    shift = (mean.neg() if bias is None else bias - mean) * scale + norm.bias
    return weight * scale[:, None, None, None], shift


class _FusedNorm(torch.autograd.Function):
    """Also returns the batch's mean, without the convolution's bias, and variance, both (outputs,) in float64."""

    @staticmethod
    def forward(  # noqa: PLR0917 - torch passes them in order
        context: Any,
        signal: Tensor,
        weight: Tensor,
        gain: Tensor,
        offset: Tensor,
        epsilon: float,
        padding: int,
        pool: int,
        pool_all: bool,
    ) -> tuple[Tensor, Tensor, Tensor]:
        x = signal.contiguous(memory_format=torch.channels_last)
        w = _in_order(weight)
        y = _plain(x, w, padding)
        clips, rows, outputs = y.shape
        shape = Shape(
            clips, rows, x.shape[1], outputs, w.shape[1], padding, 1, 0, rows, torch.get_num_threads()
        )
        total, squares = (torch.empty(outputs, dtype=torch.float64) for _ in range(2))
        loops(shape.outputs).moments(ctypes.byref(shape), at(y), at(total), at(squares))
        mean = total / (clips * rows)
        variance = (squares / (clips * rows) - mean.square()).clamp(min=0)
        inverse = (variance + epsilon).rsqrt()
        scale = (gain.detach() * inverse).float()
        shift = (offset.detach() - mean * gain.detach() * inverse).float()
        missing = -rows % pool if pool_all else 0
        places = (rows + missing) // pool
        shape = Shape(
            clips, rows, x.shape[1], outputs, w.shape[1], padding,
            pool, missing // 2, places, torch.get_num_threads(),
        )  # fmt: skip
        out = torch.empty((clips, places, 1, outputs))
        won = torch.empty((clips, places, outputs), dtype=torch.int8)
        loops(shape.outputs).pool_forward(ctypes.byref(shape), at(y), at(scale), at(shift), at(out), at(won))
        context.save_for_backward(x, w, y, won, mean, inverse, scale)
        context.shape = shape
        context.mark_non_differentiable(mean, variance)
        return out.permute(0, 3, 2, 1), mean, variance

    @staticmethod
    @once_differentiable
    def backward(
        context: Any, gradient: Tensor, _mean: Tensor, _variance: Tensor
    ) -> tuple[Tensor | None, ...]:
        x, w, y, won, mean, inverse, scale = context.saved_tensors
        shape = context.shape
        shape.threads = torch.get_num_threads()
        g = gradient.permute(0, 3, 2, 1).contiguous()
        sum_g, sum_gy = (torch.empty(shape.outputs, dtype=torch.float64) for _ in range(2))
        loops(shape.outputs).winner_sums(ctypes.byref(shape), at(g), at(won), at(y), at(sum_g), at(sum_gy))
        count = shape.clips * shape.length
        d_gain = (sum_gy - mean * sum_g) * inverse
        alpha = (scale.double() * (mean * inverse * d_gain - sum_g) / count).float()
        beta = (-scale.double() * inverse * d_gain / count).float()
        dy = torch.empty_like(y)
        loops(shape.outputs).norm_backward(
            ctypes.byref(shape), at(g), at(won), at(y), at(scale), at(alpha), at(beta), at(dy)
        )
        taps, inputs = w.shape[1], w.shape[3]
        plain = Shape(
            shape.clips, x.shape[3], inputs, shape.outputs, taps, shape.padding,
            0, 0, shape.length, torch.get_num_threads(),
        )  # fmt: skip
        dw = torch.empty_like(w)
        loops(shape.outputs).dense_weights(ctypes.byref(plain), at(x), at(dy), at(dw))
        dx = None
        if context.needs_input_grad[0]:
            turned = w.flip(1).permute(3, 1, 2, 0).contiguous()  # (inputs, taps, 1, outputs)
            dx = _plain(dy.permute(0, 2, 1)[:, :, None], turned, taps - 1 - shape.padding)
            dx = dx.permute(0, 2, 1)[:, :, None]
        return dx, dw.permute(0, 3, 2, 1), d_gain.float(), sum_g.float(), None, None, None, None


def _plain(x: Tensor, w: Tensor, padding: int) -> Tensor:
    """The convolution alone: x (batch, inputs, 1, time), w (outputs, taps, 1, inputs) -> (batch, rows, outputs)."""
    clips, inputs, _, length = x.shape
    outputs, taps = w.shape[:2]
    missing = -outputs % 16  # outputs come in whole vectors
    w = torch.nn.functional.pad(w, (0, 0, 0, 0, 0, 0, 0, missing)) if missing else w
    rows = length + 2 * padding - taps + 1
    shape = Shape(
        clips, length, inputs, outputs + missing, taps, padding, 0, 0, rows, torch.get_num_threads()
    )
    out = torch.empty((clips, rows, outputs + missing))
    zeros = torch.zeros(outputs + missing)
    loops(shape.outputs).forward(ctypes.byref(shape), at(x), at(w), at(zeros), None, at(out), None)
    return out[..., :outputs].contiguous() if missing else out


def _in_order(weight: Tensor) -> Tensor:
    """(outputs, inputs, 1, taps) as the loops take it, (outputs, taps, 1, inputs)."""
    return weight.detach().permute(0, 3, 2, 1).contiguous()


def _pooled(x: Tensor, w: Tensor, padding: int, pool: int, *, pool_all: bool) -> tuple[Shape, Tensor]:
    """The shape of a layer with its pool, and room for its output, (clips, places, 1, outputs)."""
    clips, inputs, _, length = x.shape
    outputs, taps = w.shape[:2]
    rows = length + 2 * padding - taps + 1
    missing = -rows % pool if pool_all else 0
    places = (rows + missing) // pool
    shape = Shape(
        clips, length, inputs, outputs, taps, padding,
        pool, missing // 2, places, torch.get_num_threads(),
    )  # fmt: skip
    return shape, torch.empty((clips, places, 1, outputs))
