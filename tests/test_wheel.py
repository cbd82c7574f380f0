"""The wheel: all that the page, the store and the published tables need is inside."""

import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_the_wheel_carries_everything_that_is_not_python(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        inside = set(wheel.namelist())
    needed = [
        *(file for file in (ROOT / "apps_script").rglob("*") if file.is_file()),
        *(ROOT / "backend" / "page").iterdir(),
        *(ROOT / "backend" / "migrations" / "versions").glob("*.py"),
        *(ROOT / "models" / "published_tables").iterdir(),
        *(ROOT / "models" / "architectures").glob("*.[ch]"),
    ]
    assert {str(file.relative_to(ROOT)) for file in needed} <= inside
    assert not [name for name in inside if name.startswith(("tests/", "deploy/", "benchmarks/"))]
