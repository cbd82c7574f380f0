from pathlib import Path

import pytest

from backend.settings import Home


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setenv("SHEETRACK_HOME", str(tmp_path / "home"))
    return Home()
