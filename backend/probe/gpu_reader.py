"""This machine's GPUs, read by a process that may hang or crash without harm; see `gpu`."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from contextlib import nullcontext, suppress
from typing import Any

from backend.probe import background
from backend.probe.standalone import START, program

RESTART_SECONDS = 10.0
"""How long a process that ended is left before another one is started; doubles while each one crashes."""
_LONGEST_RESTART_SECONDS = 300.0
_LARGEST_BYTES = 1 << 20
_XIDS_KEPT_SECONDS = 86_400.0


class GpuReader:
    """Reads in one process. Once that crashes, each GPU is read in its own: one bad GPU hides no other.

    May hang: keep it in a thread. Not safe to share between threads.
    """

    def __init__(self) -> None:
        self._all = _Child(None)
        self._each: dict[int, _Child] = {}
        self._count = 0
        self._known: dict[int, dict[str, Any]] = {}
        self._xids: dict[str, dict[str, float]] = {}
        """The errors of each GPU, by UUID, and when each one came, which outlive a process that crashes."""

    def read(self) -> dict[str, Any]:
        """`gpus`, or the driver's `fault` (`has_no_driver`: there may be none), or neither: not read yet."""
        if not self._each:
            answer = self._all.read()
            self._count = self._all.count or self._count
            if not self._all.crashes or not self._count:
                return self._remembered(answer)
            self._all.close()
        for index in range(max(self._count, 1)):
            self._each.setdefault(index, _Child(index))
        children = {index: self._each[index] for index in range(self._count)}
        for child in children.values():
            child.ask()
        gpus = []
        for index, child in children.items():
            answer = child.answer()
            if answer.get("gpus"):
                gpus += answer["gpus"]
            else:
                before = self._known.get(index, {"index": index})
                gpus.append({**before, "fault": answer.get("fault") if child.has_ended else None})
        return self._remembered({"gpus": gpus})

    def close(self) -> None:
        for child in (self._all, *self._each.values()):
            child.close()

    def _remembered(self, answer: dict[str, Any]) -> dict[str, Any]:
        for gpu in answer.get("gpus") or ():
            if gpu.get("uuid"):
                self._add_xids(gpu)
                self._known[gpu["index"]] = {name: gpu.get(name) for name in ("index", "uuid", "name")}
        return answer

    def _add_xids(self, gpu: dict[str, Any]) -> None:
        at, known = time.monotonic(), self._xids.setdefault(gpu["uuid"], {})
        known.update({xid: at - seconds for xid, seconds in gpu.get("xids", {}).items()})
        recent = {xid: round(at - then, 1) for xid, then in known.items() if at - then < _XIDS_KEPT_SECONDS}
        if recent:
            gpu["xids"] = recent


class _Child:
    """One process that reads GPUs, started again some time after it ended."""

    def __init__(self, gpu: int | None) -> None:
        self._gpu = gpu
        self._process: subprocess.Popen[bytes] | None = None
        self._next_start_at = -float("inf")
        self._answer: dict[str, Any] = {}
        self.count = 0
        """How many GPUs it found; 0 before it did."""
        self.crashes = 0
        """How often in a row it crashed."""

    @property
    def has_ended(self) -> bool:
        return self._process is None

    def read(self) -> dict[str, Any]:
        self.ask()
        return self.answer()

    def ask(self) -> None:
        """Starts it where needed, and asks for a reading."""
        try:
            if self._process is None and time.monotonic() >= self._next_start_at:
                self._start()
            if self._process and self._process.stdin:
                self._process.stdin.write(b"\n")
                self._process.stdin.flush()
        except OSError as error:
            if self._process is None:
                self._answer = {"fault": f"GPUs cannot be read ({error.strerror})"}

    def answer(self) -> dict[str, Any]:
        """The answer to the last question; where no process runs, the last one of all."""
        while self._process and self._process.stdout:
            line = self._process.stdout.readline(_LARGEST_BYTES)
            try:
                answer = json.loads(line)
            except ValueError:
                self._end()
                break
            if "count" in answer:
                self.count = answer["count"]
                continue
            self._answer = answer
            self.crashes = 0
            if answer.get("is_over"):
                self._end()
            break
        return self._answer

    def close(self) -> None:
        if self._process:
            self._process.kill()
            self._end()

    def _start(self) -> None:
        self._next_start_at = time.monotonic() + RESTART_SECONDS
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", START], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        if self._process.stdin:
            self._process.stdin.write(program("backend.probe.gpu", background.PATIENCE_SECONDS, self._gpu))

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        with suppress(OSError), process.stdin or nullcontext(), process.stdout or nullcontext():
            pass  # closes both
        try:
            code = process.wait(timeout=2)
        except subprocess.TimeoutExpired:
            process.kill()  # one that hangs in the driver ends when the driver lets it
            return
        if code:
            self.crashes += 1
            self._next_start_at = time.monotonic() + min(
                RESTART_SECONDS * 2 ** (self.crashes - 1), _LONGEST_RESTART_SECONDS
            )
            self._answer = {"fault": f"GPU driver crashes ({_ending(code)})"}


def _ending(code: int) -> str:
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"exit {code}"
