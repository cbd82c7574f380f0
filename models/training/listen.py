"""A finished run listens to a clip that somebody chose, for the picture of its feature maps."""

import numpy as np
import torch

from models.architectures import build
from models.data.clips import open_clips
from models.data.speech_commands import find, read_folder
from models.run_folder import RunFolder
from models.training.analysis import write_analysis
from models.training.batches import Batches
from models.training.checkpoint import Checkpoint
from models.training.errors import TrainingError
from models.training.evaluate import evaluate


def listen(folder: RunFolder, clip: str) -> None:
    """Measures the network anew with `clip` (`word/file.wav` of its data) in the place of the one it chose.

    Raises:
        TrainingError, DataError: the run is not finished, its data has changed, or has no such clip.
    """
    result = folder.result()
    if result is None:
        raise TrainingError(
            f"run {folder.id} is not finished; go on with: sheetrack train --resume {folder.id}"
        )
    recipe = folder.recipe().model_copy(update={"depth": result["recipe"]["depth"]})
    clips = open_clips(read_folder(find(recipe.data)))
    if clip not in clips.files:
        raise TrainingError(
            f"the data of run {folder.id} has no clip {clip!r}; name one like {clips.files[0]}"
        )
    done_as = recipe.model_copy(update={"precision": result.get("precision", recipe.precision)})
    checkpoint = Checkpoint.read(folder, clips.hash, done_as)
    network = build(recipe.architecture, len(clips.words), recipe.depth, recipe.dropout, recipe.batch_norm)
    network.load_state_dict(checkpoint.best_network)
    batches = Batches(clips, torch.device("cpu"))
    heard = evaluate(network, batches, np.array([clips.files.index(clip)]), done_as.precision)
    write_analysis(folder, network, batches, heard)
