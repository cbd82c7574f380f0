from pathlib import Path

import pytest

from tests.service.wall_clock import WallClock


@pytest.fixture
def wall_clock(tmp_path: Path) -> WallClock:
    return WallClock(tmp_path)
