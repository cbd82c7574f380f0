"""Functions called at intervals of the monotonic clock: setting the wall clock changes nothing."""

import logging
import threading
import time
from collections.abc import Callable

log = logging.getLogger(__name__)


class Timers:
    """One thread a function. One that fails is logged and called again; it stops no other."""

    def __init__(self) -> None:
        self._stopped = threading.Event()
        self._threads: list[threading.Thread] = []

    def every(
        self,
        seconds: float,
        call: Callable[[], object],
        *,
        after: float | None = None,
        pause: Callable[[], float | None] = lambda: None,
        name: str = "",
    ) -> None:
        """Calls a function at intervals once `start` was called; a call that is late happens once.

        Args:
            seconds: from the beginning of a call to the beginning of the next.
            call: the function.
            after: seconds until the first call; None: `seconds`.
            pause: asked after each call for the seconds until the next; None: as usual.
            name: for the log.
        """
        words = name or getattr(call, "__qualname__", repr(call))

        def repeat() -> None:
            due, fault = time.monotonic() + (seconds if after is None else after), ""
            while not self._stopped.wait(max(0.0, due - time.monotonic())):
                fault = _called(call, words, fault)
                now, soon = time.monotonic(), pause()
                due = max(due + seconds, now) if soon is None else now + soon

        self._threads.append(threading.Thread(target=repeat, name=words, daemon=True))

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Waits for the calls in progress."""
        self._stopped.set()
        for thread in self._threads:
            if thread.is_alive():
                thread.join()


def _called(call: Callable[[], object], name: str, before: str) -> str:
    """Calls a function; returns its fault. One that lasts is one line in the log, not one a second."""
    try:
        call()
    except Exception as error:
        fault = f"{type(error).__name__}: {error}"
        if fault != before:
            log.exception("%s failed", name)
        return fault
    return ""
