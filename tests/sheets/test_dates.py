"""Dates as people type them and as spreadsheets store them, and what is no date."""

from datetime import UTC, date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from backend.sheets.content import Value
from backend.sheets.dates import DateReader, next_midnight

BERLIN = ZoneInfo("Europe/Berlin")
TODAY = date(2026, 11, 25)


def reader(locale: str = "", *others: Value) -> DateReader:
    return DateReader(locale, BERLIN, TODAY, others)


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
        ("2026-03-04 24:00", (2026, 3, 5)),
        ("04.03.2026", (2026, 3, 4)),
        ("4. 3. 2026", (2026, 3, 4)),
        ("4.3.26", (2026, 3, 4)),
        ("22.11.2024 18:00", (2024, 11, 22, 18)),
        ("22.11.2024, 8:05", (2024, 11, 22, 8, 5)),
        ("22.11.2024 18 Uhr", (2024, 11, 22, 18)),
        ("18:00 22.11.2024", (2024, 11, 22, 18)),
        ("2026/03/04", (2026, 3, 4)),
        ("2026/3/4 7:30 pm", (2026, 3, 4, 19, 30)),
        ("11/22/2024", (2024, 11, 22)),
        ("22/11/2024", (2024, 11, 22)),
        ("22-11-2024", (2024, 11, 22)),
        ("3/3/2026", (2026, 3, 3)),
        ("11/22/24", (2024, 11, 22)),
        ("11/22/2024 12:15 AM", (2024, 11, 22, 0, 15)),
        ("11/22/2024 12:15 p.m.", (2024, 11, 22, 12, 15)),
        ("11/22/2024 6pm", (2024, 11, 22, 18)),
        ("4 Mar 2026", (2026, 3, 4)),
        ("4-Mar-26", (2026, 3, 4)),
        ("Sept 4 2026", (2026, 9, 4)),
        ("4 march 2026 at 9:00", (2026, 3, 4, 9)),
        ("March 4, 2026", (2026, 3, 4)),
        ("March 4th, 2026", (2026, 3, 4)),
        ("4th of March 2026", (2026, 3, 4)),
        ("4-Mar-2026 18:00", (2026, 3, 4, 18)),
        ("2026.03.04", (2026, 3, 4)),
        ("Mar 4, 2026 09:00:01", (2026, 3, 4, 9, 0, 1)),
        ("Wed 4 Mar 2026", (2026, 3, 4)),
        ("Wednesday, 2026-03-04", (2026, 3, 4)),
        ("2026-03-04 (Wed)", (2026, 3, 4)),
    ],
)
def test_a_date(cell: Value, expected: tuple[int, ...]) -> None:
    moment = reader().moment(cell)
    assert moment.doubt == ""
    assert moment.at.tzinfo is BERLIN
    assert moment.at.timetuple()[:6] == (*expected, 0, 0, 0)[:6]


@pytest.mark.parametrize(
    ("locale", "text", "month"),
    [
        ("de_DE", "4. März 2026", 3),
        ("de_DE", "4. Mrz. 2026", 3),
        ("de_AT", "4. Dezember 2026", 12),
        ("de_DE", "Mi, 04.03.2026", 3),
        ("de_DE", "Mittwoch, 4. März 2026", 3),
        ("fr_FR", "4 févr. 2026", 2),
        ("fr_FR", "4 août 2026 à 18h30", 8),
        ("fr_CA", "mercredi 4 mars 2026", 3),
        ("es_ES", "4 de marzo de 2026", 3),
        ("es_MX", "4 ene 2026", 1),
        ("it_IT", "4 marzo 2026", 3),
        ("pt_BR", "4 de março de 2026", 3),
        ("nl_NL", "4 maart 2026", 3),
        ("pl_PL", "4 marca 2026", 3),
        ("cs_CZ", "4. března 2026", 3),
        ("sv_SE", "4 maj 2026", 5),
        ("da_DK", "4. oktober 2026", 10),
        ("fi_FI", "4. maaliskuuta 2026", 3),
        ("hu_HU", "2026. március 4.", 3),
        ("tr_TR", "4 Mart 2026", 3),
        ("ru_RU", "4 марта 2026 г.", 3),
        ("uk_UA", "4 березня 2026", 3),
        ("el_GR", "4 Μαρτίου 2026", 3),
        ("ja_JP", "2026年3月4日", 3),
        ("zh_CN", "2026年3月4日", 3),
        ("ko_KR", "2026년 3월 4일", 3),
        ("ko_KR", "2026. 3. 4.", 3),
    ],
)
def test_month_names_of_many_languages(locale: str, text: str, month: int) -> None:
    for one in (reader(locale), reader(), reader("xx_YY")):  # a CSV file has no locale
        assert one.moment(text).at.date() == date(2026, month, 4)


