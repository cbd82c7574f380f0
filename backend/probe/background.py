"""Readings that may hang, kept apart from those that do not."""

import logging
import threading
import time
from collections.abc import Callable
from typing import Generic, NamedTuple, TypeVar

Value = TypeVar("Value")

log = logging.getLogger(__name__)


class Latest(NamedTuple, Generic[Value]):
    value: Value | None
    """None before the first answer."""
    age_seconds: float
    """Since its reading began; before the first answer since the watch began."""


class BackgroundReader(Generic[Value]):
    """Calls `read` in a thread of its own and never waits for it longer than asked to.

    A call that hangs in the kernel cannot be ended. The thread then waits with it, whoever asks gets
    the value from before, and once the call returns everything goes on.
    """

    def __init__(
        self,
        name: str,
        read: Callable[[], Value],
        *,
        fresh_seconds: float,
        close: Callable[[], None] | None = None,
    ) -> None:
        self._name = name
        self._read = read
        self._close = close
        self._fresh_seconds = fresh_seconds
        self._changed = threading.Condition()
        self._value: Value | None = None
        self._value_at = time.monotonic()
        self._wanted = self._closing = self._waited_for = False
        self._count = 0
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def latest(self, wait_seconds: float) -> Latest[Value]:
        """A value at most `fresh_seconds` old if one can be had in `wait_seconds`, otherwise an older one.

        A read that kept somebody waiting for nothing is not waited for again.
        """
        with self._changed:
            age = time.monotonic() - self._value_at
            if self._value is None or age > self._fresh_seconds:
                count = self._count
                self._wanted = True
                self._changed.notify_all()
                if not self._waited_for:
                    self._waited_for = not self._changed.wait_for(
                        lambda: self._count > count, timeout=wait_seconds
                    )
            return Latest(self._value, time.monotonic() - self._value_at)

    def close(self) -> None:
        """Ends the thread; one that hangs is left behind and keeps no process from ending."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join(timeout=1)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._wanted or self._closing)
                if self._closing:
                    break
            began_at = time.monotonic()
            try:
                value = self._read()
            except Exception:
                log.exception("%s cannot be read", self._name)
                value = None
            with self._changed:
                self._count += 1
                self._wanted = self._waited_for = False
                if value is not None:
                    self._value, self._value_at = value, began_at
                self._changed.notify_all()
        if self._close:
            self._close()
