"""The loops in C: compiled when they are first used, kept for all processes and homes of a user."""

import ctypes
import hashlib
import logging
import os
import platform
import subprocess
import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path

from torch import Tensor

from models.process import NO_COMPILER, c_compiler

log = logging.getLogger(__name__)

_SOURCES = tuple(Path(__file__).with_name(name) for name in ("fused.c", "norm.c", "channels.c", "bands.c"))
_HEADER = Path(__file__).with_name("loops.h")
_FLAGS = ("-O3", "-march=native", "-fopenmp", "-shared", "-fPIC")
_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4  # of glibc's malloc.h


class Shape(ctypes.Structure):
    """Of a layer, as the loops over time take it."""

    _fields_ = (
        ("clips", ctypes.c_long),
        *((name, ctypes.c_int) for name in ("length", "inputs", "outputs", "taps", "padding")),
        *((name, ctypes.c_int) for name in ("pool", "skipped", "places", "threads")),
    )


@cache
def libraries() -> dict[int, ctypes.CDLL]:
    """The compiled loops by the floats of their vectors, the widest first.

    Empty where they cannot be had, with one line in the log.
    """
    if os.environ.get("SHEETRACK_FUSED") == "0":
        return {}
    compiler = c_compiler()
    if compiler is None:
        log.warning("note: %s", NO_COMPILER)
        return {}
    try:
        return {lanes: ctypes.CDLL(str(_compiled(compiler, lanes))) for lanes in widths(_processor_flags())}
    except (
        OSError,
        RuntimeError,
        subprocess.SubprocessError,
    ) as error:  # RuntimeError: a user without a home
        log.warning(
            "note: the fast convolution cannot be compiled (%s): trainings take several times as long", error
        )
        return {}


def widths(flags: str) -> tuple[int, ...]:
    """The floats of the vectors that a processor with these flags has, the widest first.

    A layer is computed in whole vectors: one with 8 or 24 outputs needs those of 8.
    """
    have = flags.split()
    return (16, 8) if "avx512f" in have else (8,) if "avx" in have else (4,)


def _compiled(compiler: str, lanes: int) -> Path:
    """The library of these sources for this processor, compiled once for all processes and homes of a user."""
    flags = (*_FLAGS, f"-DLANES={lanes}")
    text = "".join(file.read_text() for file in (*_SOURCES, _HEADER))
    facts = f"{text}{flags}{compiler}{platform.machine()}{_processor_flags()}"
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sheetrack"
    file = folder / f"fused-{hashlib.sha256(facts.encode()).hexdigest()[:16]}.so"
    if not file.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as draft:
            made = Path(draft) / "fused.so"
            subprocess.run(
                [compiler, *flags, *map(str, _SOURCES), "-o", str(made)],
                check=True, capture_output=True, timeout=120,
            )  # fmt: skip
            made.replace(file)
    return file


def _processor_flags() -> str:
    """A home may be shared by machines with different processors."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return ""
    return next((line for line in lines if line.startswith(("flags", "Features"))), "")


def loops(channels: int) -> ctypes.CDLL:
    """The compiled loops for a layer of so many channels, where `fits` said that there are any."""
    for lanes, library in libraries().items():
        if channels % lanes == 0:
            return library
    raise RuntimeError("`fits` says whether there are loops to call")


def at(tensor: Tensor) -> ctypes.c_void_p:
    """Where the values of a tensor begin."""
    return ctypes.c_void_p(tensor.data_ptr())


def keep_memory() -> None:
    """Has glibc keep freed memory: a training step otherwise spends a third of its time in page faults."""
    with suppress(OSError, AttributeError):
        libc = ctypes.CDLL(None)
        libc.mallopt(_M_MMAP_MAX, 0)
        libc.mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)
