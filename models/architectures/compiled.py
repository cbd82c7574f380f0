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

_SOURCES = tuple(Path(__file__).with_name(name) for name in ("fused.c", "bands.c"))
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
def library() -> ctypes.CDLL | None:
    """The compiled loops; None where they cannot be had, with one line in the log."""
    if os.environ.get("SHEETRACK_FUSED") == "0":
        return None
    compiler = c_compiler()
    if compiler is None:
        log.warning("note: %s", NO_COMPILER)
        return None
    try:
        return ctypes.CDLL(str(_compiled(compiler)))
    except (
        OSError,
        RuntimeError,
        subprocess.SubprocessError,
    ) as error:  # RuntimeError: a user without a home
        log.warning(
            "note: the fast convolution cannot be compiled (%s): trainings take several times as long", error
        )
        return None


def _compiled(compiler: str) -> Path:
    """The library of these sources for this processor, compiled once for all processes and homes of a user."""
    text = "".join(file.read_text() for file in (*_SOURCES, _HEADER))
    facts = f"{text}{_FLAGS}{compiler}{platform.machine()}{_processor_flags()}"
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sheetrack"
    file = folder / f"fused-{hashlib.sha256(facts.encode()).hexdigest()[:16]}.so"
    if not file.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as draft:
            made = Path(draft) / "fused.so"
            subprocess.run(
                [compiler, *_FLAGS, *map(str, _SOURCES), "-o", str(made)],
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


def loops() -> ctypes.CDLL:
    """The compiled loops, where `fits` said that there are any."""
    if compiled := library():
        return compiled
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
