from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from backend.sheets.dates import Value, moment_of

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        (46085, (2026, 3, 4)),
        (46085.75, (2026, 3, 4, 18)),
        (46085 + 10 / 24, (2026, 3, 4, 10)),
        (46085.9999999, (2026, 3, 4, 23, 59, 59)),
        ("46085", (2026, 3, 4)),
        ("46085.75", (2026, 3, 4, 18)),
        (20261203, (2026, 12, 3)),
        (20261203.0, (2026, 12, 3)),
        ("20261203", (2026, 12, 3)),
        (2958465, (9999, 12, 31)),
        ("9999-12-31", (9999, 12, 31)),
        ("2999-12-31 18:00", (2999, 12, 31, 18)),
        (401768, (2999, 12, 31)),
        ("1.1.3000", (3000, 1, 1)),
        ("31.12.9999", (9999, 12, 31)),
        ("2026-03-04", (2026, 3, 4)),
        ("2026-3-4", (2026, 3, 4)),
        ("  2024-11-22 \u00a0", (2024, 11, 22)),
        ("2026-03-04 18:00", (2026, 3, 4, 18)),
        ("2026-03-04T18:00:30", (2026, 3, 4, 18, 0, 30)),
        ("04.03.2026", (2026, 3, 4)),
        ("4.3.26", (2026, 3, 4)),
        ("22.11.2024 18:00", (2024, 11, 22, 18)),
        ("22.11.2024, 8:05", (2024, 11, 22, 8, 5)),
        ("2026/03/04", (2026, 3, 4)),
        ("2026/3/4 7:30 pm", (2026, 3, 4, 19, 30)),
        ("11/22/2024", (2024, 11, 22)),
        ("22/11/2024", (2024, 11, 22)),
        ("22-11-2024", (2024, 11, 22)),
        ("3/3/2026", (2026, 3, 3)),
        ("11/22/2024 12:15 AM", (2024, 11, 22, 0, 15)),
        ("11/22/2024 12:15 p.m.", (2024, 11, 22, 12, 15)),
        ("4 Mar 2026", (2026, 3, 4)),
        ("4 march 2026 at 9:00", (2026, 3, 4, 9)),
        ("March 4, 2026", (2026, 3, 4)),
        ("4-Mar-2026 18:00", (2026, 3, 4, 18)),
        ("2026.03.04", (2026, 3, 4)),
        ("Mar 4, 2026 09:00:01", (2026, 3, 4, 9, 0, 1)),
    ],
)
def test_a_date(cell: Value, expected: tuple[int, ...]) -> None:
    moment = moment_of(cell, BERLIN)
    assert moment.tzinfo is BERLIN
    assert moment.timetuple()[:6] == (*expected, 0, 0, 0)[:6]


def test_a_zone_that_is_typed_holds() -> None:
    assert moment_of("2026-03-04T18:00Z", BERLIN) == datetime(2026, 3, 4, 18, tzinfo=UTC)
    east = timezone(timedelta(hours=14))
    assert moment_of("9999-12-31T00:00+14:00", BERLIN) == datetime(9999, 12, 31, tzinfo=east)


@pytest.mark.parametrize(
    "cell",
    [
        -700000, -1, 0, 0.75, 12, 2026, 20261332, 2026120, 2026.5, 2958464, 2958466, 10**7, 491701234567, 1764000000,
        1e300, -1e300, float("inf"), float("nan"), 10**400, True, False, None,
        "", "soon", "?", "-", "for ever", "tomorrow", "18:00", "-700000", "+49 170 1234567", "0170/1234567", "1e5",
        "0001-01-01", "0001-01-01T00:00:00+14:00", "9998-12-30", "2926-12-03", "1926-12-03", "1.1.0001",
        "2026-02-30", "31.02.2026", "13/13/2026", "2026-03-04 25:00", "4.3.2026 13:00 pm", "4.3.2026 0:00 am",
        "22.11.2024 18:00 maybe", "2026-03", "11/22/24", "²⁰²⁶", "9" * 10_000,
    ],
)  # fmt: skip
def test_what_is_no_date(cell: Value) -> None:
    with pytest.raises(ValueError, match=r"^no date in '.*'$") as refused:
        moment_of(cell, BERLIN)
    assert len(str(refused.value)) <= 60


@pytest.mark.parametrize("cell", ["3/4/2026", "03-04-2026 18:00", "12/11/2026"])
def test_a_date_with_two_meanings_has_none(cell: str) -> None:
    with pytest.raises(ValueError, match="has two meanings"):
        moment_of(cell, BERLIN)


def test_what_is_no_date_is_quoted_as_text() -> None:
    with pytest.raises(ValueError, match=r"^no date in '�\[31msoon�'$"):
        moment_of("\x1b[31msoon\u202e", BERLIN)
