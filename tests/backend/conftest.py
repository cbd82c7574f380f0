import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from backend.errors import ConflictError
from backend.settings import Home
from backend.wiring import Sheetrack, build
from tests.speech import write_words


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


@pytest.fixture(scope="session")
def nvml_library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("needs a C compiler: apt-get install gcc")
    library = tmp_path_factory.mktemp("nvml") / "libnvidia-ml.so.1"
    source = Path(__file__).with_name("fake_nvml.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, source], check=True)
    return library


@pytest.fixture
def fake_gpus(nvml_library: Path, tmp_path: Path) -> FakeGpus:
    gpus = FakeGpus(nvml_library, tmp_path / "gpus")
    gpus.become("gpus=1")
    return gpus


@pytest.fixture(scope="module")
def speech(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of words that a small network learns within seconds."""
    return write_words(tmp_path_factory.mktemp("tones") / "tones")


@pytest.fixture
def sheetrack(home: Home) -> Iterator[Sheetrack]:
    """That has read this machine; its trainings end with the test."""
    parts = build(home)
    parts.status.refresh()
    yield parts
    for job in parts.store.unfinished_jobs():
        with suppress(ConflictError):
            parts.training.cancel(job.id, "the test")
    parts.close()
