import shutil
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from backend.errors import ConflictError
from backend.service.wiring import Sheetrack
from backend.settings import Home
from tests.probe.fake_gpus import FakeGpus
from tests.speech import write_words


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setenv("SHEETRACK_HOME", str(tmp_path / "home"))
    return Home()


@pytest.fixture(scope="session")
def nvml_library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("needs a C compiler: apt-get install gcc")
    library = tmp_path_factory.mktemp("nvml") / "libnvidia-ml.so.1"
    source = Path(__file__).parent / "probe" / "fake_nvml.c"
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
    parts = Sheetrack(home)
    parts.status.refresh()
    yield parts
    for job in parts.jobs.unfinished_jobs():
        with suppress(ConflictError):
            parts.queue.cancel(job.id, "the test")
    parts.close()
