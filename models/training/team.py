"""Processes that train one network together, one a GPU: DistributedDataParallel on one server."""

import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

from models.process import command
from models.result import ended
from models.run_folder import RunFolder
from models.training.errors import TrainingError

_LAST_WORDS_SECONDS = 10
_WAIT = timedelta(hours=2)
"""The others wait while the first tests the network."""


@dataclass(frozen=True)
class Team:
    """The place of this process among those that train together."""

    rank: int = 0
    size: int = 1

    @property
    def is_first(self) -> bool:
        """Whether it is the one that tests, reports and writes."""
        return self.rank == 0

    def share(self, chosen: NDArray[np.int64]) -> tuple[NDArray[np.int64], float]:
        """This process's part of a batch, and the weight of its mean loss in the mean over all processes.

        With the weights, the mean of all gradients is that of the whole batch also where the parts differ in
        size. A process without a part takes a clip with weight 0, because all must take each step.
        """
        mine = chosen[self.rank :: self.size]
        return (mine, len(mine) * self.size / len(chosen)) if len(mine) else (chosen[:1], 0.0)

    def joined(self, network: nn.Module) -> nn.Module:
        """The network whose gradients are the means over all processes. On GPUs batch norm counts all parts."""
        if self.size == 1:
            return network
        if next(network.parameters()).is_cuda:
            network = nn.SyncBatchNorm.convert_sync_batchnorm(network)  # type: ignore[no-untyped-call]
        # A bias before batch norm changes nothing, and gets no gradient.
        return DistributedDataParallel(network, find_unused_parameters=True)

    def add_up(self, *values: torch.Tensor) -> None:
        """Puts the sums over all processes into `values`."""
        if self.size > 1:
            for value in values:
                distributed.all_reduce(value)


def device_of(team: Team, device: torch.device) -> torch.device:
    """The GPU of this process.

    Raises:
        TrainingError: there are fewer GPUs than processes.
    """
    if device.type != "cuda" or team.size == 1:
        return device
    if torch.cuda.device_count() < team.size:
        raise TrainingError(
            f"{team.size} processes need as many GPUs, and {torch.cuda.device_count()} can be seen; ask for fewer"
        )
    torch.cuda.set_device(team.rank)
    return torch.device("cuda", team.rank)


@contextmanager
def first_of(folder: RunFolder, size: int) -> Iterator[Team]:
    """Starts the other processes, which end with this one.

    Raises:
        TrainingError: one of them has failed.
    """
    if size == 1:
        yield Team()
        return
    meeting = Path(tempfile.mkdtemp(prefix="sheetrack-"))
    others = [
        subprocess.Popen(
            command("train-part", str(folder.path), str(rank), str(size), str(meeting / "meeting")),
            stdin=subprocess.DEVNULL,
        )
        for rank in range(1, size)
    ]
    is_ending = threading.Event()
    for other in others:
        threading.Thread(target=_watch, args=(other, is_ending), daemon=True).start()
    try:
        with member(Team(0, size), meeting / "meeting") as team:
            yield team
    except BaseException as error:
        is_ending.set()
        failed = [status for other in others if (status := other.poll())]
        for other in others:
            other.kill()
        if failed and isinstance(error, RuntimeError):  # the connection to it broke
            raise TrainingError(_other_ended(failed[0])) from None
        raise
    finally:
        for other in others:
            other.wait()
        shutil.rmtree(meeting, ignore_errors=True)


def _watch(other: "subprocess.Popen[bytes]", is_ending: threading.Event) -> None:
    """Ends the training where another process of it fails: this one would wait for it for hours."""
    status = other.wait()
    # Where all of them see the same fault, the first one tells of it.
    if status and not is_ending.wait(_LAST_WORDS_SECONDS):
        print(f"error: {_other_ended(status)}", file=sys.stderr, flush=True)  # noqa: T201
        os._exit(1)


def _other_ended(status: int) -> str:
    how = ended(status) if status > 0 else ended(None, -status)
    return f"another process of the training ended: {how}"


@contextmanager
def member(team: Team, meeting: Path) -> Iterator[Team]:
    """Joins the others, who meet by the file `meeting`."""
    distributed.init_process_group(
        "nccl" if torch.cuda.is_available() else "gloo",
        init_method=f"file://{meeting}",
        rank=team.rank,
        world_size=team.size,
        timeout=_WAIT,
    )
    try:
        yield team
    finally:
        distributed.destroy_process_group()
