"""Clips a second that are trained on a processor: the networks as they are built here, and as others build them.

All in one run, one step of each in turn, because other work on the machine slows all alike: clips a second are those of
the best step, ratios the medians over the rounds. Prints a table. `python -m benchmarks.training [NETWORK ...] [--peers PYTHON] [--threads N]`
"""

import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median

import click
import torch
from torch import Tensor, nn

from benchmarks.networks import BATCH, keras_layers, network_of
from models.architecture_table import ARCHITECTURES
from models.architectures.compiled import libraries
from models.architectures.convolution import Block, Convolution
from models.architectures.cost import parameters
from models.architectures.fused import fused
from models.architectures.fused_fits import fits
from models.data.audio import SAMPLES
from models.process import OPENMP
from models.training.environment import has_bfloat16

_HERE = Path(__file__).parent
_PEERS_OF = "ch32"
"""The network that Keras and a loader over WAV files train too."""
_FEWEST_ROUNDS = 3


class Contender:
    """A process that trains a network. Processes, because how glibc keeps memory counts for a whole process."""

    def __init__(self, *command: str, **environment: str) -> None:
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=_HERE.parent,
            env={**os.environ, **environment},
        )
        if not self._process.stdin or not self._process.stdout:
            raise RuntimeError("it was asked for pipes")
        self._questions, self._answers = self._process.stdin, self._process.stdout
        self.versions = self._answer()
        self.seconds: list[float] = []

    def _answer(self) -> str:
        line = self._answers.readline().strip()
        if not line:
            sys.exit(f"error: this ended: {self._process.args!r}")
        return line

    def step(self) -> None:
        self._questions.write("\n")
        self._questions.flush()
        self.seconds.append(float(self._answer()))

    def end(self) -> None:
        self._process.communicate()

    @property
    def clips_per_second(self) -> float:
        """Of the shortest step."""
        return BATCH / min(self.seconds)

    def ratio_to(self, other: "Contender") -> float:
        """How many times as fast as the other one, the median over all rounds but the first, in which some compile."""
        pairs = zip(self.seconds[1:], other.seconds[1:], strict=True)
        return median(theirs / ours for ours, theirs in pairs)


def contenders(name: str, peers: str | None) -> dict[str, Contender]:
    step = (sys.executable, "-m", "benchmarks.training_step")
    found = {
        "here": Contender(*step, "here", name, **OPENMP),
        "plain": Contender(*step, "plain", name, SHEETRACK_FUSED="0"),
    }
    if has_bfloat16(torch.device("cpu")):
        found["bfloat16"] = Contender(*step, "bfloat16", name, **OPENMP)
    if name == _PEERS_OF:
        found["loader"] = Contender(*step, "loader", name, SHEETRACK_FUSED="0")
        layers = json.dumps(keras_layers(network_of(name)))
        for backend in ("tensorflow", "jax") if peers else ():
            found[backend] = Contender(
                str(peers), str(_HERE / "training_keras.py"), str(BATCH), layers, KERAS_BACKEND=backend
            )
    return found


def gflop_per_second() -> float:
    """The arithmetic that the processor can be brought to do: a product of matrices, or a convolution of our loops."""
    one = torch.randn(1024, 1024)
    rate = 2e-9 * 1024**3 / shortest(lambda: one @ one)
    signal = torch.randn(64, 64, 1, 512).to(memory_format=torch.channels_last)
    kernel = nn.Conv2d(64, 64, (1, 5), padding=(0, 2)).requires_grad_(requires_grad=False)
    if kernel.bias is not None and fits(signal, kernel, 1):
        layer = partial(fused, signal, kernel.weight, kernel.bias, padding=2, pool=1, pool_all=False)
        rate = max(rate, 2e-9 * 64 * 512 * 64 * 64 * 5 / shortest(layer))
    return rate


def gbyte_per_second() -> float:
    """Reading and writing of a copy in memory."""
    source = torch.randn(2**26)
    target = torch.empty_like(source)
    return 2e-9 * source.nbytes / shortest(lambda: target.copy_(source))


def shortest(work: Callable[[], object]) -> float:
    best = float("inf")
    for _ in range(3):
        began = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - began)
    return best


