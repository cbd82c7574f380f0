"""Clips a second of one training with all threads, and of one training a processor with one thread each.

`python -m benchmarks.sharing`: the steps alone, batches of 64 of noise, batch norm. Prints a table.
"""

import os
import subprocess
import sys
import time

import torch
from torch.nn import functional

from models.architectures import build
from models.training.environment import prepare_torch
from models.training.optimizer import Adam

NETWORKS = {"ch32": (8, 12), "bc64": (13, 12), "sep96": (8, 10), "ch128": (9, 25)}
"""Layers, and for how many seconds each is measured."""
BATCH = 64


def clips_per_second(name: str) -> float:
    """Of this process alone."""
    device = prepare_torch()
    depth, seconds = NETWORKS[name]
    network = build(name, 16, depth, 0.25, batch_norm=True).train()
    optimizer = Adam(network.parameters(), 0.001, device)
    clips, labels = 0.1 * torch.randn(BATCH, 16000), torch.randint(16, (BATCH,))
    steps, began = -1, time.monotonic()
    while steps < 0 or time.monotonic() - began < seconds:
        optimizer.zero_grad()
        functional.cross_entropy(network(clips), labels).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        steps += 1
        if steps == 0:  # the first one allocates
            began = time.monotonic()
    return BATCH * steps / (time.monotonic() - began)


def together(name: str, count: int, threads: int) -> float:
    """Of so many processes at a time, in all."""
    environment = {**os.environ, "SHEETRACK_THREADS": str(threads)}
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "benchmarks.sharing", name], env=environment, stdout=subprocess.PIPE
        )
        for _ in range(count)
    ]
    return sum(float(process.communicate()[0]) for process in processes)


def main() -> None:
    if len(sys.argv) > 1:
        print(clips_per_second(sys.argv[1]))
        return
    processors = len(os.sched_getaffinity(0))
    print(
        f"| network | one, {processors} threads | {processors}, one thread each | ratio |\n|---|---|---|---|"
    )
    for name in NETWORKS:
        one, shared = together(name, 1, processors), together(name, processors, 1)
        print(f"| {name} | {one:,.1f} | {shared:,.1f} | {shared / one:.2f} |", flush=True)


if __name__ == "__main__":
    main()
