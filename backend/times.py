"""Moments and durations, as they are stored and as people read them."""

from datetime import UTC, datetime, timedelta


def now() -> datetime:
    """The present in UTC, to the millisecond."""
    moment = datetime.now(UTC)
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


def duration(span: timedelta) -> str:
    """In one unit: `80 s`, `2 min`, `5 h`, `3 days`."""
    seconds = max(0.0, span.total_seconds())
    for limit, unit, name in ((90, 1, "s"), (90 * 60, 60, "min"), (36 * 3600, 3600, "h")):
        if seconds < limit:
            return f"{seconds / unit:.0f} {name}"
    return f"{seconds / 86400:.0f} days"