def cost_of_step(network: nn.Module) -> tuple[float, float]:
    """The least that a clip takes in a step: GFLOP, and GB that are moved.

    The way back is the way forward once for the weights and once for the inputs, which the first layer has not; of a
    convolution that is pooled, without batch norm, it visits the winners alone. The output of each block is written,
    read by the next and once more on the way back; so is its gradient, written and read. Each parameter is read twice
    and changed with two moments.
    """
    flop, moved, is_first = 0.0, float(SAMPLES), True
    pools: dict[nn.Module, int] = {
        block.convolution: block.pool
        for block in network.modules()
        if type(block) is Convolution and not isinstance(block.norm, nn.BatchNorm2d)
    }

    def count(layer: nn.Module, _inputs: object, output: Tensor) -> None:
        nonlocal flop, moved, is_first
        if isinstance(layer, Block | nn.Linear):
            moved += 5 * output[0].numel()
        if isinstance(layer, nn.Conv2d | nn.Linear):
            forward = 2 * output[0].numel() * layer.weight[0].numel()
            flop += forward * (1 + (1 if is_first else 2) / pools.get(layer, 1))
            is_first = False

    hooks = [module.register_forward_hook(count) for module in network.modules()]
    with torch.inference_mode():
        network.eval()(torch.zeros(1, SAMPLES))
    for hook in hooks:
        hook.remove()
    return 1e-9 * flop, 4e-9 * (moved + 10 * parameters(network) / BATCH)


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
@click.option("--peers", metavar="PYTHON", help="That has Keras, TensorFlow and JAX installed.")
@click.option("--threads", default=len(os.sched_getaffinity(0)), show_default=True)
@click.option("--rounds", default=12, show_default=True, help="At most.")
@click.option(
    "--seconds",
    default=30.0,
    show_default=True,
    help="For a network beside its plain form, after three rounds.",
)
def main(networks: tuple[str, ...], peers: str | None, threads: int, rounds: int, seconds: float) -> None:
    """Measures NETWORKS, all without one."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])  # of all that is started too
    torch.set_num_threads(threads)
    rate = bandwidth = 0.0
    measured: dict[str, dict[str, Contender]] = {}
    for name in networks or ARCHITECTURES:
        found = contenders(name, peers)
        began = time.monotonic()
        for turn in range(rounds):
            if turn >= _FEWEST_ROUNDS and time.monotonic() - began > seconds * len(found) / 2:
                break
            for contender in found.values():
                contender.step()
            rate, bandwidth = max(rate, gflop_per_second()), max(bandwidth, gbyte_per_second())
        for contender in found.values():
            contender.end()
        measured[name] = found
        print(f"{name} measured", file=sys.stderr)
    loops = "with" if libraries() else "without"
    print(
        f"{processor()}, {threads} threads, {loops} the loops in C, batch {BATCH}, float32 but for the last column"
    )
    print(f"At most {rate:.0f} GFLOP/s and {bandwidth:.1f} GB/s were reached.\n")
    print("| network | plain PyTorch, clips/s | as built here | ratio | floor | share of it | in bfloat16 |")
    print("|---|---|---|---|---|---|---|")
    for name, found in measured.items():
        gflop, gbyte = cost_of_step(network_of(name))
        floor = min(rate / gflop, bandwidth / gbyte)
        limit = "arithmetic" if rate / gflop < bandwidth / gbyte else "memory"
        here, plain, half = found["here"], found["plain"], found.get("bfloat16")
        in_half = f"{half.clips_per_second:.0f}, {half.ratio_to(here):.1f} times" if half else "not here"
        print(
            f"| {name} | {plain.clips_per_second:.0f} | {here.clips_per_second:.0f} | {here.ratio_to(plain):.1f} "
            f"| {floor:,.0f} ({limit}) | {here.clips_per_second / floor:.0%} | {in_half} |"
        )
    print()
    for kind, contender in measured.get(_PEERS_OF, {}).items():
        if kind not in ("here", "bfloat16"):
            what = {"plain": "plain PyTorch", "loader": "the same with a loader over WAV files"}
            ratio = measured[_PEERS_OF]["here"].ratio_to(contender)
            print(
                f"{_PEERS_OF}, {what.get(kind, f'Keras on {kind}')} ({contender.versions}): "
                f"{contender.clips_per_second:.0f} clips/s, here {ratio:.1f} times as fast"
            )


if __name__ == "__main__":
    main()
