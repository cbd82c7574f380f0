"""Adam and the learning rate of one cycle, in the arithmetic of torch.optim.

Not its classes: they import torch's compiler, which takes every training 1.5 s of processor before its first step.
"""

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.adam import adam

_RISE = 0.3
"""The share of a cycle in which the learning rate rises."""
_START = 25
"""The highest learning rate by the first, ..."""
_END = 1e4
"""... and the first by the last."""


def one_cycle(step: int, steps: int, highest: float) -> float:
    """The learning rate of a step: up from a 25th of the highest, then down to almost 0, each along half a cosine.

    Smith & Topin, https://arxiv.org/abs/1708.07120, in the form of `torch.optim.lr_scheduler.OneCycleLR`.

    Args:
        step: from 0.
        steps: of the whole training, at least 2.
        highest: the learning rate at the top.
    """
    top, first = _RISE * steps - 1, highest / _START
    if step <= top:
        start, end, share = first, highest, step / top
    else:
        start, end, share = highest, first / _END, (step - top) / (steps - 1 - top)
    return end + (start - end) / 2 * (math.cos(math.pi * share) + 1)


class Adam:
    """Kingma & Ba, https://arxiv.org/abs/1412.6980, with the moments of the paper.

    On a GPU one kernel does it all and reads its learning rate there, so that it can be part of a CUDA graph.
    """

    def __init__(
        self, parameters: Iterable[nn.Parameter], learning_rate: float, device: torch.device
    ) -> None:
        """Args: device: where the parameters are."""
        self._parameters = list(parameters)
        self._on_gpu = device.type == "cuda"
        self._rate: float | Tensor = (
            torch.tensor(learning_rate, device=device) if self._on_gpu else learning_rate
        )
        self._states: dict[int, dict[str, Tensor]] = {}

    @property
    def learning_rate(self) -> float:
        return float(self._rate)

    @learning_rate.setter
    def learning_rate(self, value: float) -> None:
        if isinstance(self._rate, Tensor):
            self._rate.fill_(value)
        else:
            self._rate = value

    def zero_grad(self) -> None:
        """Forgets the gradients."""
        for parameter in self._parameters:
            parameter.grad = None

    @torch.no_grad()
    def step(self) -> None:
        """Changes each parameter that has a gradient."""
        moved = [(place, each) for place, each in enumerate(self._parameters) if each.grad is not None]
        states = [self._state(place) for place, _ in moved]
        adam(
            [parameter for _, parameter in moved],
            [parameter.grad for _, parameter in moved if parameter.grad is not None],
            [state["exp_avg"] for state in states],
            [state["exp_avg_sq"] for state in states],
            [],
            [state["step"] for state in states],
            fused=self._on_gpu or None,
            capturable=self._on_gpu,
            amsgrad=False,
            beta1=0.9,
            beta2=0.999,
            lr=self._rate,
            weight_decay=0,
            eps=1e-8,
            maximize=False,
        )

    def _state(self, place: int) -> dict[str, Tensor]:
        if place not in self._states:
            parameter = self._parameters[place]
            self._states[place] = {
                "step": torch.zeros((), device=parameter.device if self._on_gpu else None),
                "exp_avg": torch.zeros_like(parameter),
                "exp_avg_sq": torch.zeros_like(parameter),
            }
        return self._states[place]

    def state(self) -> dict[str, Any]:
        """For a checkpoint: the moments, as `torch.optim.Adam` has them."""
        return {"state": self._states}

    def go_on(self, saved_state: dict[str, Any]) -> None:
        """From the state in a checkpoint, maybe of another kind of device."""
        for place, saved in saved_state["state"].items():
            state = self._state(place)
            for name in state:
                state[name].copy_(saved[name])
