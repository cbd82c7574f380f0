"""The broadcast families: filters over bands and over time, where what is found over time is told to all bands.

Kim et al., "Broadcasted residual learning for efficient keyword spotting", 2021, https://arxiv.org/abs/2106.04140,
on a filter bank that learns. They need more arithmetic than the separable families, and hear better.
"""

import torch
from torch import Tensor, nn

from models.architectures.convolution import Block, Network, need
from models.architectures.fused import normed
from models.architectures.fused_bands import bands_norm, fits_bands, join
from models.architectures.fused_channels import channel_filters, fits_channels
from models.architectures.fused_fits import fits
from models.architectures.separable import FRAME, GaborBank

_STAGES = ((2, 1), (2, 2), (4, 2), (4, 1))
"""Blocks of each stage, and how many bands its first block makes one of."""
_WIDTHS = (1.0, 0.5, 0.75, 1.0, 1.25, 2.0)
"""Channels after the first convolution, in each stage and at the end, as parts of the first."""
_PARTS = 5
"""Of the bands, each with its own batch norm."""


def bc64(words: int, depth: int, dropout: float, batch_norm: bool, samples: int = 16000) -> Network:
    return _broadcast(64, words, depth, dropout, batch_norm, samples=samples)


def bc192(words: int, depth: int, dropout: float, batch_norm: bool, samples: int = 16000) -> Network:
    return _broadcast(192, words, depth, dropout, batch_norm, samples=samples)


