"""What the GPUs of a week were used for, from what is stored. Pure."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from pydantic import AwareDatetime, BaseModel, ConfigDict

from backend.servers.gpu_means import GpuHour
from backend.servers.logins import is_login_of

WEEK = timedelta(days=7)


class GpuUse(BaseModel):
    """GPU-hours of a person or on a server."""

    model_config = ConfigDict(frozen=True)

    name: str
    used: float
    held_idle: float
    """Of `used`, the time in which nothing ran."""
    reserved: float = 0
    known: float | None = None
    """GPU-hours in which the server was read; None: of a person."""
    none_free: float | None = None
    """The share of that time in which none of its GPUs was free."""


class Week(BaseModel):
    """The GPUs of all servers in one week."""

    model_config = ConfigDict(frozen=True)

    since: AwareDatetime
    people: tuple[GpuUse, ...]
    servers: tuple[GpuUse, ...]
    none_free: float | None
    """The share of the minutes in which no GPU of any server was free; None: no minute is known."""

    @property
    def used(self) -> float:
        return sum(server.used for server in self.servers)

    @property
    def held_idle(self) -> float:
        return sum(server.held_idle for server in self.servers)

    @property
    def reserved(self) -> float:
        return sum(server.reserved for server in self.servers)

    @property
    def known(self) -> float:
        return sum(server.known or 0 for server in self.servers)


def week_of(
    since: datetime,
    uses: Iterable[tuple[str, str, float, float]],
    reserved: Iterable[tuple[str, str, float]],
    hours: Mapping[tuple[datetime, str], GpuHour],
) -> Week:
    """The week that begins at `since`.

    Args:
        since: midnight of its Monday, UTC.
        uses: server, login, seconds of use and, of these, idle seconds.
        reserved: server, the person's name in the tab, reserved seconds. Where the name is that of one login,
            they are its.
        hours: by hour and server.
    """
    people: dict[str, list[float]] = {}
    servers: dict[str, list[float]] = {server: [0, 0, 0] for _, server in hours}

    def add(server: str, person: str, *seconds: float) -> None:
        for sums in (people.setdefault(person, [0, 0, 0]), servers.setdefault(server, [0, 0, 0])):
            for place, value in enumerate(seconds):
                sums[place] += value / 3600

    for server, login, seconds, idle in uses:
        add(server, login, seconds, idle)
    logins = list(people)
    for server, person, seconds in reserved:
        theirs = [login for login in logins if is_login_of(login, person)]
        add(server, theirs[0] if len(theirs) == 1 else person, 0, 0, seconds)
    return Week(
        since=since,
        people=_sorted(
            GpuUse(name=name, used=used, held_idle=idle, reserved=booked)
            for name, (used, idle, booked) in people.items()
        ),
        servers=_sorted(
            GpuUse(
                name=name,
                used=used,
                held_idle=idle,
                reserved=booked,
                known=sum(
                    hour.gpus * hour.known_minutes.bit_count() / 60
                    for (_, s), hour in hours.items()
                    if s == name
                ),
                none_free=share_without_free({key: hour for key, hour in hours.items() if key[1] == name}),
            )
            for name, (used, idle, booked) in servers.items()
        ),
        none_free=share_without_free(hours),
    )


def _sorted(uses: Iterable[GpuUse]) -> tuple[GpuUse, ...]:
    return tuple(sorted(uses, key=lambda use: (-use.used, -use.reserved, use.name)))


def share_without_free(hours: Mapping[tuple[datetime, str], GpuHour]) -> float | None:
    """The share of the known minutes in which none of the servers had a free GPU."""
    known: dict[datetime, int] = {}
    free: dict[datetime, int] = {}
    for (at, _), hour in hours.items():
        known[at] = known.get(at, 0) | hour.known_minutes
        free[at] = free.get(at, 0) | hour.free_minutes
    minutes = sum(bits.bit_count() for bits in known.values())
    return 1 - sum(bits.bit_count() for bits in free.values()) / minutes if minutes else None
