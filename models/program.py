"""Runs the program of a run folder: a child of this process, which waits and notes how it ended."""

import os
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from models.command import RUN_VARIABLE, Command
from models.kernel_log import MemoryWatch
from models.limits import time_limit_hours
from models.places import expanded
from models.process import end_with_parent
from models.program_history import read_epochs
from models.program_reader import draft_result, read_command, read_exit
from models.result import Exit
from models.run_folder import RunFolder, write_atomically
from models.run_reader import BrokenRunError

_NOT_STARTED = 127
_GRACE_SECONDS = 5
"""Time that a program has to end at its time limit before it is killed."""
_SECRETS = ("SHEETRACK_AGENT_TOKEN",)


class StartError(RuntimeError):
    """The program cannot be started; the message says why."""


def run(folder: RunFolder, prefix: str = "") -> int:
    """Runs the command of a run to its end, and writes `exit.json` last. Returns the exit status.

    Once is all: a run that has ended does not start again. The program and its children inherit the lock.

    Args:
        folder: the run.
        prefix: the folder of the Python or conda environment; empty: none.

    Raises:
        AlreadyTrainingError: the run is in progress.
        BrokenRunError: a file of the run cannot be read.
    """
    command = read_command(folder)
    if command is None:
        raise BrokenRunError(folder.id, folder.command_file.name, "it does not exist")
    with folder.lock() as lock:
        if ended := read_exit(folder):
            return ended.status if ended.status is not None else _NOT_STARTED
        for number in (signal.SIGINT, signal.SIGTERM):
            # A handler, because an ignored signal would stay ignored in the program.
            signal.signal(number, lambda *_: None)
        memory = MemoryWatch()
        try:
            process = _start(folder, command, prefix, lock)
        except StartError as error:
            print(f"error: {error}", file=sys.stderr, flush=True)  # noqa: T201
            ended = Exit(reason=str(error), ended_at=_now())
        else:
            hours = time_limit_hours()
            code, is_late = _ended(process, hours)
            reason = memory.cause(process.pid) if _may_be_memory(code) else ""
            if is_late:
                reason = f"its time limit of {hours:g} h is over"
            ended = Exit(
                status=code if code >= 0 else None,
                signal=-code if code < 0 else None,
                reason=reason,
                ended_at=_now(),
            )
        if ended.is_success:
            _draw(folder)
        write_atomically(folder.exit_file, ended.model_dump_json())
        # The lock file keeps the number of this process: children that are left still hold the lock.
        sys.exit(ended.status if ended.status is not None else _NOT_STARTED)


def _start(folder: RunFolder, command: Command, prefix: str, lock: int) -> subprocess.Popen[bytes]:
    """Raises: StartError."""
    where = expanded(command.folder)
    if not where.is_dir():
        raise StartError(f"there is no folder {command.folder} on this server")
    environment = environment_of(folder, prefix)
    program, *arguments = command.arguments
    found = str(where / program) if "/" in program else shutil.which(program, path=environment["PATH"])
    if not found or not Path(found).is_file():
        raise StartError(f"there is no program {program!r} {f'in {prefix}' if prefix else 'on this server'}")
    try:
        return subprocess.Popen(
            [program, *arguments],
            executable=found,
            cwd=where,
            env=environment,
            stdin=subprocess.DEVNULL,
            pass_fds=[lock],
            preexec_fn=end_with_parent,  # noqa: PLW1509 - this process has one thread
        )
    except OSError as error:
        raise StartError(f"{found} cannot be started: {error.strerror}") from None


def environment_of(folder: RunFolder, prefix: str) -> dict[str, str]:
    """The variables of the program. Raises: StartError: the environment is not there."""
    variables = {name: value for name, value in os.environ.items() if name not in _SECRETS}
    variables[RUN_VARIABLE] = str(folder.path.resolve())
    # A program that keeps its lines for itself cannot be followed.
    variables["PYTHONUNBUFFERED"] = "1"
    variables.setdefault("PATH", os.defpath)
    if not prefix:
        return variables
    programs = expanded(prefix) / "bin"
    if not programs.is_dir():
        raise StartError(f"the environment has no folder {programs} on this server")
    is_conda = (programs.parent / "conda-meta").is_dir()
    for name in ("PYTHONHOME", "PYTHONPATH", "VIRTUAL_ENV", "CONDA_PREFIX"):
        variables.pop(name, None)
    variables["CONDA_PREFIX" if is_conda else "VIRTUAL_ENV"] = str(programs.parent)
    variables["PATH"] = f"{programs}{os.pathsep}{variables['PATH']}"
    return variables


def _ended(process: subprocess.Popen[bytes], hours: float | None) -> tuple[int, bool]:
    """Waits for the program; returns its exit status, and whether it was ended at its time limit."""
    try:
        return process.wait(None if hours is None else hours * 3600), False
    except subprocess.TimeoutExpired:
        # Its children as well, where this process leads their group; it does not end by this signal.
        if os.getpgid(0) == os.getpid():
            os.killpg(0, signal.SIGTERM)
        else:
            process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE_SECONDS)
        process.kill()
        return process.wait(), True


def _may_be_memory(code: int) -> bool:
    """Whether signal 9 ended the program, or a child of a shell, which tells of it by 128 + 9."""
    return code in (-signal.SIGKILL, 128 + signal.SIGKILL)


def _draw(folder: RunFolder) -> None:
    """Draws what the result and the history show; a picture must never cost a result."""
    try:
        if draft_result(folder).confusion_matrix is None and not read_epochs(folder):
            return
        from models.figures import draw  # noqa: PLC0415 - matplotlib takes a second to import

        draw(folder)
    except Exception as error:  # noqa: BLE001 - whatever the program wrote
        print(f"note: the pictures could not be drawn ({error})", file=sys.stderr, flush=True)  # noqa: T201


def _now() -> datetime:
    moment = datetime.now(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)
