"""Processor and memory of a machine without /proc, such as a Mac."""

import os
from datetime import UTC, datetime
from typing import Any

import psutil

_MIB = 2**20


def read_host() -> dict[str, Any]:
    """The fields of a `HostReading` that psutil knows; the others are None."""
    memory = psutil.virtual_memory()
    return {
        "cpu_percent": psutil.cpu_percent() or None,  # 0.0 at its first call
        "cpu_count": psutil.cpu_count(),
        "load_1min": round(os.getloadavg()[0], 2),
        "memory_total_mib": round(memory.total / _MIB, 1),
        "memory_available_mib": round(memory.available / _MIB, 1),
        "swap_used_mib": round(psutil.swap_memory().used / _MIB, 1),
        "booted_at": datetime.fromtimestamp(psutil.boot_time(), UTC).isoformat(),
    }
