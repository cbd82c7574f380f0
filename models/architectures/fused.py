"""Convolution, bias, max pool and ReLU in one pass over the clips, on a processor; compiled when it is first used.

Where there is no compiler, or a layer does not fit, the torch form of `Convolution` is used instead: the
reference, equal within the rounding of float32.
"""

import ctypes
import hashlib
import logging
import os
import platform
import subprocess
import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from models.process import NO_COMPILER, c_compiler

log = logging.getLogger(__name__)

_SOURCE = Path(__file__).with_name("fused.c")
_FLAGS = ("-O3", "-march=native", "-fopenmp", "-shared", "-fPIC")
_MOST_OUTPUTS = 1024
_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4  # of glibc's malloc.h


class _Shape(ctypes.Structure):
    _fields_ = (
        ("clips", ctypes.c_long),
        *((name, ctypes.c_int) for name in ("length", "inputs", "outputs", "taps", "padding")),
        *((name, ctypes.c_int) for name in ("pool", "skipped", "places", "threads")),
    )


@cache
def library() -> ctypes.CDLL | None:
    """The compiled loops; None where they cannot be had, with one line in the log."""
    if os.environ.get("SHEETRACK_FUSED") == "0":
        return None
    compiler = c_compiler()
    if compiler is None:
        log.warning("note: %s", NO_COMPILER)
        return None
    try:
        return ctypes.CDLL(str(_compiled(compiler)))
    except (
        OSError,
        RuntimeError,
        subprocess.SubprocessError,
    ) as error:  # RuntimeError: a user without a home
        log.warning(
            "note: the fast convolution cannot be compiled (%s): trainings take several times as long", error
        )
        return None


def _compiled(compiler: str) -> Path:
    """The library of this source for this processor, compiled once for all processes and homes of a user."""
    facts = f"{_SOURCE.read_text()}{_FLAGS}{compiler}{platform.machine()}{_processor_flags()}"
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sheetrack"
    file = folder / f"fused-{hashlib.sha256(facts.encode()).hexdigest()[:16]}.so"
    if not file.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as draft:
            made = Path(draft) / "fused.so"
            subprocess.run(
                [compiler, *_FLAGS, str(_SOURCE), "-o", str(made)],
                check=True, capture_output=True, timeout=120,
            )  # fmt: skip
            made.replace(file)
    return file


def _processor_flags() -> str:
    """A home may be shared by machines with different processors."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return ""
    return next((line for line in lines if line.startswith(("flags", "Features"))), "")


def keep_memory() -> None:
    """Has glibc keep freed memory: a training step otherwise spends a third of its time in page faults."""
    with suppress(OSError, AttributeError):
        libc = ctypes.CDLL(None)
        libc.mallopt(_M_MMAP_MAX, 0)
        libc.mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)


def fits(signal: Tensor, kernel: torch.nn.Conv2d, pool: int) -> bool:
    """Whether `fused` can take this layer and this signal; not where a hook wants the convolution's output."""
    return (
        signal.device.type == "cpu"
        and not torch.compiler.is_exporting()
        and not kernel._forward_hooks  # noqa: SLF001 - torch has no public way to ask
        and signal.dtype == torch.float32
        and kernel.weight.dtype == torch.float32
        and not torch.is_autocast_enabled("cpu")
        and pool in (1, 2, 3, 4)
        and kernel.out_channels % 8 == 0
        and kernel.out_channels <= _MOST_OUTPUTS
        and library() is not None
    )


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
    out: Tensor = _Fused.apply(signal, weight, bias, padding, pool, pool_all)  # type: ignore[no-untyped-call]
    return out


