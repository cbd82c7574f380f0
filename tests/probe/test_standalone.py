import ast
import json
import subprocess
import sys
from importlib import import_module

import pytest

from backend.probe.snapshot import Snapshot
from backend.probe.standalone import _MODULES, PYTHON, START, TOO_OLD, program
from backend.times import now
from tests.patience import PATIENCE_SECONDS

BARE = [sys.executable, "-I", "-S", "-c", START]
"""Sees neither this project nor any package."""


def test_a_reading_by_an_interpreter_that_has_nothing_else() -> None:
    asked = program("backend.probe.over_ssh", 30.0) + b"\n\n\n"
    done = subprocess.run(BARE, input=asked, capture_output=True, check=True, timeout=PATIENCE_SECONDS)
    greeting, *lines = done.stdout.decode().splitlines()
    assert greeting == "sheetrack probe"
    assert len(lines) == 3
    for line in lines:
        snapshot = Snapshot.model_validate({"server": "ada", "at": now(), **json.loads(line)})
        assert snapshot.host
        assert snapshot.host.memory_total_mib
        assert snapshot.host.booted_at
        assert snapshot.host.cpu_percent is not None


def test_it_needs_no_more_than_the_oldest_python_it_promises() -> None:
    for name in _MODULES:
        source = import_module(name).__spec__.loader.get_source(name)  # type: ignore[union-attr]
        ast.parse(source, feature_version=PYTHON)


def test_an_older_python_is_told() -> None:
    text = program("backend.probe.over_ssh", 30.0).replace(
        b"sys.version_info < (3, 8)", b"sys.version_info < (9, 8)"
    )
    _, _, text = text.partition(b"\n")
    done = subprocess.run(BARE, input=b"%d\n%s" % (len(text), text), capture_output=True, check=False)
    assert done.returncode == 1
    assert done.stderr.decode().startswith(TOO_OLD)
    with pytest.raises(ValueError, match="invalid literal"):
        int(done.stdout or b"none")
