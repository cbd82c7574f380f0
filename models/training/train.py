"""One training from its run folder to its result."""

import csv
import io
import json
import signal
import statistics
from types import FrameType
from typing import Any

import torch
from pydantic import ValidationError

from models.architecture_table import resolve_depth
from models.architectures import build
from models.architectures.cost import mflop_per_clip, parameters
from models.data.audio import SAMPLES
from models.data.clips import Clips, open_clips
from models.data.describe import describe as describe_data
from models.data.speech_commands import find, read_folder
from models.recipe import Recipe
from models.run_folder import RunFolder, write_atomically
from models.training.analysis import write_analysis
from models.training.batches import Batches
from models.training.checkpoint import Checkpoint
from models.training.environment import describe as describe_environment
from models.training.environment import device_name, has_bfloat16, now, prepare_torch
from models.training.errors import Stopped, TrainingError
from models.training.evaluate import Heard, evaluate
from models.training.loop import Loop, epoch_seed
from models.training.progress import Reporter


def train(folder: RunFolder, *, bar: bool = False) -> None:
    """Trains the recipe of a run, from its checkpoint where it has one, and leaves `result.json`.

    A run that has its result already is left as it is.

    Raises:
        TrainingError, DataError: it cannot be trained; the message says why and what to do.
        AlreadyTrainingError: another process trains it.
        OSError: the disk is full, or a file cannot be read.
        Stopped: on SIGINT or SIGTERM.
    """
    recipe = _recipe(folder)
    with folder.lock():
        if folder.result() is not None:
            return
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, _stop)
        with Reporter(folder, recipe.epochs, bar=bar) as reporter:
            try:
                _train(folder, recipe, reporter)
            except torch.OutOfMemoryError:
                raise TrainingError(
                    f"the GPU's free memory is too small for {recipe.architecture} with a batch of "
                    f"{recipe.batch_size}; lower batch_size or choose another server"
                ) from None


def _stop(number: int, _frame: FrameType | None) -> None:
    # Once is enough: the second Ctrl-C of an impatient person must not disturb the clean end.
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, signal.SIG_IGN)
    raise Stopped(number)


def _recipe(folder: RunFolder) -> Recipe:
    try:
        recipe = folder.recipe()
        return recipe.model_copy(update={"depth": resolve_depth(recipe.architecture, recipe.depth)})
    except FileNotFoundError:
        raise TrainingError(f"{folder.path} is no run folder: it has no recipe.json") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise TrainingError(f"{folder.recipe_file} is no recipe: {where}: {first['msg']}") from None
    except ValueError as error:
        raise TrainingError(str(error)) from None


def _train(folder: RunFolder, recipe: Recipe, reporter: Reporter) -> None:
    device = prepare_torch()
    environment = describe_environment(folder, device)
    write_atomically(folder.environment_file, json.dumps(environment, indent=2))

    clips = open_clips(read_folder(find(recipe.data)), lambda *_: reporter.update())
    for notice in clips.notices:
        reporter.say(f"note: {notice}")
    torch.manual_seed(epoch_seed(recipe.seed, 0))
    network = build(recipe.architecture, len(clips.words), recipe.depth, recipe.dropout, recipe.batch_norm)
    network.to(device)
    batches = Batches(clips, device)
    done_as = recipe
    if recipe.precision == "bfloat16" and not has_bfloat16(device):
        reporter.say("note: this processor has no bfloat16; float32 is used")
        done_as = recipe.model_copy(update={"precision": "float32"})
    loop = Loop(folder, done_as, network, batches, reporter)
    reporter.update(phase="training", epoch=1)
    checkpoint = loop.run()

    reporter.update(phase="testing", epoch=recipe.epochs, fraction=1.0, seconds_left=None)
    heard = evaluate(network, batches, clips.of("testing"), done_as.precision)
    write_atomically(folder.predictions_file, _predictions(clips, heard))
    write_analysis(folder, network, batches, heard)
    result = {
        "run": folder.id,
        **_accuracies(clips, heard),
        "validation_accuracy": checkpoint.best_accuracy,
        "best_epoch": checkpoint.best_epoch,
        "parameters": parameters(network),
        "mflop_per_clip": mflop_per_clip(network),
        **_times(checkpoint),
        "data": describe_data(clips),
        "recipe": recipe.model_dump(),
        "precision": done_as.precision,
        "device": device_name(device),
        "started_at": environment["started_at"],
        "finished_at": now(),
    }
    _publish(folder, result, reporter)
    reporter.say(f"test accuracy {result['test_accuracy']:.2%} on {result['test_clips']} clips")


def _publish(folder: RunFolder, result: dict[str, Any], reporter: Reporter) -> None:
    """Writes the result under its name only when the pictures drawn from it are there."""
    draft = folder.path / "result.draft.json"
    write_atomically(draft, json.dumps(result, indent=2))
    reporter.update(phase="drawing")
    try:
        from models.figures import draw  # noqa: PLC0415 # matplotlib takes a second to import

        drawn = RunFolder(folder.path)
        drawn.result_file = draft
        draw(drawn)
    except Exception as error:  # noqa: BLE001 # a picture must never cost a result
        reporter.say(f"note: the pictures could not be drawn ({error}); try: sheetrack figures {folder.id}")
    draft.replace(folder.result_file)


def _accuracies(clips: Clips, heard: Heard) -> dict[str, Any]:
    full = clips.frames[heard.clips] == SAMPLES
    words = len(clips.words)
    return {
        "words": clips.words,
        "test_accuracy": heard.accuracy(),
        "test_accuracy_full_length": heard.accuracy(full),
        "test_clips": len(heard.clips),
        "test_clips_full_length": int(full.sum()),
        "confusion_matrix": heard.confusion_matrix(words),
        "confusion_matrix_full_length": heard.confusion_matrix(words, full),
    }


def _times(checkpoint: Checkpoint) -> dict[str, Any]:
    history = checkpoint.history
    return {
        "epochs": len(history),
        "seconds": sum(entry["seconds"] for entry in history),
        "clips_per_second": statistics.harmonic_mean([entry["clips_per_second"] for entry in history]),
    }


def _predictions(clips: Clips, heard: Heard) -> str:
    table = io.StringIO()
    rows = csv.writer(table, lineterminator="\n")
    rows.writerow(["clip", "frames", "actual", "heard", "probability"])
    for clip, actual, word, probability in zip(
        heard.clips, heard.actual, heard.words, heard.probability, strict=True
    ):
        rows.writerow(
            [
                clips.files[clip],
                clips.frames[clip],
                clips.words[actual],
                clips.words[word],
                f"{probability:.6f}",
            ]
        )
    return table.getvalue()
