"""GPUs that do not exist, for a child process to see."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.patience import PATIENCE_SECONDS


def compiled_nvml(folder: Path, *options: str) -> Path:
    """The library of fake_nvml.c, compiled with `options` for the compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("needs a C compiler: apt-get install gcc")
    library = folder / "libnvidia-ml.so.1"
    source = Path(__file__).with_name("fake_nvml.c")
    subprocess.run([compiler, "-shared", "-fPIC", *options, "-o", library, source], check=True)
    return library


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


class Talk:
    """A process that answers lines with lines."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def tell(self, line: str) -> None:
        assert self._process.stdin
        print(line, file=self._process.stdin, flush=True)

    def ask(self, line: str) -> str:
        self.tell(line)
        assert self._process.stdout
        return self._process.stdout.readline()


@contextmanager
def talking(script: str, gpus: FakeGpus, *arguments: str) -> Iterator[Talk]:
    """A Python process that sees `gpus`; its end is waited for."""
    with subprocess.Popen(
        [sys.executable, "-c", script, *arguments],
        env=gpus.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield Talk(process)
        finally:
            assert process.stdin
            process.stdin.close()
        assert process.wait(PATIENCE_SECONDS) == 0
