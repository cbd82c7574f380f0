"""One chosen clip through the network of a finished run, for the picture of its feature maps."""

import numpy as np
import torch

from models.architectures import build_for
from models.data.clips import open_clips
from models.data.speech_commands import find, read_folder
from models.run_folder import RunFolder
from models.run_reader import read_recipe, read_result
from models.training.analysis import write_analysis
from models.training.batches import Batches
from models.training.checkpoint import Checkpoint, give_weights
from models.training.errors import TrainingError
from models.training.evaluate import evaluate


def trace_clip(folder: RunFolder, clip: str) -> None:
    """Writes `analysis.npz` again, with `clip` (`word/file.wav` of the run's data) as its clip.

    Raises:
        TrainingError, DataError: the run is not finished, its data has changed, or has no such clip.
        BrokenRunError: a file of the run cannot be read.
    """
    recipe, result = read_recipe(folder), read_result(folder)
    if recipe is None:
        raise TrainingError(f"{folder.path} is no run folder: it has no recipe.json")
    if result is None:
        raise TrainingError(
            f"run {folder.id} is not finished; go on with: sheetrack train --resume {folder.id}"
        )
    recipe = recipe.model_copy(update={"depth": result.recipe.depth})
    clips = open_clips(read_folder(find(recipe.data)), rate_hz=recipe.sample_rate, seconds=recipe.seconds)
    if clip not in clips.files:
        raise TrainingError(
            f"the data of run {folder.id} has no clip {clip!r}; name one like {clips.files[0]}"
        )
    done_as = recipe.model_copy(update={"precision": result.precision or recipe.precision})
    checkpoint = Checkpoint.read(folder, clips.hash, done_as)
    network = build_for(recipe, len(clips.words), folder.architecture_file)
    give_weights(network, checkpoint.best_network, folder)
    batches = Batches(clips, torch.device("cpu"))
    predictions = evaluate(network, batches, np.array([clips.files.index(clip)]), done_as.precision)
    write_analysis(folder, network, batches, predictions)
