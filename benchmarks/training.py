"""Clips a second that are trained on a processor: the networks as they are built here, and as a tutorial builds them.

Both in one run, one step of each in turn, because other work on the machine slows both alike; the best step of each
counts. Prints a table. `python benchmarks/training.py [NETWORK ...] [--threads N] [--rounds N]`
"""

import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as `python -m models train` does

import multiprocessing
import platform
import time
from multiprocessing.connection import Connection
from pathlib import Path

import click
import torch
from torch import Tensor, nn
from torch.nn import functional

from models.architecture_table import ARCHITECTURES
from models.architectures import build
from models.architectures.convolution import Block, Convolution
from models.architectures.cost import mflop_per_clip
from models.architectures.fused import keep_memory, library

BATCH = 64
PROCESSES = multiprocessing.get_context("spawn")
WORDS = 16


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
            layers.append(
                nn.Conv1d(
                    kernel.in_channels,
                    kernel.out_channels,
                    kernel.kernel_size[1],
                    padding=int(kernel.padding[1]),
                )
            )
            if isinstance(module.norm, nn.BatchNorm2d):
                layers.append(nn.BatchNorm1d(kernel.out_channels))
            layers.append(nn.ReLU())
            if module.pool > 1:
                layers.append(nn.MaxPool1d(module.pool, ceil_mode=module.pool_all))
        self.layers = nn.Sequential(*layers)

    def forward(self, clips: Tensor) -> Tensor:
        scores: Tensor = self.layers(clips[:, None])
        return scores


def train(connection: Connection, name: str, threads: int, *, is_plain: bool) -> None:
    """Trains on one batch, a step whenever it is asked, and answers with its seconds."""
    if not is_plain:
        keep_memory()
    torch.set_num_threads(threads)
    network = build(name, WORDS, None, 0.5, batch_norm=False)
    network = Plain(network) if is_plain else network
    optimizer = torch.optim.Adam(network.parameters(), 1e-3)
    clips, labels = 0.1 * torch.randn(BATCH, 16000), torch.randint(0, WORDS, (BATCH,))
    while connection.recv():
        began = time.perf_counter()
        loss = functional.cross_entropy(network(clips), labels)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        connection.send(time.perf_counter() - began)


class Contender:
    """A process that trains a network. Processes, because how glibc keeps memory counts for a whole process."""

    def __init__(self, name: str, threads: int, *, is_plain: bool) -> None:
        self._ours, theirs = PROCESSES.Pipe()
        self._process = PROCESSES.Process(
            target=train, args=(theirs, name, threads), kwargs={"is_plain": is_plain}, daemon=True
        )
        self._process.start()
        self._best = float("inf")

    def step(self) -> None:
        self._ours.send(True)
        self._best = min(self._best, self._ours.recv())

    def end(self) -> float:
        """Clips a second of the shortest step."""
        self._ours.send(False)
        self._process.join()
        return BATCH / self._best


def gflop_per_second(rounds: int) -> float:
    """What a product of two large matrices reaches: the arithmetic that the processor can be brought to do."""
    size = 1024
    one = torch.randn(size, size)
    best = float("inf")
    for _ in range(rounds):
        began = time.perf_counter()
        one @ one
        best = min(best, time.perf_counter() - began)
    return 2e-9 * size**3 / best


def processor() -> str:
    try:
        facts = dict(
            line.split(":", 1) for line in Path("/proc/cpuinfo").read_text().splitlines() if ":" in line
        )
    except OSError:
        return platform.processor()
    named = {name.strip(): value.strip() for name, value in facts.items()}
    known = ("avx2", "fma", "avx512f", "avx512_bf16", "amx_bf16", "asimd", "bf16")
    flags = set(named.get("flags", named.get("Features", "")).split())
    return (
        f"{named.get('model name', platform.machine())} ({' '.join(flag for flag in known if flag in flags)})"
    )


@click.command()
@click.argument("networks", nargs=-1)
@click.option("--threads", default=len(os.sched_getaffinity(0)), show_default=True)
@click.option("--rounds", default=12, show_default=True)
def main(networks: tuple[str, ...], threads: int, rounds: int) -> None:
    """Measures NETWORKS, all without one."""
    torch.set_num_threads(threads)
    rate = gflop_per_second(rounds)
    loops = "with" if library() else "without"
    print(
        f"{processor()}, {threads} threads, torch {torch.__version__}, {loops} the loops in C, batch {BATCH}, float32"
    )
    print(
        f"matrix product: {rate:.0f} GFLOP/s; floor: three times the network's own arithmetic at that rate\n"
    )
    print("| network | plain PyTorch, clips/s | as built here | ratio | share of the floor |")
    print("|---|---|---|---|---|")
    for name in networks or ARCHITECTURES:
        measure(name, threads, rounds, rate)


def measure(name: str, threads: int, rounds: int, rate: float) -> None:
    network = build(name, WORDS, None, 0.5, batch_norm=False)
    floor = rate * 1e3 / (3 * mflop_per_clip(network))
    # Others than the published families have no form of plain layers with the same result.
    has_peer = all(type(module) is Convolution for module in network.modules() if isinstance(module, Block))
    contenders = [Contender(name, threads, is_plain=is_plain) for is_plain in (False, True)[: 1 + has_peer]]
    for _ in range(rounds):
        for contender in contenders:
            contender.step()
    ours, *peer = [contender.end() for contender in contenders]
    plain = f"{peer[0]:.0f} | {ours:.0f} | {ours / peer[0]:.1f}" if peer else f" | {ours:.0f} | "
    print(f"| {name} | {plain} | {ours / floor:.0%} |", flush=True)


if __name__ == "__main__":
    main()
