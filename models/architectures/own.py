"""Networks of the lab's own: a Python file with a function of the file's name that returns an `nn.Module`.

The function may ask for any of `words`, `depth`, `dropout`, `batch_norm`, `samples` and `sample_rate`. The
network takes clips (batch, samples) and gives a score a word (batch, words). `DEPTHS` in the file names the
depths that are offered; without it, the default of `depth` is the only one.
"""

import inspect
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import nn

CHOICES = ("words", "depth", "dropout", "batch_norm", "samples", "sample_rate")
_MOST_DEPTHS = 99


class OwnError(Exception):
    """A network of the lab's own cannot be used; the message names the line and what is wrong."""


@dataclass(frozen=True)
class Own:
    """A network of the lab's own.

    Attributes:
        file: where it stands.
        takes: what its function asks for, some of `CHOICES`.
        depths: the depths that are offered, with the `default_depth`.
    """

    file: Path
    function: Callable[..., Any]
    takes: frozenset[str]
    depths: tuple[int, ...]
    default_depth: int

    def build(self, *, samples: int = 16000, sample_rate: int = 16000, **choices: Any) -> nn.Module:
        """The network, with fresh weights.

        Raises:
            OwnError: it cannot be built, has no weights, or gives no scores of shape (batch, words) for two clips
                and for one, as the last batch of a test may be.
        """
        choices |= {"samples": samples, "sample_rate": sample_rate}
        with _explained(self.file):
            network = self.function(**{name: choices[name] for name in self.takes})
        if not isinstance(network, nn.Module):
            raise OwnError(f"{self.file.name}: its function returns no torch.nn.Module")
        for clips in (2, 1):
            with _explained(self.file), torch.no_grad(), torch.random.fork_rng(devices=[]):
                was_training = network.training
                scores = network.eval()(torch.zeros(clips, samples))
                network.train(was_training)
            shape = tuple(scores.shape) if isinstance(scores, torch.Tensor) else type(scores).__name__
            if shape != (clips, choices["words"]):
                raise OwnError(
                    f"{self.file.name}: for clips ({clips}, {samples}) it gives {shape} instead of "
                    f"({clips}, {choices['words']}), a score for each word"
                )
        if not any(parameter.requires_grad for parameter in network.parameters()):
            raise OwnError(f"{self.file.name}: it has no weights to train; give it a layer such as nn.Linear")
        return network


def load(file: Path, name: str) -> Own:
    """The network called `name` in `file`.

    Raises:
        OwnError: the file cannot be used.
        OSError: it cannot be read.
    """
    source = file.read_bytes()
    module = ModuleType(f"sheetrack_network_{name}")
    module.__file__ = str(file)
    sys.modules[module.__name__] = module  # where dataclasses and the like look for it
    with _explained(file):
        exec(compile(source, str(file), "exec"), module.__dict__)  # noqa: S102 - the lab's own code
    function = getattr(module, name, None)
    if not callable(function):
        raise OwnError(f"{file.name}: it has no function {name!r}; name the function like its file")
    parameters = inspect.signature(function).parameters
    unknown = [
        each.name
        for each in parameters.values()
        if each.name not in CHOICES
        and each.default is each.empty
        and each.kind not in (each.VAR_KEYWORD, each.VAR_POSITIONAL)
    ]
    if unknown:
        raise OwnError(
            f"{file.name}: its function asks for {unknown[0]!r}; it may ask for {', '.join(CHOICES)}"
        )
    takes = frozenset(CHOICES) & parameters.keys()
    depths, default = _depths(file, module, parameters)
    return Own(file, function, takes, depths, default)


def _depths(file: Path, module: ModuleType, parameters: Any) -> tuple[tuple[int, ...], int]:
    default = parameters["depth"].default if "depth" in parameters else 1
    given = getattr(module, "DEPTHS", None)
    if given is None:
        if not isinstance(default, int):
            raise OwnError(
                f"{file.name}: say which depths it has, such as DEPTHS = range(1, 6), or give depth a default"
            )
        return (default,), default
    try:
        depths = tuple(sorted(set(given)))
    except TypeError:
        depths = ()
    if not depths or not all(type(depth) is int and 1 <= depth <= _MOST_DEPTHS for depth in depths):
        raise OwnError(
            f"{file.name}: DEPTHS must be whole numbers from 1 to {_MOST_DEPTHS}, such as range(1, 6)"
        )
    default = default if isinstance(default, int) else depths[-1]
    if default not in depths:
        raise OwnError(f"{file.name}: the default depth {default} is not among DEPTHS")
    return depths, default


@contextmanager
def _explained(file: Path) -> Iterator[None]:
    """Raises what goes wrong in `file` as an OwnError that names the line."""
    try:
        yield
    except (Exception, SystemExit) as error:
        what = f"{type(error).__name__}: {error.msg if isinstance(error, SyntaxError) else error}".strip(": ")
        raise OwnError(f"{file.name}{_line(error, file)}: {what[:500]}") from error


def _line(error: BaseException, file: Path) -> str:
    """The last line of `file` that led to the error, such as ` line 7`; empty where none did."""
    if isinstance(error, SyntaxError) and error.filename == str(file):
        return f" line {error.lineno}"
    lines = [
        frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(file)
    ]
    return f" line {lines[-1]}" if lines else ""
