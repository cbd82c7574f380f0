"""Readings that may hang, kept apart from those that do not."""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

Value = TypeVar("Value")
Key = TypeVar("Key")

PATIENCE_SECONDS = 30.0
"""How long one reading may take before its source counts as not answering."""
_LONGEST_PATIENCE_SECONDS = 120.0

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Latest(Generic[Value]):
    """What a background reader knows now."""

    value: Value | None
    """None before the first answer, and while its source does not answer."""
    age_seconds: float
    """Since the reading of `value` began; without a value, since the last answer."""
    silent_seconds: float | None
    """How long its source has not answered, where that is too long; None: it answers."""


class BackgroundReader(Generic[Value]):
    """Calls `read` in a thread and never waits for it longer than the caller allows.

    A call that hangs in the kernel cannot be ended. The thread then waits with it, callers get the
    earlier value and later none, and once the call returns the reader continues.
    """

    def __init__(
        self,
        name: str,
        read: Callable[[], Value],
        *,
        fresh_seconds: float,
        patience_seconds: float | None = None,
        close: Callable[[], None] | None = None,
    ) -> None:
        self._name = name
        self._read = read
        self._close = close
        self._fresh_seconds = fresh_seconds
        self._patience_seconds = PATIENCE_SECONDS if patience_seconds is None else patience_seconds
        self._changed = threading.Condition()
        self._value: Value | None = None
        self._value_at = self._answered_at = time.monotonic()
        self._took_seconds = 0.0
        self._began_at: float | None = None
        self._wanted = self._closing = self._waited_for = self._failed = False
        self._count = 0
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def latest(self, wait_seconds: float) -> Latest[Value]:
        """A value at most `fresh_seconds` old if there is one within `wait_seconds`, otherwise an older one.

        A reading that took longer than a caller waited is not waited for again.
        """
        with self._changed:
            age = time.monotonic() - self._value_at
            if self._value is None or age > self._fresh_seconds:
                count = self._count
                self._wanted = True
                self._changed.notify_all()
                if not self._waited_for and wait_seconds > 0:
                    self._waited_for = not self._changed.wait_for(
                        lambda: self._count > count, timeout=wait_seconds
                    )
            return self._latest(time.monotonic())

    def close(self) -> None:
        """Ends the thread; one that hangs is left behind and keeps no process from ending."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join(timeout=1)

    def _latest(self, at: float) -> Latest[Value]:
        # A source that is known to be slow gets more time, or it would appear and vanish in turn.
        patience = max(self._patience_seconds, min(2 * self._took_seconds, _LONGEST_PATIENCE_SECONDS))
        silent = at - self._answered_at
        hangs = self._began_at is not None and at - self._began_at > patience
        if hangs or (self._failed and silent > patience):
            return Latest(None, silent, silent)
        return Latest(self._value, at - self._value_at, None)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._wanted or self._closing)
                if self._closing:
                    break
                began_at = self._began_at = time.monotonic()
            value: Value | None = None
            try:
                value = self._read()
            except Exception:
                if not self._failed:
                    log.exception("%s cannot be read", self._name)
            with self._changed:
                self._count += 1
                self._wanted = self._waited_for = False
                self._began_at, self._failed = None, value is None
                if value is not None:
                    self._value, self._value_at = value, began_at
                    self._answered_at = time.monotonic()
                    self._took_seconds = self._answered_at - began_at
                self._changed.notify_all()
        if self._close:
            self._close()


_MOST_KEPT = 4096
_MOST_WORKERS = 8
_STUCK_SECONDS = 2.0


class Lookups(Generic[Key, Value]):
    """A cache of answers that may be slow, found in threads that delay no caller for long."""

    def __init__(
        self, name: str, find: Callable[[Key], Value], *, kept_seconds: Callable[[Value], float]
    ) -> None:
        """`kept_seconds` says how long an answer holds before `find` is called again."""
        self._name = name
        self._find = find
        self._kept_seconds = kept_seconds
        self._changed = threading.Condition()
        self._known: OrderedDict[Key, tuple[Value, float]] = OrderedDict()
        self._waiting: deque[Key] = deque()
        self._working: dict[int, tuple[Key, float]] = {}
        self._workers = 0

    def get(self, key: Key, wait_seconds: float = 0) -> Value | None:
        """The newest answer for `key`; None: there is none yet."""
        with self._changed:
            known = self._known.get(key)
            if known is None or time.monotonic() > known[1]:
                self._want(key)
                if known is None and wait_seconds > 0 and not self._is_stuck():
                    self._changed.wait_for(lambda: key in self._known, timeout=wait_seconds)
                    known = self._known.get(key)
            return known[0] if known else None

    def silent_seconds(self) -> float | None:
        """How long the slowest lookup has not answered, where that is too long; None: all answer."""
        with self._changed:
            slowest = max((time.monotonic() - at for _, at in self._working.values()), default=0.0)
        return slowest if slowest > PATIENCE_SECONDS else None

    def _want(self, key: Key) -> None:
        if any(key == busy for busy, _ in self._working.values()):
            return
        if key not in self._waiting and len(self._waiting) < _MOST_KEPT:
            self._waiting.append(key)
        if self._workers == 0 or (self._is_stuck() and self._workers < _MOST_WORKERS):
            self._workers += 1
            threading.Thread(target=self._work, name=self._name, daemon=True).start()

    def _is_stuck(self) -> bool:
        stuck = sum(time.monotonic() - at > _STUCK_SECONDS for _, at in self._working.values())
        return stuck == self._workers

    def _work(self) -> None:
        me = threading.get_ident()
        while True:
            with self._changed:
                if not self._waiting:
                    self._workers -= 1
                    return
                key = self._waiting.popleft()
                self._working[me] = (key, time.monotonic())
            value: Value | None = None
            try:
                value = self._find(key)
            except Exception:
                log.exception("%s: no answer for %r", self._name, key)
            with self._changed:
                del self._working[me]
                if value is not None:
                    self._known[key] = (value, time.monotonic() + self._kept_seconds(value))
                    self._known.move_to_end(key)
                    while len(self._known) > _MOST_KEPT:
                        self._known.popitem(last=False)
                self._changed.notify_all()
