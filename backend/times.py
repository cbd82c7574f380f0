"""Moments and durations, as they are stored and as people read them."""

import math
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

_FOLLOWED_SECONDS = 2.0
"""A deviation up to this is drift, or a clock that is being adjusted."""
_TRUSTED_SECONDS = 60.0
"""A larger deviation that lasts so long is right: the clock was set."""


def _steady_seconds() -> float:
    """Seconds since some moment, also those in which the machine slept, whatever is done to the wall clock."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


class Clock:
    """The wall clock without its errors of less than a minute. Safe to use from several threads.

    Readings, periods and pauses are compared by their times. A clock that is wrong for five seconds would
    leave some of them in the future, where they hide what follows until the future is there.
    """

    def __init__(
        self, wall: Callable[[], float] = time.time, steady: Callable[[], float] = _steady_seconds
    ) -> None:
        self._wall_seconds, self._steady_seconds = wall, steady
        self._lock = threading.Lock()
        self._last = (wall(), steady())
        """A time, and when it was by the steady clock."""
        self._deviating: tuple[float, float] | None = None
        """By how much the wall clock deviates, and since when by the steady clock."""

    def seconds(self) -> float:
        """Seconds since 1970."""
        with self._lock:
            wall, steady = self._wall_seconds(), self._steady_seconds()
            expected = self._last[0] + steady - self._last[1]
            deviation = wall - expected
            if abs(deviation) <= _FOLLOWED_SECONDS or self._is_trusted(deviation, steady):
                self._last, self._deviating = (wall, steady), None
                return wall
            return expected

    def _is_trusted(self, deviation: float, steady: float) -> bool:
        if self._deviating is None or abs(deviation - self._deviating[0]) > _FOLLOWED_SECONDS:
            self._deviating = (deviation, steady)
        return steady - self._deviating[1] >= _TRUSTED_SECONDS


_CLOCK = Clock()


def now() -> datetime:
    """The present in UTC, to the millisecond."""
    moment = datetime.fromtimestamp(_CLOCK.seconds(), UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def iso(moment: datetime) -> str:
    """`2026-11-22T20:08:23Z`: how times are written everywhere outside the sheet."""
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


HOUR = timedelta(hours=1)


_START = datetime(1970, 1, 1, tzinfo=UTC)


def floor(moment: datetime, step: timedelta) -> datetime:
    """The last whole step since 1970-01-01 UTC."""
    return moment - (moment - _START) % step


def clock(moment: datetime, at: datetime) -> str:
    """`14:02`, with the day where that was not today."""
    local = moment.astimezone(at.tzinfo)
    return f"{local:%H:%M}" if local.date() == at.date() else f"{local.day} {local:%b %H:%M}"


def duration(span: timedelta | float, *, exact: bool = False) -> str:
    """In one unit: `80 s`, `2 min`, `5 h`, `3 days`; exact, in two: `8.4 s`, `12 min 04 s`, `3 h 05 min`.

    `span` may be in seconds. The page and the add-on write durations in the same way.
    """
    seconds = max(0.0, span.total_seconds() if isinstance(span, timedelta) else span)
    if exact:
        return _exact(seconds)
    for limit, unit, name in ((90, 1, "s"), (90 * 60, 60, "min"), (36 * 3600, 3600, "h")):
        if seconds < limit:
            return f"{_rounded(seconds / unit)} {name}"
    return f"{_rounded(seconds / 86400)} days"


def _exact(seconds: float) -> str:
    whole = _rounded(seconds)
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"


def _rounded(value: float) -> int:
    """Halves go up, as in JavaScript."""
    return math.floor(value + 0.5)
