"""Room on this machine's disks."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def disk_free_gib(path: Path) -> float:
    """What an ordinary user can still write below `path`. Blocks while a network disk hangs."""
    there = next(folder for folder in (path, *path.parents) if folder.exists())
    room = os.statvfs(there)
    return round(room.f_bavail * room.f_frsize / 2**30, 1)
