"""Reservations of a week grid: servers and days, and a person in each cell."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from backend.servers.reservation import Note, Reservation, Understood
from backend.servers.reservations_days import Day, day_of, first_monday, this_monday, weekday_run
from backend.servers.reservations_gpus import GpuColumn
from backend.servers.reservations_names import Names, Part, gpus_of, person_of
from backend.servers.reservations_table import GridBlock
from backend.sheets.content import TabContent
from backend.sheets.dates import DateReader
from backend.sheets.day_times import time_range_of
from backend.sheets.people import HEADER_ROWS
from backend.text import plain_text

_NO_NAMES = "The grid holds no name, and so reserves nothing; colours are not read."
_ONE_DAY = timedelta(days=1)
_WHOLE_DAY = (timedelta(), _ONE_DAY)
_CLOCK = r"\d{1,2}(?:[:.h]\d{2})?\s?(?:am|pm|h)?"
_TIMES = re.compile(
    rf"(.+?)[\s,(:]+({_CLOCK}\s*(?:-|–|to|bis)\s*{_CLOCK})\)?|({_CLOCK}\s*(?:-|–|to|bis)\s*{_CLOCK})[\s,:]+(.+)",
    re.IGNORECASE,
)
_GPUS = re.compile(r"(.+?)\s*[(:,]?\s*gpus?\s*[:#]?\s*(\d[\d\s,&-]*)\)?", re.IGNORECASE)

Entry = tuple[str, tuple[timedelta, timedelta], tuple[int, ...] | None]
"""A person, from when to when of a day, and the GPUs if not all."""


def read_grid(
    content: TabContent, block: GridBlock, names: Names, reader: DateReader, found: Understood
) -> None:
    """Adds the reservations of a grid to `found`, and what is not understood in it."""
    before = found.count, len(found.problems)
    if block.servers is None:
        _read_days_across(content, block, names, reader, found)
    else:
        _read_servers_across(content, block, reader, found)
    if (found.count, len(found.problems)) == before and _NO_NAMES not in found.remarks:
        found.remarks.append(_NO_NAMES)


def _read_days_across(
    content: TabContent, block: GridBlock, names: Names, reader: DateReader, found: Understood
) -> None:
    days = _days_across(content, block, reader, found)
    gpus = GpuColumn(content, block, block.gpus)
    parts: list[Part] = []
    for row in range(block.first, block.end):
        texts = content.texts(row)
        if not any(texts):
            parts = []
            continue
        if text := content.text(row, block.key):
            try:
                parts = names.parts(text)
            except ValueError as error:
                parts = []
                if any(content.text(row, place) for place in days):
                    found.problems.append(Note(row + 1, str(error)))
                continue
        try:
            chosen = gpus.of(row, parts, names)
        except ValueError as error:
            found.problems.append(Note(row + 1, str(error)))
            continue
        _add(content, row, found, block.time, [(place, day, chosen) for place, day in days.items()])
    found.doubts += gpus.doubts
    found.reservations[:] = _joined(found.reservations)


def _read_servers_across(
    content: TabContent, block: GridBlock, reader: DateReader, found: Understood
) -> None:
    servers = block.servers or {}
    texts = [content.text(row, block.key) for row in range(block.first, block.end)]
    run = weekday_run(texts, reader)
    monday = _monday(content, block, reader, found) if any(day is not None for day in run) else None
    day: Day | None = None
    for row in range(block.first, block.end):
        text = content.text(row, block.key)
        if not any(content.texts(row)):
            day = None
            continue
        if text:
            day = day_of(content.value(row, block.key), text, reader)
            since = run[row - block.first]
            if day is None and since is not None and monday:
                day = Day(_later(monday, since))
        if day is None:
            if any(_is_person(content.text(row, place)) for place in servers):
                found.problems.append(Note(row + 1, f"no date in {text[:40]!r}" if text else "no date"))
            continue
        if day.doubt:
            found.doubts.append(Note(row + 1, day.doubt))
        _add(content, row, found, block.time, [(place, day, parts) for place, parts in servers.items()])
    found.reservations[:] = _joined(found.reservations)


def _days_across(
    content: TabContent, block: GridBlock, reader: DateReader, found: Understood
) -> dict[int, Day]:
    """The day of each column, from its date or from its weekday and the week."""
    days: dict[int, Day] = {}
    rows = range(max(block.header - 1, 0), block.header + 1)
    undated = []
    for place in block.days:
        for row in reversed(rows):
            day = day_of(content.value(row, place), content.text(row, place), reader)
            if day:
                days[place] = day
                if day.doubt:
                    found.doubts.append(Note(row + 1, day.doubt))
                break
        else:
            undated.append(place)
    if undated:
        run = weekday_run([content.text(block.header, place) for place in undated], reader)
        if all(since is None for since in run) and block.header:
            run = weekday_run([content.text(block.header - 1, place) for place in undated], reader)
        monday = _monday(content, block, reader, found)
        for place, since in zip(undated, run, strict=True):
            if since is not None and monday:
                days[place] = Day(_later(monday, since))
    return dict(sorted(days.items()))


def _monday(content: TabContent, block: GridBlock, reader: DateReader, found: Understood) -> datetime | None:
    """The Monday of the week that stands above the days, else of this week; None: what stands there is not understood."""
    above = range(max(block.header - 3, 0), block.header + 1)
    titles = [text for row in reversed(above) for text in dict.fromkeys(content.texts(row)) if text]
    if monday := first_monday(titles, reader):
        return monday
    if title := next((text for text in titles if re.search(r"\b20\d\d\b", text)), ""):
        found.problems.append(Note(block.header + 1, f"no week in {plain_text(title, 40)!r}"))
        return None
    remark = "The days of the week are read as those of the current week, as no date stands above them."
    if remark not in found.remarks and block.header < HEADER_ROWS:
        found.remarks.append(remark)
    return this_monday(reader)


def _add(
    content: TabContent,
    row: int,
    found: Understood,
    time: int | None,
    cells: Sequence[tuple[int, Day, Sequence[Part]]],
) -> None:
    """Adds what the cells of a row reserve; a cell that is not understood is told and costs no other."""
    clocks = _WHOLE_DAY
    if text := content.text(row, time):
        given = time_range_of(text)
        if given is None:
            if any(_is_person(content.text(row, place)) for place, _, _ in cells):
                found.problems.append(Note(row + 1, f"no time from and to in {text[:40]!r}"))
            return
        clocks = given
    for place, day, parts in cells:
        text = content.text(row, place)
        if not text:
            continue
        try:
            entries = list(_entries(text, clocks))
            if entries and not parts:
                raise ValueError("no server's name")  # noqa: TRY301 - told like every other fault of the row
        except ValueError as error:
            found.problems.append(Note(row + 1, str(error)))
            continue
        found.count += bool(entries)
        for person, (begins, ends), gpus in entries:
            start, end = _clock(day.at, begins), _clock(day.at, ends)
            for part in parts:
                chosen = part.gpus if gpus is None else gpus
                found.reservations.append(Reservation(part.server, person, start, end, chosen))


def _entries(text: str, clocks: tuple[timedelta, timedelta]) -> Iterator[Entry]:
    pieces = [piece.strip() for piece in re.split(r"[\n;]|,(?=\s*[^\W\d])", text) if piece.strip()]
    if len(pieces) < 2 or not all(_TIMES.fullmatch(piece) or _GPUS.fullmatch(piece) for piece in pieces):
        pieces = [" ".join(text.split())]
    for piece in pieces:
        rest, gpus = piece, None
        if match := _GPUS.fullmatch(rest):
            rest, gpus = match[1], gpus_of(match[2])
        times = clocks
        if match := _TIMES.fullmatch(rest):
            given = time_range_of(match[2] or match[3])
            if given:
                rest, times = match[1] or match[4], given
                if times[1] <= times[0]:
                    raise ValueError(f"{piece!r} ends before it begins")
        if person := person_of(rest):
            yield person, times, gpus


def _is_person(text: str) -> bool:
    try:
        return bool(text) and person_of(text) is not None
    except ValueError:
        return True


def _later(day: datetime, days: int) -> datetime:
    return _clock(day, timedelta(days=days))


def _clock(day: datetime, since: timedelta) -> datetime:
    """`since` after the midnight of `day`, by the clock on the wall."""
    return (day.replace(tzinfo=None) + since).replace(tzinfo=day.tzinfo)


def _joined(reservations: Sequence[Reservation]) -> list[Reservation]:
    """Days that follow each other for the same person become one reservation."""
    found: list[Reservation] = []
    last: dict[tuple[str, str, tuple[int, ...] | None], int] = {}
    for one in sorted(reservations, key=lambda one: (one.server, one.start is not None, str(one.start))):
        key = one.server, one.person, one.gpus
        at = last.get(key)
        if at is not None and found[at].end == one.start and one.start is not None:
            found[at] = replace(found[at], end=one.end)
        else:
            last[key] = len(found)
            found.append(one)
    return found
