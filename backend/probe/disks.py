"""This machine's disks: room, inodes, and whether they answer and take files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Dict, Sequence

from backend.probe.background import BackgroundReader

EVERYBODYS = (Path("/"), Path("/tmp"), Path("/home"))  # noqa: S108 - asked for its room only
_MOUNTS = Path("/proc/self/mountinfo")
_NEVER_WRITTEN = ("erofs", "squashfs", "iso9660", "cramfs", "overlay", "ramfs")
_FRESH_SECONDS = 10

Reading = Dict[str, Any]
"""The fields of a `Disk`, and the number of its device."""


class Disks:
    """The file systems of some folders, each read in its own thread, because any of them may hang."""

    def __init__(self, home: Path, data: Path | None = None) -> None:
        """`home` is Sheetrack's own folder; `data`, which may be read-only, the folder of its data sets."""
        folders = dict.fromkeys((*EVERYBODYS, home))
        self._home = home
        self._readers: dict[Path, BackgroundReader[Reading]] = {
            folder: self._reader(folder, must_be_writable=True) for folder in folders
        }
        if data and data not in self._readers:
            self._readers[data] = self._reader(data, must_be_writable=False)
        for reader in self._readers.values():
            reader.latest(0)

    def _reader(self, folder: Path, *, must_be_writable: bool) -> BackgroundReader[Reading]:
        def read() -> Reading:
            return read_disk(folder, must_be_writable=must_be_writable)

        return BackgroundReader(f"disk {folder}", read, fresh_seconds=_FRESH_SECONDS)

    def read(self) -> tuple[list[Reading], float | None, dict[str, float]]:
        """All disks, each once; what is free on that of the home; which folders do not answer, for how long."""
        found: dict[int, Reading] = {}
        free, silent = None, {}
        for folder, reader in self._readers.items():
            latest = reader.latest(0)
            if latest.silent_seconds is not None:
                silent[f"disk {folder}"] = latest.silent_seconds
            elif latest.value:
                fields = dict(latest.value)
                found.setdefault(fields.pop("device"), fields)
                free = fields["free_gib"] if folder == self._home else free
        return list(found.values()), free, silent

    def close(self) -> None:
        for reader in self._readers.values():
            reader.close()


def read_disk(folder: Path, *, must_be_writable: bool = True) -> Reading:
    """The file system of a folder, or of the nearest one above it. Blocks while a network disk hangs."""
    there = next(some for some in (folder, *folder.parents) if some.exists())
    room, device = os.statvfs(there), os.stat(there).st_dev  # noqa: PTH116 - beside statvfs
    gib = room.f_frsize / 2**30
    return {
        "device": device,
        "path": str(folder if there == folder else there),
        "free_gib": round(room.f_bavail * gib, 1),
        "total_gib": round(room.f_blocks * gib, 1),
        "free_inodes_percent": round(100 * room.f_favail / room.f_files, 1) if room.f_files else None,
        "read_only": must_be_writable and is_read_only(there.resolve()),
    }


def is_read_only(folder: Path) -> bool:
    """Whether the file system itself takes no files, as after an error of its disk.

    That a service may not write there, or that a system never writes to its root, is no fault.
    https://man7.org/linux/man-pages/man5/proc_pid_mountinfo.5.html
    """
    longest, options, kind = -1, "", ""
    for line in _mounts():
        fields, _, rest = line.partition(" - ")
        point = fields.split(" ")[4].encode().decode("unicode_escape")
        if len(point) >= longest and _is_below(str(folder), point):
            longest, (kind, _, options) = len(point), rest.split(" ", 2)
    writes = set(options.split(","))
    return kind not in _NEVER_WRITTEN and bool(writes & {"ro", "emergency_ro", "shutdown"})


def _is_below(folder: str, point: str) -> bool:
    return point in ("/", folder) or folder.startswith(point + "/")


def _mounts() -> Sequence[str]:
    try:
        lines = _MOUNTS.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ()
    return [line for line in lines if " - " in line and line.count(" ") > 8]
