"""A training in this process: without the seconds that a new interpreter takes to import torch."""

import signal

from models.run_folder import RunFolder
from models.training.train import train


def train_here(folder: RunFolder) -> None:
    """Trains the run without pictures; this process handles signals afterwards as before."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        with folder.lock():
            train(folder, figures=False)
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
