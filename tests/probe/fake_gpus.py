"""GPUs that do not exist, for a child process to see."""

import os
from pathlib import Path


class FakeGpus:
    """GPUs that a child process sees, and that a test changes while it runs; see fake_nvml.c."""

    def __init__(self, library: Path, file: Path) -> None:
        self._file = file
        self.environment = {**os.environ, "LD_LIBRARY_PATH": str(library.parent), "FAKE_NVML": str(file)}

    def become(self, *lines: str) -> None:
        """Replaces all that was said before."""
        draft = self._file.with_suffix(".new")
        draft.write_text("".join(f"{line}\n" for line in lines))
        draft.replace(self._file)
