"""The last hour in sixty numbers."""

from collections import deque
from collections.abc import Sequence
from datetime import datetime, timedelta

_MINUTES = 60


class LastHour:
    """Means over whole minutes. Values are added in the order of time."""

    def __init__(self) -> None:
        self._minutes: deque[tuple[int, float, int]] = deque(maxlen=_MINUTES)  # which, sum, count

    @property
    def minutes(self) -> list[tuple[int, float, int]]:
        """All that is known, for `restore`."""
        return list(self._minutes)

    def restore(self, minutes: Sequence[tuple[int, float, int]]) -> None:
        """Goes on from what another one knew."""
        self._minutes = deque(minutes, maxlen=_MINUTES)

    def add(self, at: datetime, value: float | None) -> None:
        if value is None:
            return
        minute, (last, total, count) = _minute(at), self._minutes[-1] if self._minutes else (0, 0.0, 0)
        if minute == last:
            self._minutes[-1] = (minute, total + value, count + 1)
        else:
            self._minutes.append((minute, value, 1))

    def values(self, at: datetime) -> tuple[float | None, ...]:
        """One value a minute, oldest first, None without a reading; empty without any reading."""
        means = {minute: round(total / count, 1) for minute, total, count in self._minutes}
        now = _minute(at)
        values = tuple(means.get(minute) for minute in range(now - _MINUTES + 1, now + 1))
        return values if any(value is not None for value in values) else ()


def _minute(at: datetime) -> int:
    return int(at.timestamp() / timedelta(minutes=1).total_seconds())
