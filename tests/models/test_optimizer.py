"""The arithmetic of torch.optim, without its classes."""

import subprocess
import sys

import pytest
import torch
from torch import nn

from models.training.optimizer import Adam, one_cycle


@pytest.mark.parametrize("steps", [2, 3, 4, 7, 10, 1000])
def test_the_cycle_is_that_of_torch(steps: int) -> None:
    rate = 0.0031
    known = torch.optim.SGD([nn.Parameter(torch.zeros(1))], rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(known, rate, steps, cycle_momentum=False)
    for step in range(steps):
        assert one_cycle(step, steps, rate) == known.param_groups[0]["lr"]
        known.step()
        schedule.step()
    assert one_cycle(steps, steps, rate) == known.param_groups[0]["lr"]


def test_the_steps_are_those_of_torch_also_from_its_checkpoint() -> None:
    """A parameter without a gradient stays as it is."""
    torch.manual_seed(0)
    ours, theirs = ([nn.Parameter(torch.ones(3, 2)), nn.Parameter(torch.ones(2))] for _ in range(2))
    adam = Adam(ours, 0.1, torch.device("cpu"))
    known = torch.optim.Adam(theirs, 0.1)
    for number in range(6):
        gradients = torch.randn(3, 2), None if number < 2 else torch.randn(2)
        for parameters in (ours, theirs):
            for parameter, gradient in zip(parameters, gradients, strict=True):
                parameter.grad = None if gradient is None else gradient.clone()
        if number == 3:
            adam = Adam(ours, 0.1, torch.device("cpu"))
            adam.go_on(known.state_dict())
        adam.learning_rate = known.param_groups[0]["lr"] = 0.1 / (1 + number)
        adam.step()
        known.step()
        assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))
    adam.zero_grad()
    assert [parameter.grad for parameter in ours] == [None, None]


def test_no_training_waits_for_the_compiler_of_torch() -> None:
    script = (
        "import sys, torch\n"
        "from models.training.environment import prepare_torch\n"
        "from models.training.optimizer import Adam\n"
        "device = prepare_torch()\n"
        "weight = torch.nn.Parameter(torch.ones(2, device=device))\n"
        "adam = Adam([weight], 0.1, device)\n"
        "weight.sum().backward()\n"
        "adam.step()\n"
        "print(torch.are_deterministic_algorithms_enabled(), 'torch._dynamo' in sys.modules)\n"
    )
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert answer.stdout == "True False\n"