class _Fused(torch.autograd.Function):
    @staticmethod
    def forward(  # noqa: PLR0917 - torch passes them in order
        context: Any, signal: Tensor, weight: Tensor, bias: Tensor, padding: int, pool: int, pool_all: bool
    ) -> Tensor:
        x = signal.contiguous(memory_format=torch.channels_last)
        w = weight.detach().permute(0, 3, 2, 1).contiguous()  # (outputs, taps, 1, inputs)
        clips, inputs, _, length = x.shape
        outputs, taps = w.shape[:2]
        rows = length + 2 * padding - taps + 1
        missing = -rows % pool if pool_all else 0
        places = (rows + missing) // pool
        shape = _Shape(
            clips, length, inputs, outputs, taps, padding,
            pool, missing // 2, places, torch.get_num_threads(),
        )  # fmt: skip
        out = torch.empty((clips, places, 1, outputs))
        won = torch.empty((clips, places, outputs), dtype=torch.int8)
        _loops().forward(
            ctypes.byref(shape), _at(x), _at(w), _at(bias.detach().contiguous()), _at(out), _at(won)
        )
        context.save_for_backward(x, w, won)
        context.shape = shape
        return out.permute(0, 3, 2, 1)

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, w, won = context.saved_tensors
        shape = context.shape
        shape.threads = torch.get_num_threads()
        g = gradient.permute(0, 3, 2, 1).contiguous()
        dx = torch.empty_like(x.permute(0, 3, 2, 1)) if context.needs_input_grad[0] else None
        dw, db = torch.empty_like(w), torch.empty(w.shape[0])
        _loops().backward(
            ctypes.byref(shape), _at(x), _at(g), _at(won), _at(w),
            None if dx is None else _at(dx), _at(dw), _at(db),
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
    padding, bias, mean, variance = int(kernel.padding[1]), kernel.bias, norm.running_mean, norm.running_var
    if bias is None or mean is None or variance is None:
        raise ValueError("a Convolution has a bias and running moments")
    if not norm.training:
        scale = norm.weight * (variance + norm.eps).rsqrt()
        folded = kernel.weight * scale[:, None, None, None]
        shift = (bias - mean) * scale + norm.bias
        return fused(signal, folded, shift, padding=padding, pool=pool, pool_all=pool_all)
    out, batch_mean, batch_variance = _FusedNorm.apply(  # type: ignore[no-untyped-call]
        signal, kernel.weight, norm.weight, norm.bias, norm.eps, padding, pool, pool_all
    )
    with torch.no_grad():
        count = signal.shape[0] * (signal.shape[-1] + 2 * padding - kernel.kernel_size[1] + 1)
        if norm.num_batches_tracked is not None:
            norm.num_batches_tracked.add_(1)
        momentum = norm.momentum or 0.0
        mean.lerp_((batch_mean + bias).float(), momentum)
        variance.lerp_((batch_variance * (count / max(1, count - 1))).float(), momentum)
    normed: Tensor = out
    return normed


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
        w = weight.detach().permute(0, 3, 2, 1).contiguous()
        y = _plain(x, w, padding)
        clips, rows, outputs = y.shape
        variance, mean = (moment.double() for moment in torch.var_mean(y, (0, 1), correction=0))
        inverse = (variance + epsilon).rsqrt()
        scale = (gain.detach() * inverse).float()
        shift = (offset.detach() - mean * gain.detach() * inverse).float()
        missing = -rows % pool if pool_all else 0
        places = (rows + missing) // pool
        shape = _Shape(
            clips, rows, x.shape[1], outputs, w.shape[1], padding,
            pool, missing // 2, places, torch.get_num_threads(),
        )  # fmt: skip
        out = torch.empty((clips, places, 1, outputs))
        won = torch.empty((clips, places, outputs), dtype=torch.int8)
        _loops().pool_forward(ctypes.byref(shape), _at(y), _at(scale), _at(shift), _at(out), _at(won))
        context.save_for_backward(x, w, y, won, mean, inverse, scale)
        context.shape = shape
        context.mark_non_differentiable(mean, variance)
        return out.permute(0, 3, 2, 1), mean, variance

    @staticmethod
    def backward(
        context: Any, gradient: Tensor, _mean: Tensor, _variance: Tensor
    ) -> tuple[Tensor | None, ...]:
        x, w, y, won, mean, inverse, scale = context.saved_tensors
        shape = context.shape
        shape.threads = torch.get_num_threads()
        g = gradient.permute(0, 3, 2, 1).contiguous()
        sum_g, sum_gy = (torch.empty(shape.outputs, dtype=torch.float64) for _ in range(2))
        _loops().winner_sums(ctypes.byref(shape), _at(g), _at(won), _at(y), _at(sum_g), _at(sum_gy))
        count = shape.clips * shape.length
        d_gain = (sum_gy - mean * sum_g) * inverse
        alpha = (scale.double() * (mean * inverse * d_gain - sum_g) / count).float()
        beta = (-scale.double() * inverse * d_gain / count).float()
        dy = torch.empty_like(y)
        _loops().norm_backward(
            ctypes.byref(shape), _at(g), _at(won), _at(y), _at(scale), _at(alpha), _at(beta), _at(dy)
        )
        taps, inputs = w.shape[1], w.shape[3]
        plain = _Shape(
            shape.clips, x.shape[3], inputs, shape.outputs, taps, shape.padding,
            0, 0, shape.length, torch.get_num_threads(),
        )  # fmt: skip
        dw = torch.empty_like(w)
        _loops().dense_weights(ctypes.byref(plain), _at(x), _at(dy), _at(dw))
        dx = None
        if context.needs_input_grad[0]:
            turned = w.flip(1).permute(3, 1, 2, 0).contiguous()  # (inputs, taps, 1, outputs)
            dx = _plain(dy.permute(0, 2, 1)[:, :, None], turned, taps - 1 - shape.padding)
            dx = dx.permute(0, 2, 1)[:, :, None]
        return dx, dw.permute(0, 3, 2, 1), d_gain.float(), sum_g.float(), None, None, None, None


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
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor]:
        x, w = context.saved_tensors
        g = gradient.contiguous(memory_format=torch.channels_last)
        dw = torch.empty_like(w)
        _loops().channel_weights(ctypes.byref(_channel_shape(x, w)), _at(x), _at(g), _at(dw))
        dx = _filter_channels(g, w.flip(0)) if context.needs_input_grad[0] else None
        return dx, dw.T[:, None, None]


