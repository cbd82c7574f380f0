"""One training from its run folder to its result."""

import csv
import io
import json
import os
import signal
import statistics
from datetime import UTC, datetime
from pathlib import Path

import torch

from models.architecture_table import resolve_depth
from models.architectures import build_for
from models.architectures.cost import mflop_per_clip, parameters
from models.architectures.own import OwnError
from models.data.clips import Clips, Report, open_clips
from models.data.describe import describe as describe_data
from models.data.speech_commands import find, read_folder
from models.own_files import hash_of
from models.recipe import Recipe
from models.result import Prediction, RunResult
from models.run_folder import RunFolder, write_atomically
from models.run_reader import read_recipe
from models.training.analysis import write_analysis
from models.training.batches import Batches
from models.training.environment import describe as describe_environment
from models.training.environment import device_name, has_bfloat16, prepare_torch
from models.training.errors import TrainingError, stop_on_signals
from models.training.evaluate import Predictions, evaluate
from models.training.loop import Loop, epoch_seed
from models.training.progress import Reporter, Silent
from models.training.team import Team, device_of, first_of, member

HOURS_VARIABLE = "SHEETRACK_HOURS"
"""The environment variable with the time limit of a training."""


def train(folder: RunFolder, *, bar: bool = False, figures: bool = True, processes: int = 1) -> None:
    """Trains the recipe of a run, from its checkpoint where it has one, and writes `result.json`.

    Args:
        folder: the run, whose lock this process holds.
        bar: show a progress bar instead of a line an epoch.
        figures: draw the pictures at the end.
        processes: how many train together, one a GPU.

    Raises:
        TrainingError, DataError: it cannot be trained; the message says why and what to do.
        BrokenRunError: a file of the run cannot be read.
        OSError: the disk is full, or a file cannot be read.
        Stopped: on SIGINT or SIGTERM.
        TimedOut: after the hours in the environment variable SHEETRACK_HOURS.
    """
    recipe = _recipe(folder)
    stop_on_signals()
    with Reporter(folder, recipe.epochs, bar=bar, limit_seconds=_limit_seconds()) as reporter:
        try:
            result = _train(folder, recipe, reporter, processes)
        except torch.OutOfMemoryError:
            raise TrainingError(
                f"the GPU's free memory is too small for {recipe.architecture} with a batch of "
                f"{recipe.batch_size}; lower batch_size or choose another server"
            ) from None
        _publish(folder, result, reporter, figures=figures)
        reporter.say(f"test accuracy {result.test_accuracy:.2%} on {result.test_clips} clips")


def clips_of(recipe: Recipe, report: Report = lambda *_: None) -> Clips:
    """The data of a recipe, as it hears it. Raises: DataError, OSError: as `open_clips`."""
    return open_clips(
        read_folder(find(recipe.data)), report, rate_hz=recipe.sample_rate, seconds=recipe.seconds
    )


def _limit_seconds() -> float:
    try:
        return float(os.environ.get(HOURS_VARIABLE, "inf")) * 3600
    except ValueError:
        raise TrainingError(f"{HOURS_VARIABLE} is no number of hours") from None


