"""A finished run put to use: its network tested on other data, asked about single files, and written as ONNX."""

from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from models.architectures import build_for
from models.architectures.own import OwnError
from models.data.audio import UnreadableClipError, read_sound, windows
from models.data.clips import Report, open_clips
from models.data.describe import describe
from models.data.speech_commands import find, read_folder, read_for_testing
from models.recipe import Recipe
from models.result import Evaluation, Heard, RunResult
from models.run_folder import RunFolder, write_atomically
from models.run_reader import EVALUATIONS, read_evaluations, read_recipe, read_result
from models.training.batches import Batches
from models.training.checkpoint import Checkpoint, give_weights
from models.training.errors import TrainingError
from models.training.evaluate import evaluate

_WAVEFORM = 60
"""Values of a waveform that is shown in a line."""


class Trained(NamedTuple):
    """The network of a finished run with the weights that were tested."""

    recipe: Recipe
    """With the precision that was used."""
    result: RunResult
    network: nn.Module


def load(folder: RunFolder) -> Trained:
    """Builds the network of a run, on the processor.

    Raises:
        TrainingError: the run is not finished, or has no checkpoint here.
        BrokenRunError: a file of the run cannot be read.
    """
    recipe, result = read_recipe(folder), read_result(folder)
    if recipe is None:
        raise TrainingError(f"{folder.path} is no run folder: it has no recipe.json")
    if result is None:
        raise TrainingError(
            f"run {folder.id} is not finished; go on with: sheetrack train --resume {folder.id}"
        )
    precision = result.precision or recipe.precision
    recipe = recipe.model_copy(update={"depth": result.recipe.depth, "precision": precision})
    checkpoint = Checkpoint.read(folder, result.data.hash, recipe)
    if not checkpoint.epoch:
        raise TrainingError(
            f"{folder.checkpoint_file} is not here: checkpoints stay on the server of the training"
        )
    try:
        network = build_for(recipe, len(result.words), folder.architecture_file)
    except (OwnError, ValueError, OSError) as error:
        raise TrainingError(f"the network of run {folder.id} cannot be built: {error}") from error
    give_weights(network, checkpoint.best_network, folder)
    return Trained(recipe, result, network.eval())


def evaluate_on(folder: RunFolder, data: str, report: Report = lambda *_: None) -> Evaluation:
    """Tests a run on another folder of words, or again on its own test clips, and keeps that with the run.

    Raises:
        TrainingError, DataError: the run or the data cannot be used.
        BrokenRunError: a file of the run cannot be read.
        OSError: the disk is full.
    """
    recipe, result, network = load(folder)
    root = find(data)
    is_own = root.resolve() == find(recipe.data).resolve()
    words = read_folder(root) if is_own else read_for_testing(root, result.words)
    clips = open_clips(words, report, rate_hz=recipe.sample_rate, seconds=recipe.seconds)
    if is_own and clips.words != result.words:
        raise TrainingError(f"the words of {root} have changed since run {folder.id} was trained")
    batches = Batches(clips, torch.device("cpu"))
    predictions = evaluate(network, batches, clips.of("testing"), recipe.precision)
    labels = np.array([result.words.index(word) for word in clips.words])[predictions.labels]
    matrix = np.zeros((len(result.words),) * 2, np.int64)
    np.add.at(matrix, (labels, predictions.words), 1)
    evaluation = Evaluation(
        data=describe(clips),
        clips=len(labels),
        accuracy=float((labels == predictions.words).mean()),
        words=result.words,
        confusion_matrix=tuple(tuple(row) for row in matrix.tolist()),
        finished_at=datetime.now(UTC).replace(microsecond=0),
    )
    others = [each for each in read_evaluations(folder) if each.data.folder != evaluation.data.folder]
    write_atomically(folder.evaluations_file, EVALUATIONS.dump_json([*others, evaluation], indent=2))
    return evaluation


def hear(trained: Trained, files: list[Path]) -> list[Heard]:
    """The words that a network hears in some recordings; a file that cannot be read is named in its place."""
    recipe, result, network = trained
    heard = []
    for file in files:
        try:
            sound, _ = read_sound(file, recipe.sample_rate)
        except UnreadableClipError as error:
            heard.append(Heard(file=str(file), error=str(error)))
            continue
        cut = windows(sound, recipe.samples)
        with (
            torch.inference_mode(),
            torch.autocast("cpu", torch.bfloat16, enabled=recipe.precision == "bfloat16"),
        ):
            parts = torch.split(torch.from_numpy(cut), 256)
            scores = [network(part.float() / 32768) for part in parts]
        probabilities = functional.softmax(torch.cat(scores).float(), 1).mean(0).tolist()
        peaks = [int(abs(part.astype(int)).max()) for part in np.array_split(sound, _WAVEFORM) if len(part)]
        words = sorted(zip(result.words, probabilities, strict=True), key=lambda pair: -pair[1])
        heard.append(
            Heard(
                file=str(file),
                seconds=len(sound) / recipe.sample_rate,
                probabilities={word: round(probability, 6) for word, probability in words},
                waveform=tuple(round(peak / 32768, 4) for peak in peaks),
            )
        )
    return heard