def _filter_channels(x: Tensor, w: Tensor) -> Tensor:
    out = torch.empty_like(x, memory_format=torch.channels_last)
    _loops().channel_forward(ctypes.byref(_channel_shape(x, w)), _at(x), _at(w), _at(out))
    return out


def _channel_shape(x: Tensor, w: Tensor) -> _Shape:
    clips, channels, _, length = x.shape
    taps = w.shape[0]
    return _Shape(clips, length, channels, channels, taps, taps // 2, 1, 0, length, torch.get_num_threads())


def _plain(x: Tensor, w: Tensor, padding: int) -> Tensor:
    """The convolution alone: x (batch, inputs, 1, time), w (outputs, taps, 1, inputs) -> (batch, rows, outputs)."""
    clips, inputs, _, length = x.shape
    outputs, taps = w.shape[:2]
    missing = -outputs % 16  # outputs come in whole vectors
    w = torch.nn.functional.pad(w, (0, 0, 0, 0, 0, 0, 0, missing)) if missing else w
    rows = length + 2 * padding - taps + 1
    shape = _Shape(
        clips, length, inputs, outputs + missing, taps, padding, 0, 0, rows, torch.get_num_threads()
    )
    out = torch.empty((clips, rows, outputs + missing))
    zeros = torch.zeros(outputs + missing)
    _loops().forward(ctypes.byref(shape), _at(x), _at(w), _at(zeros), _at(out), None)
    return out[..., :outputs].contiguous() if missing else out


def _loops() -> ctypes.CDLL:
    if loops := library():
        return loops
    raise RuntimeError("`fits` says whether there are loops to call")


def _at(tensor: Tensor) -> ctypes.c_void_p:
    return ctypes.c_void_p(tensor.data_ptr())
