"""The lock of a run: asked for without being taken, held from the first moment, handed down."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from models import file_lock
from models.run_folder import RunFolder
from models.run_lock import VARIABLE, AlreadyTrainingError, RunLock, holder, is_locked
from tests.patience import wait_until

ASKING = """
import sys
from pathlib import Path
from models.run_lock import is_locked
print(flush=True)
while not is_locked(Path(sys.argv[1])):
    pass
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "lock"


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere asking takes the lock for a moment")
def test_a_process_stopped_while_it_asks_keeps_nothing_from_starting(file: Path) -> None:
    file.touch()
    words = [sys.executable, "-c", ASKING, str(file)]
    askers = [subprocess.Popen(words, stdout=subprocess.PIPE) for _ in range(2)]
    try:
        for asker in askers:
            assert asker.stdout
            asker.stdout.readline()
        for _ in range(100):
            for asker in askers:
                asker.send_signal(signal.SIGSTOP)
                process = psutil.Process(asker.pid)
                while process.status() != psutil.STATUS_STOPPED:
                    assert asker.poll() is None
            descriptor = os.open(file, os.O_RDWR)
            taken = file_lock.take(descriptor)
            os.close(descriptor)
            assert taken
            for asker in askers:
                asker.send_signal(signal.SIGCONT)
    finally:
        for asker in askers:
            asker.kill()
            asker.communicate()


def test_one_process_holds_it_and_is_named(file: Path) -> None:
    assert not is_locked(file)
    assert holder(file) is None
    lock = RunLock(file)
    assert is_locked(file)
    assert holder(file) is None
    lock.note(os.getpid())
    noted = holder(file)
    assert noted
    assert (noted.pid, noted.is_alive_here, noted.is_of_here) == (os.getpid(), True, True)
    with pytest.raises(AlreadyTrainingError, match=f"run {file.parent.name} is already being trained"):
        RunLock(file)
    assert is_locked(file)
    lock.close()
    assert not is_locked(file)
    assert holder(file) is None


def test_a_child_takes_it_over_and_keeps_it(file: Path) -> None:
    lock = RunLock(file)
    code = (
        "import sys; from pathlib import Path; from models.run_lock import *; import os\n"
        "lock = RunLock(Path(sys.argv[1])); print(os.environ.get(VARIABLE), flush=True); input()"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", code, str(file)],
        pass_fds=[lock.descriptor],
        env={**os.environ, VARIABLE: str(lock.descriptor)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    lock.close()
    assert is_locked(file)
    assert child.stdout
    assert child.stdout.readline() == "None\n"
    child.communicate("\n")
    assert child.returncode == 0
    assert not is_locked(file)


@pytest.mark.parametrize("number", ["", "x", "0", "999"])
def test_a_descriptor_of_another_file_is_not_taken_for_the_lock(
    file: Path, number: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, number)
    lock = RunLock(file)
    assert lock.descriptor not in (0, 999)
    assert is_locked(file)
    lock.close()


def test_the_lock_is_held_before_torch_is_there(tmp_path: Path) -> None:
    """A training that cannot import torch yet is held up for ever, with its lock."""
    folder = RunFolder(tmp_path / "r1")
    folder.path.mkdir()
    folder.recipe_file.write_text("{}")
    waits = tmp_path / "path"
    (waits / "torch").mkdir(parents=True)
    (waits / "torch" / "__init__.py").write_text("import time; time.sleep(600)")
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(waits), os.environ.get("PYTHONPATH", "")]),
    }
    training = subprocess.Popen([sys.executable, "-m", "models", "train", str(folder.path)], env=environment)
    try:
        wait_until(folder.is_locked)
        # It is noted a moment after the lock was taken.
        wait_until(lambda: folder.trainer_pid() is not None)
        assert folder.trainer_pid() == training.pid
        assert psutil.Process(training.pid).is_running()
    finally:
        training.kill()
        training.wait()
    assert not folder.is_locked()
