"""A wall clock that is set while a process runs."""

import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pytest


class WallClock:
    """Processes with this environment see the wall clock of the test; see wall_clock.c."""

    def __init__(self, folder: Path) -> None:
        compiler = shutil.which("cc") or shutil.which("gcc")
        if compiler is None or sys.platform != "linux":
            pytest.skip("needs Linux and a C compiler: apt-get install gcc")
        library, self._file = folder / "wall_clock.so", folder / "ahead"
        source = Path(__file__).with_name("wall_clock.c")
        subprocess.run([compiler, "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
        self._file.write_bytes(struct.pack("l", 0))
        self.environment = {"LD_PRELOAD": str(library), "WALL_CLOCK": str(self._file)}

    def set_ahead(self, seconds: int) -> None:
        """By so many seconds the clock is wrong from now on."""
        with self._file.open("r+b") as file:
            file.write(struct.pack("l", seconds))
