"""A finished run whose checkpoint holds a small network, made without a training."""

import json
from pathlib import Path

import torch

from models.architectures import build
from models.recipe import WORDS
from models.run_folder import RunFolder
from tests.models.made_run import make_run
from tests.models.raw_files import raw_result


def make_network(runs: Path, architecture: str = "ch32", depth: int = 4, seed: int = 0) -> RunFolder:
    """Weights are random, so that nothing depends on what a training learned; they are not the initial ones."""
    folder = make_run(runs, architecture, seed=seed, epochs=1, depth=depth, batch_norm=False)
    result = raw_result(folder)
    result["recipe"]["depth"] = depth
    folder.result_file.write_text(json.dumps(result))
    torch.manual_seed(1000 + seed)
    network = build(architecture, len(WORDS), depth, 0.5, False)
    torch.save({"best_network": network.state_dict()}, folder.checkpoint_file)
    return folder
