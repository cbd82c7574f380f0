"""Parts of a log file on this machine."""

import os

from backend.jobs.engines import LogPart
from models.run_folder import RunFolder, open_regular


def part_of(folder: RunFolder, start: int, most_bytes: int) -> LogPart:
    """As `Engine.read_log`; empty where there is no log that can be read."""
    try:
        with open_regular(folder.log_file) as log:
            size = log.seek(0, os.SEEK_END)
            first = max(0, size + start) if start < 0 else min(start, size)
            log.seek(first)
            return LogPart(log.read(most_bytes), first, size)
    except (OSError, ValueError):
        return LogPart(b"", 0, 0)