@pytest.mark.parametrize(
    ("locale", "text", "expected"),
    [
        ("en_US", "3/4/2026", date(2026, 3, 4)),
        ("en_GB", "3/4/2026", date(2026, 4, 3)),
        ("de_DE", "3/4/2026", date(2026, 4, 3)),
        ("nl_NL", "03-04-2026", date(2026, 4, 3)),
        ("en_US", "3/4/26 18:00", date(2026, 3, 4)),
        ("ja_JP", "26/3/4", date(2026, 3, 4)),
    ],
)
def test_the_locale_decides_and_that_is_told(locale: str, text: str, expected: date) -> None:
    moment = reader(locale).moment(text)
    assert moment.at.date() == expected
    if locale != "ja_JP":
        assert moment.doubt.endswith(f"is read as {expected}, by the locale {locale}")
    assert reader(locale, "2026-12-01", text).moment(text).doubt == moment.doubt


def test_other_dates_decide_before_the_locale() -> None:
    for locale in ("", "en_US", "de_DE"):
        moment = reader(locale, "25/12/2026", "3/4/2026").moment("3/4/2026")
        assert (moment.at.date(), moment.doubt) == (date(2026, 4, 3), "")
        moment = reader(locale, "12/25/2026 18:00").moment("3/4/2026")
        assert (moment.at.date(), moment.doubt) == (date(2026, 3, 4), "")


def test_a_zone_that_is_typed_holds() -> None:
    assert reader().moment("2026-03-04T18:00Z").at == datetime(2026, 3, 4, 18, tzinfo=UTC)
    east = timezone(timedelta(hours=14))
    assert reader().moment("9999-12-31T00:00+14:00").at == datetime(9999, 12, 31, tzinfo=east)


@pytest.mark.parametrize(
    "cell",
    [
        -700000, -1, 0, 0.75, 12, 2026, 20261332, 2026120, 2026.5, 2958464, 2958466, 10**7, 491701234567, 1764000000,
        1e300, -1e300, float("inf"), float("nan"), 10**400, True, False, None,
        "", "soon", "?", "-", "for ever", "tomorrow", "next week", "18:00", "-700000", "+49 170 1234567",
        "0170/1234567", "1e5", "0001-01-01", "0001-01-01T00:00:00+14:00", "9998-12-30", "2926-12-03", "1926-12-03",
        "1.1.0001", "2026-02-30", "31.02.2026", "13/13/2026", "2026-03-04 25:00", "4.3.2026 13:00 pm",
        "4.3.2026 0:00 am", "22.11.2024 18:00 maybe", "2026-03", "²⁰²⁶", "9" * 10_000, "March", "May 2026", "Mon",
        "end of March", "Q1 2026", "2 weeks", "until I am done", "2026-W10", "week 10 2026", "gpu1", "10.0.0.1",
        "4-6 March 2026", "3 or 4 March 2026", "4 March 2026?", "ask Kim in May 2026", "2026-03-04 evening",
        "4 March 2026 ask kim", "3.2026", "00.03.2026", "29.2.2026", "1.1.1", "2026-03-04 or 05", "(" * 5000,
    ],
)  # fmt: skip
def test_what_is_no_date(cell: Value) -> None:
    for locale in ("", "en_US", "fr_FR"):
        with pytest.raises(ValueError, match=r"^no date in '.*'$") as refused:
            reader(locale).moment(cell)
        assert len(str(refused.value)) <= 60


@pytest.mark.parametrize("cell", ["3/4/2026", "03-04-2026 18:00", "12/11/2026", "26-12-31", "10/11/12"])
def test_a_date_with_two_meanings_has_none(cell: str) -> None:
    for one in (reader(), reader("en_US", "25/12/2026", "12/25/2026")):
        with pytest.raises(ValueError, match="has two meanings"):
            one.moment(cell)


@pytest.mark.parametrize("cell", ["4.3.", "3/4", "Mar 4", "4. März", "Wed 4 March"])
def test_a_date_without_a_year_is_none(cell: str) -> None:
    with pytest.raises(ValueError, match=r"^no year in '.*'$"):
        reader().moment(cell)


@pytest.mark.parametrize("cell", ["Tue 4 Mar 2026", "Montag, 04.03.2026", "2026-03-04 (Thu)"])
def test_a_day_of_the_week_that_does_not_fit_is_told(cell: str) -> None:
    with pytest.raises(ValueError, match="is another day of the week"):
        reader().moment(cell)


def test_what_is_no_date_is_quoted_as_text() -> None:
    with pytest.raises(ValueError, match=r"^no date in '�\[31msoon�'$"):
        reader().moment("\x1b[31msoon\u202e")


def test_a_day_ends_at_the_next_midnight() -> None:
    assert next_midnight(datetime(2026, 3, 28, 15, tzinfo=BERLIN)) == datetime(2026, 3, 29, tzinfo=BERLIN)
    assert next_midnight(datetime(9999, 12, 31, tzinfo=BERLIN)).hour == 23
    assert reader().moment("2026-03-04").end == datetime(2026, 3, 5, tzinfo=BERLIN)
    assert reader().moment("2026-03-04 18:00").end == datetime(2026, 3, 4, 18, tzinfo=BERLIN)
