"""The Usage tab. Pure."""

from collections.abc import Mapping
from datetime import datetime

from backend.sheets.table import Column, Section, Table
from backend.tabs.names import USAGE, Rank


def usage_table(weeks: Mapping[datetime, Mapping[str, float]]) -> Table:
    """GPU-hours of each person by the week's Monday, the newest first; people are columns, the most first."""
    hours: dict[str, float] = {}
    for week in weeks.values():
        for person, value in week.items():
            hours[person] = hours.get(person, 0) + value
    people = sorted(hours, key=lambda person: (-hours[person], person))
    columns = (
        Column(title="Week of", width=12),
        Column(title="Together", format="integer", width=9),
        *(Column(title=person, format="integer", width=max(9, len(person)), heat=True) for person in people),
    )
    rows = tuple(
        (f"{monday:%Y-%m-%d}", sum(week.values()), *(week.get(person) for person in people))
        for monday, week in weeks.items()
    )
    section = Section(
        title="GPU-hours",
        note="A GPU counts for each person with a process on it, working or not; people on one GPU share it. "
        "Weeks begin on Monday, UTC.",
        columns=columns,
        rows=rows,
        heat="good",
        empty="No use of a GPU yet.",
    )
    return Table(name=USAGE, rank=Rank.USAGE, sections=(section,))