def _broadcast(
    channels: int, words: int, depth: int, dropout: float, batch_norm: bool, *, samples: int
) -> Network:
    """The filter bank, a convolution of 5 bands x 5 frames, `depth` - 1 blocks, and a mean over bands and time."""
    need(samples // FRAME // 8, samples, depth)  # taps over time are up to eight frames apart
    first, *widths, last = (round(channels * share) for share in _WIDTHS)
    blocks: list[nn.Module] = []
    inputs = first
    for stage, ((count, step), outputs) in enumerate(zip(_STAGES, widths, strict=True)):
        for block in range(count):
            blocks.append(
                Broadcast(
                    inputs,
                    outputs,
                    step=1 if block else step,
                    apart=2**stage,
                    dropout=dropout,
                    batch_norm=batch_norm,
                )
            )
            inputs = outputs
    blocks = blocks[: depth - 1]
    inputs = blocks[-1].outputs if blocks else first  # type: ignore[assignment]
    network = Network(
        [
            GaborBank(batch_norm),
            _Image(first, batch_norm=batch_norm),
            *blocks,
            nn.Conv2d(inputs, inputs, _PARTS, padding=(0, _PARTS // 2), groups=inputs, bias=False),
            *_mix(inputs, last, batch_norm=batch_norm),
            nn.AdaptiveAvgPool2d(1),
        ],
        nn.Sequential(nn.Linear(last, words)),
    )
    # With so few channels a group, this form is the faster one.
    network.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload] # torch's stub lacks it
    return network


class _Image(Block):
    """The bands (batch, bands, 1, time) as an image of one channel, and its first convolution."""

    def __init__(self, outputs: int, *, batch_norm: bool) -> None:
        convolution = nn.Conv2d(1, outputs, 5, stride=(2, 1), padding=2, bias=not batch_norm)
        super().__init__()
        self.layers = nn.Sequential(convolution, _norm(outputs, batch_norm=batch_norm), nn.ReLU())

    def forward(self, bands: Tensor) -> Tensor:
        convolution, norm = self.layers[0], self.layers[1]
        if (
            isinstance(convolution, nn.Conv2d)
            and isinstance(norm, nn.BatchNorm2d)
            and _fits(bands, convolution)
        ):
            # As a convolution over time of five bands, for each second band with its neighbours.
            clips, channels = len(bands), convolution.out_channels
            near = nn.functional.pad(bands[:, :, 0], (0, 0, 2, 2)).unfold(1, 5, 2)  # (clips, rows, time, 5)
            signal = near.flatten(0, 1).transpose(1, 2)[:, :, None]
            weight = convolution.weight.transpose(1, 2)
            out = normed(signal, weight, None, norm, padding=2)
            return out.reshape(clips, -1, channels, out.shape[-1]).transpose(1, 2)
        image: Tensor = self.layers(bands.transpose(1, 2))
        return image


class Broadcast(Block):
    """A filter over bands; a filter over time for their mean, which is added to all bands; ReLU.

    Where the shape stays, the input is added before ReLU. Takes and gives (batch, channels, bands, time).
    """

    def __init__(
        self, inputs: int, outputs: int, *, step: int, apart: int, dropout: float, batch_norm: bool
    ) -> None:
        """Args: step: bands that become one; apart: frames between the taps of the filter over time."""
        super().__init__()
        self.outputs = outputs
        self.mix = nn.Sequential(*(_mix(inputs, outputs, batch_norm=batch_norm) if inputs != outputs else ()))
        self.over_bands = nn.Conv2d(
            outputs, outputs, (3, 1), stride=(step, 1), padding=(1, 0), groups=outputs, bias=False
        )
        self.norm_of_parts = nn.BatchNorm2d(outputs * _PARTS) if batch_norm else None
        self.over_time = nn.Conv2d(
            outputs, outputs, (1, 3), padding=(0, apart), dilation=(1, apart), groups=outputs, bias=False
        )
        self.then = nn.Sequential(
            _norm(outputs, batch_norm=batch_norm),
            nn.SiLU(),
            nn.Conv2d(outputs, outputs, 1),
            nn.Dropout2d(dropout),
        )
        self.is_residual = inputs == outputs and step == 1

    def forward(self, signal: Tensor) -> Tensor:
        inputs = self.mix[0].in_channels if len(self.mix) else self.outputs
        if (
            signal.shape[1] == inputs
            and fits_bands(signal, self.over_bands, parts=_PARTS)
            and fits_channels(signal, self.over_time)
        ):
            mixed = _mixed(signal, self.mix)
            bands = bands_norm(
                mixed, self.over_bands, self.norm_of_parts, parts=_PARTS, around=self.is_residual
            )
            told = self.then(channel_filters(bands.mean, _apart(self.over_time)))
            return join(bands, told, mixed if self.is_residual else None)
        found = self.over_bands(self.mix(signal))
        if self.norm_of_parts is not None:
            batch, channels, bands, frames = found.shape
            parts = found.reshape(batch, channels * _PARTS, bands // _PARTS, frames)
            found = self.norm_of_parts(parts).reshape(found.shape)
        found = found + self.then(self.over_time(found.mean(2, keepdim=True)))
        return torch.relu(found + signal if self.is_residual else found)


def _fits(signal: Tensor, convolution: nn.Conv2d) -> bool:
    return convolution.out_channels % 16 == 0 and fits(signal, convolution, 1)


def _mixed(signal: Tensor, mix: nn.Sequential) -> Tensor:
    """`_mix` of a signal."""
    if not len(mix):
        return signal
    convolution, norm = mix[0], mix[1]
    if isinstance(convolution, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d) and _fits(signal, convolution):
        clips, _, bands, frames = signal.shape
        flat = signal.contiguous(memory_format=torch.channels_last).permute(0, 2, 3, 1).flatten(1, 2)
        out = normed(flat.transpose(1, 2)[:, :, None], convolution.weight, convolution.bias, norm, padding=0)
        return out.reshape(clips, -1, bands, frames)
    mixed: Tensor = mix(signal)
    return mixed


def _apart(kernel: nn.Conv2d) -> Tensor:
    """The taps of a filter over time with the frames between them, where it has zeros."""
    apart = int(kernel.dilation[1])
    taps = kernel.weight.new_zeros(*kernel.weight.shape[:3], 2 * apart + 1)
    taps[..., ::apart] = kernel.weight
    return taps


def _norm(channels: int, *, batch_norm: bool) -> nn.Module:
    return nn.BatchNorm2d(channels) if batch_norm else nn.Identity()


def _mix(inputs: int, outputs: int, *, batch_norm: bool) -> tuple[nn.Module, ...]:
    """A mix of all channels at each band and time."""
    convolution = nn.Conv2d(inputs, outputs, 1, bias=not batch_norm)
    return convolution, _norm(outputs, batch_norm=batch_norm), nn.ReLU()