def take_part(folder: RunFolder, team: Team, meeting: Path) -> None:
    """Trains as one of several processes, which meet by the file `meeting`; writes nothing.

    Raises:
        TrainingError, DataError, BrokenRunError, OSError: as `train`.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # it ends with the first one
    recipe = _recipe(folder)
    device = device_of(team, prepare_torch())
    with member(team, meeting):
        clips = clips_of(recipe)
        _Prepared(folder, recipe, clips, device=device, reporter=Silent(), team=team).loop.run()


class _Prepared:
    """A network about to be trained."""

    def __init__(
        self,
        folder: RunFolder,
        recipe: Recipe,
        clips: Clips,
        *,
        device: torch.device,
        reporter: Reporter | Silent,
        team: Team,
    ) -> None:
        torch.manual_seed(epoch_seed(recipe.seed, 0))
        try:
            self.network = build_for(recipe, len(clips.words), folder.architecture_file)
        except (OwnError, ValueError) as error:
            raise TrainingError(str(error)) from error
        self.network.to(device)
        self.batches = Batches(clips, device)
        self.done_as = recipe
        if recipe.precision == "bfloat16" and not has_bfloat16(device):
            reporter.say("note: this processor has no bfloat16; float32 is used")
            self.done_as = recipe.model_copy(update={"precision": "float32"})
        self.loop = Loop(folder, self.done_as, self.network, self.batches, reporter=reporter, team=team)


def _recipe(folder: RunFolder) -> Recipe:
    recipe = read_recipe(folder)
    if recipe is None:
        raise TrainingError(f"the recipe of run {folder.id} has been removed; start a new run")
    if recipe.architecture_hash:
        try:
            is_ours = hash_of(folder.architecture_file.read_bytes()) == recipe.architecture_hash
        except OSError:
            is_ours = False
        if not is_ours:
            raise TrainingError(
                f"{folder.architecture_file} is not the network that run {folder.id} began with; start a new run"
            )
        return recipe
    try:
        return recipe.model_copy(update={"depth": resolve_depth(recipe.architecture, recipe.depth)})
    except ValueError as error:
        raise TrainingError(str(error)) from None


def _train(folder: RunFolder, recipe: Recipe, reporter: Reporter, processes: int) -> RunResult:
    device = device_of(Team(0, processes), prepare_torch())
    environment = describe_environment(folder, device)
    write_atomically(folder.environment_file, json.dumps(environment, indent=2))

    clips = clips_of(recipe, lambda *_: reporter.update())
    for notice in clips.notices:
        reporter.say(f"note: {notice}")
    # The others begin when the clips are read, which leaves a file that all of them use.
    with first_of(folder, processes) as team:
        prepared = _Prepared(folder, recipe, clips, device=device, reporter=reporter, team=team)
        reporter.update(phase="training", epoch=1)
        checkpoint = prepared.loop.run()
    network, batches, done_as = prepared.network, prepared.batches, prepared.done_as

    reporter.update(phase="testing", epoch=recipe.epochs, fraction=1.0, seconds_left=None)
    predictions = evaluate(network, batches, clips.of("testing"), done_as.precision)
    write_atomically(folder.predictions_file, _table(clips, predictions))
    if not write_analysis(folder, network, batches, predictions):
        reporter.say(
            "note: no pictures of filters: the network does not begin with a convolution of the waveform"
        )
    words, full = len(clips.words), clips.frames[predictions.clips] >= clips.samples
    return RunResult(
        run=folder.id,
        words=clips.words,
        test_accuracy=predictions.accuracy() or 0.0,
        test_accuracy_full_length=predictions.accuracy(full),
        test_clips=len(predictions.clips),
        test_clips_full_length=int(full.sum()),
        validation_accuracy=checkpoint.best_accuracy,
        confusion_matrix=predictions.confusion_matrix(words),
        confusion_matrix_full_length=predictions.confusion_matrix(words, full),
        parameters=parameters(network),
        mflop_per_clip=mflop_per_clip(network, clips.samples),
        epochs=len(checkpoint.history),
        best_epoch=checkpoint.best_epoch,
        seconds=sum(entry["seconds"] for entry in checkpoint.history),
        clips_per_second=statistics.harmonic_mean(
            [entry["clips_per_second"] for entry in checkpoint.history]
        ),
        data=describe_data(clips),
        recipe=recipe,
        precision=done_as.precision,
        device=device_name(device),
        started_at=datetime.fromisoformat(environment["started_at"]),
        finished_at=datetime.now(UTC).replace(microsecond=0),
    )


def _publish(folder: RunFolder, result: RunResult, reporter: Reporter, *, figures: bool) -> None:
    """Writes the result under its name only when the pictures drawn from it exist."""
    draft = folder.path / "result.draft.json"
    write_atomically(draft, result.model_dump_json(indent=2))
    if figures:
        reporter.update(phase="drawing")
        try:
            from models.figures import draw  # noqa: PLC0415 # matplotlib takes a second to import

            drawn = RunFolder(folder.path)
            drawn.result_file = draft
            draw(drawn)
        except Exception as error:  # noqa: BLE001 # a picture must never cost a result
            reporter.say(
                f"note: the pictures could not be drawn ({error}); try: sheetrack figures {folder.id}"
            )
    draft.replace(folder.result_file)


def _table(clips: Clips, predictions: Predictions) -> str:
    """The content of `predictions.csv`."""
    table = io.StringIO()
    rows = csv.writer(table, lineterminator="\n")
    rows.writerow(Prediction.model_fields)
    for clip, label, word, confidence in zip(
        predictions.clips, predictions.labels, predictions.words, predictions.confidence, strict=True
    ):
        rows.writerow(
            [
                clips.files[clip],
                clips.frames[clip],
                clips.words[label],
                clips.words[word],
                f"{confidence:.6f}",
            ]
        )
    return table.getvalue()
