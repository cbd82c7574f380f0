import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_ten_jobs_survive_what_goes_wrong_around_them() -> None:
    words = ["--seed", "4", "--jobs", "10", "--trainings", "1", "--faults", "12", "--minutes", "10"]
    ended = subprocess.run(
        [sys.executable, "-m", "tests.drill", *words], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert ended.stdout.splitlines()[-1].startswith("drill 4: 10 jobs (")
    assert ended.stdout.endswith("nothing lost, nothing doubled\n")
