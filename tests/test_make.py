"""What `make test` gives pytest."""

import os
import re
import subprocess
import sys
from pathlib import Path

MAKEFILE = Path(__file__).parents[1] / "Makefile"


def test_a_worker_that_dies_ends_the_run_and_its_test_is_named(tmp_path: Path) -> None:
    found = re.search(r"/pytest (-n .*) \$\(ARGS\)", MAKEFILE.read_text())
    assert found
    passes = "def test_passes(): ...\n"
    for number in range(6):
        (tmp_path / f"test_{number}.py").write_text(passes)
    (tmp_path / "test_0.py").write_text(f"import os\n{passes}def test_dies(): os._exit(3)\n")
    ours = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    ended = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-p",
            "no:cacheprovider",
            *found[1].split(),
            "-n",
            "2",
            str(tmp_path),
        ],
        cwd=tmp_path,
        env=ours,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert ended.returncode == 1, ended.stdout
    assert "crashed while running 'test_0.py::test_dies'" in ended.stdout
