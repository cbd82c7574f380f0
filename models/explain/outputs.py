"""What parts of a network give while it runs."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn


def as_curves(output: Tensor) -> Tensor:
    """A part's output as (batch, channels, time): of an image, the mean of each channel over its heights."""
    return output.flatten(2, -2).mean(2) if output.dim() > 3 else output


@contextmanager
def collecting(modules: Sequence[nn.Module], take: Callable[[nn.Module, Tensor], object]) -> Iterator[None]:
    """Gives each output, (batch, channels, time), to `take` while the network runs; nothing is trained."""

    def hook(module: nn.Module, _inputs: object, output: Tensor) -> None:
        take(module, as_curves(output))

    hooks = [module.register_forward_hook(hook) for module in modules]
    try:
        with torch.inference_mode():
            yield
    finally:
        for each in hooks:
            each.remove()
