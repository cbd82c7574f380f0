"""One step of a training. A GPU replays it as a CUDA graph, because launching its kernels takes longer than they do."""

import math
import warnings
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from models.architectures.fused import ONE_VALUE
from models.data.augment import augment
from models.recipe import Recipe
from models.training.batches import Batches
from models.training.errors import TrainingError
from models.training.optimizer import Adam, one_cycle
from models.training.team import Team

_EAGER_STEPS = 3
"""Before a step is captured, the last one included: libraries measure and allocate in the first ones."""
_WAITED = "called a synchronizing CUDA operation"
"""What torch says where the processor waits for the GPU, which a graph cannot hold."""


class Step:
    """Optimizer and learning rate of a training; a call trains on a batch."""

    def __init__(
        self, recipe: Recipe, network: nn.Module, batches: Batches, team: Team, *, total_steps: int
    ) -> None:
        """Args: total_steps: of the whole schedule."""
        self._recipe = recipe
        self._team = team
        self._batches = batches
        self._device = batches.labels.device
        self._on_gpu = self._device.type == "cuda"
        if self._on_gpu:
            torch.cuda.synchronize(self._device)
            # Only work of one and the same stream, not the default one, can be captured.
            torch.cuda.set_stream(torch.cuda.Stream(self._device))  # type: ignore[no-untyped-call]
        self.network = team.joined(network)
        # A cycle of a single step would be its end, where the learning rate is almost 0.
        self._cycle_steps = total_steps if recipe.schedule == "one-cycle" and total_steps > 1 else 0
        self._done = 0
        self._optimizer = Adam(network.parameters(), recipe.learning_rate, self._device)
        self._set_rate()
        self._graph: torch.cuda.CUDAGraph | None = None
        self._eager_steps = _EAGER_STEPS if self._on_gpu and team.size == 1 else math.inf
        self._chosen = torch.zeros(recipe.batch_size, dtype=torch.int64, device=self._device)
        self._outputs: tuple[Tensor, Tensor] = self._chosen, self._chosen

    @property
    def learning_rate(self) -> float:
        return self._optimizer.learning_rate

    def _set_rate(self) -> None:
        if self._cycle_steps:
            self._optimizer.learning_rate = one_cycle(
                self._done, self._cycle_steps, self._recipe.learning_rate
            )

    def state(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Of the optimizer and of the schedule, for a checkpoint."""
        return self._optimizer.state(), {"last_epoch": self._done}

    def go_on(self, optimizer: dict[str, Any], schedule: dict[str, Any]) -> None:
        """From the state in a checkpoint, maybe of another kind of device; without `schedule` from its beginning."""
        self._optimizer.go_on(optimizer)
        self._done = schedule.get("last_epoch", 0)
        self._set_rate()

    def __call__(self, chosen: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
        """Trains on clips; returns the summed loss and the right predictions of this process's part of them.

        The next call may overwrite what is returned.

        Raises:
            TrainingError: batch norm cannot be computed of this batch.
        """
        if self._graph and len(chosen) == len(self._chosen):
            self._chosen.copy_(torch.from_numpy(chosen))
            self._graph.replay()
            outputs = self._outputs
        elif self._eager_steps == 1 and len(chosen) == len(self._chosen):
            self._eager_steps = math.inf
            self._chosen.copy_(torch.from_numpy(chosen))
            outputs = self._train_and_capture()
        else:
            mine, weight = self._team.share(chosen)
            outputs = self._train(torch.from_numpy(mine), weight)
            self._eager_steps = max(self._eager_steps - 1, 1)
        self._done += 1
        self._set_rate()
        return outputs

    def _train_and_capture(self) -> tuple[Tensor, Tensor]:
        """Trains on the chosen clips and captures the step, unless the network looks at its own values."""
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            torch.cuda.set_sync_debug_mode("warn")
            try:
                outputs = self._train(self._chosen, 1.0)
            finally:
                torch.cuda.set_sync_debug_mode("default")
        if any(_WAITED in str(each.message) for each in told):
            return outputs
        graph = torch.cuda.CUDAGraph()
        numbers = torch.cuda.default_generators[torch.cuda.current_device()]
        before = numbers.clone_state()
        try:
            with torch.cuda.graph(graph, stream=torch.cuda.current_stream()):
                self._outputs = self._train(self._chosen, 1.0)
        except RuntimeError:  # torch may take its random numbers for those of a capture still
            numbers.graphsafe_set_state(before)
        else:
            self._graph = graph
        return outputs

    def _train(self, chosen: Tensor, weight: float) -> tuple[Tensor, Tensor]:
        sound, labels = self._batches.get(chosen)
        sound = augment(sound, self._recipe.augmentation, self._recipe.sample_rate)
        with torch.autocast(sound.device.type, torch.bfloat16, enabled=self._recipe.precision == "bfloat16"):
            try:
                scores = self.network(sound).float()
            except ValueError as error:
                if ONE_VALUE not in str(error):
                    raise
                raise TrainingError(
                    f"batch norm sees a single value in a batch of {len(sound)}; start a new run with a larger "
                    "batch_size, more clips, or no batch_norm"
                ) from None
        loss = functional.cross_entropy(scores, labels, label_smoothing=self._recipe.label_smoothing)
        self._optimizer.zero_grad()
        (loss * weight).backward()  # type: ignore[no-untyped-call]
        self._optimizer.step()
        if not weight:
            return torch.zeros_like(loss), torch.zeros_like(loss)
        return loss.detach() * len(chosen), (scores.argmax(1) == labels).sum()
