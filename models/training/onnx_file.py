"""The network of a finished run as an ONNX file."""

import json
import os
import warnings
from pathlib import Path

import torch

from models.training.errors import TrainingError
from models.training.trained import Trained


def write(trained: Trained, file: Path) -> None:
    """Writes the network: input `clips` (batch, samples) of float32 in -1 to 1, output `scores` (batch, words).

    Softmax of the scores gives probabilities. The metadata has `words` (JSON, in the order of the scores),
    `sample_rate` (Hz), `seconds`, `run` and `architecture`.

    Raises:
        TrainingError: the network has operations that ONNX does not have.
        ModuleNotFoundError: the exporter is not installed.
        OSError: the file cannot be written.
    """
    import onnxscript  # noqa: F401, PLC0415 - what torch needs for it; its absence is told at once

    recipe, result, network = trained
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the exporter's own, about its own code
            program = torch.onnx.export(
                network,
                (torch.zeros(2, recipe.samples),),
                input_names=["clips"],
                output_names=["scores"],
                dynamic_shapes=({0: torch.export.Dim("batch")},),
                dynamo=True,
                verbose=False,
            )
    except (torch.onnx.errors.OnnxExporterError, RuntimeError) as error:
        cause = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise TrainingError(f"{recipe.architecture} cannot be written as ONNX: {cause}") from error
    if program is None:
        raise TrainingError(f"{recipe.architecture} cannot be written as ONNX")
    shape = program.model.graph.inputs[0].shape
    if shape is None or isinstance(shape[0], int):
        raise TrainingError(
            f"{recipe.architecture} cannot be written as ONNX for any number of clips; "
            "in its code, take the number from clips.shape[0], not from len(clips)"
        )
    program.model.metadata_props.update(
        {
            "words": json.dumps(result.words, ensure_ascii=False),
            "sample_rate": str(recipe.sample_rate),
            "seconds": f"{recipe.seconds:g}",
            "run": result.run,
            "architecture": recipe.title,
        }
    )
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        program.save(draft)
        draft.replace(file)
    finally:
        draft.unlink(missing_ok=True)
