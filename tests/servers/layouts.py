"""Reservations as labs lay them out, and what Sheetrack understands of each.

The lab has the servers gpu1 to gpu4, and it is noon of Wednesday, 2026-11-25, in Berlin.
"""

from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

from backend.servers.reservation import Understood, summary
from backend.sheets.content import Value

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 25, 12, tzinfo=BERLIN)
SERVERS = ("gpu1", "gpu2", "gpu3", "gpu4")
WHICH_GPUS = "which GPUs is not clear, so the whole server is reserved; write them like 'GPU 2' or '0-3'"


@dataclass(frozen=True)
class Layout:
    name: str
    rows: list[list[Value]]
    reserved: list[str]
    """Server, person, `MM-DD HH:MM` of start and end, GPUs."""
    told: str
    locale: str = ""
    """Of a spreadsheet; layouts with one are not tried as CSV, which has none."""
    merges: list[str] = field(default_factory=list)
    """Such as `A2:A4`; a CSV file knows none of them, and so is not tried either."""
    remark: str = ""
    servers: tuple[str, ...] = SERVERS


def shown(found: Understood) -> list[str]:
    lines = []
    for one in found.reservations:
        times = [f"{at:%m-%d %H:%M}" if at else "…" for at in (one.start, one.end)]
        gpus = "" if one.gpus is None else f" GPU {','.join(map(str, one.gpus))}"
        lines.append(f"{one.server} {one.person} {times[0]} - {times[1]}{gpus}")
    return lines


def told(found: Understood) -> str:
    return summary(found)


WEEK = "11-24 00:00 - 11-28 00:00"
TODAY = "11-25 00:00 - 11-26 00:00"
OF_THIS_WEEK = "The days of the week are read as those of the current week"
NO_PEOPLE = "has no column of people, and so reserves nothing"
