"""The Weekly report tab, and the same in one sentence. Pure."""

from collections.abc import Mapping, Sequence
from statistics import median

from backend.servers.week import GpuUse, Week
from backend.sheets.table import Column, Section, Table
from backend.tabs.names import REPORT, Rank
from backend.times import duration


def report_table(weeks: Sequence[Week], waits: Mapping[str, Sequence[float]]) -> Table:
    """`weeks`, the newest first; `waits` are the seconds for which jobs of each week waited, by its Monday."""
    newest = weeks[0] if weeks else None
    books = any(week.reserved for week in weeks)
    sections = [_weeks(weeks, waits, books=books)]
    if newest:
        title = f"the week of {newest.since:%Y-%m-%d}"
        sections += [
            _uses(f"Servers in {title}", "Server", newest.servers, books=books),
            _uses(f"People in {title}", "Person", newest.people, books=books),
        ]
    return Table(name=REPORT, rank=Rank.REPORT, sections=tuple(sections))


def _weeks(weeks: Sequence[Week], waits: Mapping[str, Sequence[float]], *, books: bool) -> Section:
    """`books`: whether the lab reserves GPUs at all."""
    columns = (
        Column(title="Week of", width=12),
        Column(title="GPU-hours", format="integer", width=11),
        Column(title="Used", format="percent", width=8),
        Column(title="Held idle", format="integer", width=11),
        *([Column(title="Reserved", format="percent", width=10)] if books else ()),
        Column(title="No GPU free", format="percent", width=13),
        Column(title="Jobs started", format="integer", width=12),
        Column(title="Median wait", format="seconds", width=13),
        Column(title="Longest wait", format="seconds", width=13),
    )
    rows = []
    for week in weeks:
        some = waits.get(f"{week.since:%Y-%m-%d}", ())
        rows.append(
            (
                f"{week.since:%Y-%m-%d}",
                week.known,
                week.used / week.known if week.known else None,
                week.held_idle,
                *([week.reserved / week.known if week.known else None] if books else ()),
                week.none_free,
                len(some),
                median(some) if some else None,
                max(some, default=None),
            )
        )
    reserved = " Time that several people reserved is shared equally." if books else ""
    return Section(
        title="Do we need more GPUs?",
        note="GPU-hours are those in which a server was read. A GPU is used while a process that computes is on "
        "it, and held idle while that does nothing. No GPU free: the share of the time in which no server had "
        f"one.{reserved} Weeks begin on Monday, UTC.",
        columns=columns,
        rows=tuple(rows),
        empty="No GPU has been read for an hour yet.",
    )


def _uses(title: str, name: str, uses: Sequence[GpuUse], *, books: bool) -> Section:
    of_servers = name == "Server"
    columns = (
        Column(title=name, width=16),
        Column(title="Used", format="decimal", width=11),
        Column(title="Held idle", format="decimal", width=11),
        *([Column(title="Reserved", format="decimal", width=11)] if books else ()),
        *(
            (
                Column(title="GPU-hours", format="decimal", width=11),
                Column(title="No GPU free", format="percent", width=13),
            )
            if of_servers
            else ()
        ),
    )
    rows = tuple(
        (
            use.name,
            round(use.used, 1),
            round(use.held_idle, 1),
            *([round(use.reserved, 1)] if books else ()),
            *((round(use.known or 0, 1), use.none_free) if of_servers else ()),
        )
        for use in uses
    )
    return Section(title=title, columns=columns, rows=rows, empty="No use of a GPU yet.")


def report_text(week: Week, waits: Sequence[float]) -> str:
    """The week in some sentences, for a notification; empty where nothing is known of it."""
    if not week.known:
        return ""
    used = f"{week.used:.0f} of {week.known:.0f} GPU-hours used ({week.used / week.known:.0%})".replace(
        "%", " %"
    )
    free = "" if week.none_free is None else f" No GPU was free in {100 * week.none_free:.0f} % of the time."
    most = ", ".join(f"{use.name} {use.used:.0f} h" for use in week.people[:3])
    wait = f" {len(waits)} jobs started, half of them within {duration(median(waits))}." if waits else ""
    by = f" Most used by {most}." if most else ""
    reserved = f" {week.reserved:.0f} were reserved." if week.reserved else ""
    held = f"{week.held_idle:.0f} of these held idle."
    return f"Week of {week.since:%Y-%m-%d}: {used}, {held}{reserved}{free}{wait}{by}"
