"""The machine and the versions that a run was trained with."""

import os
import platform
from contextlib import suppress
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from models.architectures.compiled import keep_memory
from models.limits import processors
from models.run_folder import RunFolder
from models.run_reader import BrokenRunError, read_environment


def iso(moment: datetime) -> str:
    """`2026-11-22T20:08:23Z`."""
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def prepare_torch() -> torch.device:
    """Chooses the GPU if there is one and makes torch repeatable; uses the CPUs that this process may use."""
    keep_memory()
    torch.set_num_threads(processors())
    # cuBLAS is repeatable only with its own workspace; it reads this when it starts.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.set_deterministic_debug_mode("warn")
    # Which is for programs that read it, and takes time.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def describe(folder: RunFolder, device: torch.device) -> dict[str, Any]:
    """The content of `environment.json`; a resumed run keeps the time at which it first started."""
    return {
        "started_at": _started_before(folder) or iso(datetime.now(UTC)),
        "device": device_name(device),
        "threads": torch.get_num_threads(),
        "platform": platform.platform(),
        "python": platform.python_version(),
        "packages": {
            package: _version(package)
            for package in ("sheetrack", "torch", "torchaudio", "numpy", "soundfile")
        },
    }


def _started_before(folder: RunFolder) -> str | None:
    with suppress(BrokenRunError, KeyError, TypeError, ValueError):
        return iso(datetime.fromisoformat(read_environment(folder)["started_at"]))
    return None


def device_name(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    threads = torch.get_num_threads()
    return f"{_processor()}, {threads} thread{'s' * (threads != 1)}"


def has_bfloat16(device: torch.device) -> bool:
    """Whether the processor calculates in bfloat16; elsewhere torch emulates it, slower than float32."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    flags = set(_cpu_fact("flags").split()) | set(_cpu_fact("Features").split())
    return not flags.isdisjoint(("avx512_bf16", "amx_bf16", "bf16"))


def _processor() -> str:
    return _cpu_fact("model name") or platform.processor() or platform.machine()


def _cpu_fact(name: str) -> str:
    """A fact of the first processor on Linux; empty elsewhere."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), "")


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
