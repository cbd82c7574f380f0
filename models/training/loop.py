"""The epochs of a training."""

import math
import os
import time
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from models.data.clips import Clips
from models.recipe import Recipe
from models.result import Epoch
from models.run_folder import RunFolder, write_atomically
from models.training import snapshots
from models.training.batches import Batches
from models.training.checkpoint import Checkpoint, give_weights
from models.training.errors import TrainingError
from models.training.evaluate import evaluate
from models.training.progress import Reporter, Silent
from models.training.step import Step
from models.training.team import Team


class Loop:
    """Trains a network epoch by epoch and leaves a checkpoint and a line of history after each."""

    def __init__(
        self,
        folder: RunFolder,
        recipe: Recipe,
        network: nn.Module,
        batches: Batches,
        *,
        reporter: Reporter | Silent,
        team: Team,
    ) -> None:
        self._network = network
        self._recipe = recipe
        self._batches = batches
        self._folder = folder
        self._reporter = reporter
        self._training, _ = batches.clips.windows(training_clips(batches.clips, recipe))
        self._validation = batches.clips.of("validation", full_length_only=recipe.full_length_only)
        self._steps = steps_in(len(self._training), recipe.batch_size)
        self._checkpoint = Checkpoint.read(folder, batches.clips.hash, recipe)
        is_begun = self._checkpoint.epoch > self._checkpoint.parents_epochs
        if self._checkpoint.epoch:
            give_weights(network, self._checkpoint.network, folder)
        self._team = team
        total_steps = self._steps * (recipe.epochs - self._checkpoint.parents_epochs)
        self._step = Step(recipe, network, batches, team, total_steps=total_steps)
        if self._checkpoint.epoch:
            self._step.go_on(self._checkpoint.optimizer, self._checkpoint.schedule if is_begun else {})
        # The file may lack its last line, or have it cut off: the checkpoint is written before it.
        if team.is_first:
            if not is_begun:
                snapshots.write(folder.start_file, network)
            write_atomically(folder.history_file, "".join(map(_line, self._checkpoint.history)))

    def run(self) -> Checkpoint:
        """Trains the epochs that are left and puts the best weights into the network.

        Raises:
            TrainingError: the loss is no longer a number.
        """
        checkpoint = self._checkpoint
        started = time.monotonic()
        first = checkpoint.epoch + 1
        for epoch in range(first, self._recipe.epochs + 1):
            entry = self._epoch(epoch, first, started)
            if not self._team.is_first:
                continue
            checkpoint.history.append(entry)
            checkpoint.epoch = epoch
            checkpoint.network = self._network.state_dict()
            checkpoint.optimizer, checkpoint.schedule = self._step.state()
            if entry["validation_accuracy"] > checkpoint.best_accuracy:
                checkpoint.best_accuracy = entry["validation_accuracy"]
                checkpoint.best_epoch = epoch
                checkpoint.best_network = {
                    name: value.clone() for name, value in self._network.state_dict().items()
                }
            if snapshots.is_kept(epoch):
                snapshots.write(snapshots.file(self._folder, epoch), self._network)
            checkpoint.write(self._folder)
            with self._folder.history_file.open("a") as history:
                history.write(_line(entry))
                history.flush()
                os.fsync(history.fileno())
            self._reporter.update(validation_accuracy=entry["validation_accuracy"])
            self._reporter.say(
                f"epoch {epoch}/{self._recipe.epochs}: loss {entry['loss']:.4f}, "
                f"training {entry['train_accuracy']:.2%}, validation {entry['validation_accuracy']:.2%}, "
                f"{entry['clips_per_second']:,.0f} clips/s"
            )
        if self._team.is_first:
            self._network.load_state_dict(checkpoint.best_network)
        return checkpoint

    def _epoch(self, epoch: int, first: int, started: float) -> dict[str, Any]:
        recipe = self._recipe
        torch.manual_seed(epoch_seed(recipe.seed, epoch))
        order = self._training[torch.randperm(len(self._training)).numpy()]
        if self._team.rank:  # each process drops and augments in its own way
            torch.manual_seed(epoch_seed(recipe.seed, epoch) + self._team.rank)
        self._network.train()
        losses = torch.zeros((), device=self._batches.labels.device)
        right = torch.zeros_like(losses)
        began = time.monotonic()
        for step in range(self._steps):
            is_last = step == self._steps - 1
            chosen = order[step * recipe.batch_size : None if is_last else (step + 1) * recipe.batch_size]
            loss, hits = self._step(chosen)
            losses += loss
            right += hits
            if self._reporter.due:
                seen = (step * recipe.batch_size + len(chosen)) / self._team.size
                mean = _checked(losses.item() / seen, epoch, recipe)
                done = (epoch - first) + (step + 1) / self._steps
                left = recipe.epochs - epoch + 1 - (step + 1) / self._steps
                self._reporter.update(
                    epoch=epoch,
                    fraction=1 - left / recipe.epochs,
                    loss=mean,
                    clips_per_second=(step * recipe.batch_size + len(chosen)) / (time.monotonic() - began),
                    seconds_left=(time.monotonic() - started) / done * left,
                )
        self._team.add_up(losses, right)
        mean = _checked(losses.item() / len(order), epoch, recipe)
        if not self._team.is_first:
            return {}
        trained_seconds = time.monotonic() - began
        predictions = evaluate(self._network, self._batches, self._validation, recipe.precision)
        # The last step of an epoch may be the one that broke the weights.
        _checked(float(predictions.confidence.sum()), epoch, recipe)
        return {
            "epoch": epoch,
            "loss": mean,
            "train_accuracy": right.item() / len(order),
            "validation_loss": predictions.loss if math.isfinite(predictions.loss) else None,
            "validation_accuracy": predictions.accuracy(),
            "learning_rate": self._step.learning_rate,
            "seconds": time.monotonic() - began,
            "clips_per_second": len(order) / trained_seconds,
        }


def training_clips(clips: Clips, recipe: Recipe) -> NDArray[np.int64]:
    """Indices of the clips that a recipe trains on.

    Raises:
        TrainingError: there are none, or none for validation.
    """
    chosen = clips.of("training", full_length_only=recipe.full_length_only)
    if not len(chosen) or not len(clips.of("validation", full_length_only=recipe.full_length_only)):
        raise TrainingError(
            "no clip for training or validation is a full second long; turn off full_length_only"
        )
    if recipe.training_clips is None or recipe.training_clips >= len(chosen):
        return chosen
    drawn = np.random.default_rng(recipe.seed).choice(chosen, recipe.training_clips, replace=False)
    return np.sort(drawn)


def steps_in(clips: int, batch_size: int) -> int:
    """The batches of an epoch: one clip that is left over joins the last, for one alone has no variance to norm by."""
    return max(1, math.ceil((clips - (batch_size > 1)) / batch_size))


def epoch_seed(seed: int, epoch: int) -> int:
    """The seed of an epoch, the same whether or not the run was interrupted before; epoch 0 is for the weights."""
    return int(np.random.SeedSequence([seed, epoch]).generate_state(1, np.uint64)[0] >> 1)


def _checked(loss: float, epoch: int, recipe: Recipe) -> float:
    if math.isfinite(loss):
        return loss
    raise TrainingError(
        f"the loss is no longer a number in epoch {epoch}; start a new run with a learning_rate below "
        f"{recipe.learning_rate:g}"
    )


def _line(entry: dict[str, Any]) -> str:
    return Epoch.model_validate(entry).model_dump_json() + "\n"
