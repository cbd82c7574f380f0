"""GPUs through `nvidia-smi`, where the driver's library cannot be loaded."""

from __future__ import annotations

import csv
import shutil
import subprocess
from typing import Any

_SECONDS = 20
_GPU = (
    "index", "uuid", "name", "utilization.gpu", "memory.used", "memory.total", "temperature.gpu",
    "power.draw", "enforced.power.limit",
)  # fmt: skip
_FIELDS = (
    "utilization_percent", "memory_used_mib", "memory_total_mib", "temperature_c", "power_w", "power_limit_w",
)  # fmt: skip


def has_nvidia_smi() -> bool:
    """Whether the program is there."""
    return shutil.which("nvidia-smi") is not None


def read_nvidia_smi() -> list[dict[str, Any]]:
    """Every GPU, as the fields of a reading; what it does not tell is None.

    Raises:
        OSError: the program ends with an error, or its answer is not understood.
        subprocess.TimeoutExpired: it gives no answer.
    """
    gpus: dict[str, dict[str, Any]] = {}
    for row in _query(f"--query-gpu={','.join(_GPU)}"):
        if len(row) != len(_GPU) or not row[0].isdigit():
            raise OSError(f"nvidia-smi says {','.join(row)[:80]!r}")
        numbers = dict(zip(_FIELDS, (_number(text) for text in row[3:])))
        gpus[row[1]] = {"index": int(row[0]), "uuid": row[1], "name": row[2], **numbers, "processes": []}
    for row in _query("--query-compute-apps=gpu_uuid,pid,used_memory"):
        if len(row) == 3 and row[0] in gpus and row[1].isdigit():
            gpus[row[0]]["processes"].append({"pid": int(row[1]), "memory_mib": _number(row[2])})
    return list(gpus.values())


def _query(question: str) -> list[list[str]]:
    answer = subprocess.run(
        ["nvidia-smi", question, "--format=csv,noheader,nounits"],
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    if answer.returncode:
        lines = (answer.stdout + answer.stderr).strip().splitlines() or ["no answer"]
        raise OSError(f"nvidia-smi: {lines[-1][:100]}")
    return [[cell.strip() for cell in row] for row in csv.reader(answer.stdout.splitlines())]


def _number(text: str) -> float | None:
    """None for what it calls `[N/A]` and the like."""
    try:
        return float(text)
    except ValueError:
        return None
