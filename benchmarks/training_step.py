"""One of those that `training.py` measures: trains on a batch for each line that it reads, and answers with the seconds.

`python -m benchmarks.training_step here|bfloat16|plain|loader NETWORK`: the network as it is built here, in that
precision too, of torch's own layers, or of these on clips that a loader reads from WAV files, as tutorials do.
"""

import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset

from benchmarks.networks import BATCH, WORDS, network_of
from models.architectures.convolution import Block, Convolution
from models.training.environment import prepare_torch

KIND, NAME = sys.argv[1:]


class Plain(nn.Module):
    """The same network of `Conv1d`, batch norm, ReLU and max pool, as the published tables describe it."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for module in network.children():
            if not isinstance(module, Convolution):
                layers.append(module)
                continue
            kernel = module.convolution
            taps, padding = kernel.kernel_size[1], int(kernel.padding[1])
            layers.append(nn.Conv1d(kernel.in_channels, kernel.out_channels, taps, padding=padding))
            if isinstance(module.norm, nn.BatchNorm2d):
                layers.append(nn.BatchNorm1d(kernel.out_channels))
            layers.append(nn.ReLU())
            if module.pool > 1:
                layers.append(nn.MaxPool1d(module.pool, ceil_mode=module.pool_all))
        self.layers = nn.Sequential(*layers)

    def forward(self, clips: Tensor) -> Tensor:
        scores: Tensor = self.layers(clips[:, None])
        return scores


class Recordings(Dataset[tuple[Tensor, int]]):
    """Clips in WAV files."""

    def __init__(self, folder: Path) -> None:
        self._files = [folder / f"{number}.wav" for number in range(4 * BATCH)]
        for file in self._files:
            soundfile.write(file, 0.1 * np.random.default_rng(0).normal(size=16000), 16000, "PCM_16")

    def __len__(self) -> int:
        return len(self._files)

    def __getitem__(self, place: int) -> tuple[Tensor, int]:
        sound, _ = soundfile.read(self._files[place], dtype="float32")
        return torch.from_numpy(sound), place % WORDS


def batches(folder: Path) -> Iterator[tuple[Tensor, Tensor]]:
    """Without end."""
    if KIND == "loader":
        loader = DataLoader(Recordings(folder), batch_size=BATCH, shuffle=True)
        while True:
            yield from loader
    batch = 0.1 * torch.randn(BATCH, 16000), torch.randint(0, WORDS, (BATCH,))
    while True:
        yield batch


def main() -> None:
    is_ours = KIND in ("here", "bfloat16")
    if is_ours:
        prepare_torch()
    network = network_of(NAME)
    blocks = [module for module in network.modules() if isinstance(module, Block)]
    # Others than the published families are compared with their own torch form.
    if not is_ours and all(type(block) is Convolution for block in blocks):
        network = Plain(network)
    optimizer = torch.optim.Adam(network.parameters(), 1e-3)
    with tempfile.TemporaryDirectory() as folder:
        source = batches(Path(folder))
        print(f"torch {torch.__version__}", flush=True)
        for _ in sys.stdin:
            began = time.perf_counter()
            clips, labels = next(source)
            with torch.autocast("cpu", torch.bfloat16, enabled=KIND == "bfloat16"):
                scores = network(clips).float()
            loss = functional.cross_entropy(scores, labels)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            print(time.perf_counter() - began, flush=True)


if __name__ == "__main__":
    main()
