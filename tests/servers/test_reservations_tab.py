from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from backend.errors import NotFoundError
from backend.servers.reservations_tab import Reservation, Understood, reservations
from backend.settings import ReservationSettings
from backend.sheets.dates import Value

BERLIN = ZoneInfo("Europe/Berlin")
HEADER: list[Value] = ["Server", "User", "From", "Until"]
NOON = datetime(2026, 3, 4, 12, tzinfo=BERLIN)


def understood(*rows: list[Value], **settings: str) -> Understood:
    return reservations(rows, ReservationSettings(tab="Reservations", **settings), BERLIN)


def read(*rows: list[Value], **settings: str) -> list[Reservation]:
    found = understood(*rows, **settings)
    assert found.problems == []
    return found.reservations


def test_columns_are_guessed_by_their_headers() -> None:
    [only] = read(
        ["Who has what"],
        [],
        ["Purpose", "Machine", "Reserved by", "From", "Until"],
        ["x", " gpu1 ", "Kim", None, None],
    )
    assert only == Reservation("gpu1", "Kim")


@pytest.mark.parametrize(
    "header",
    [
        ["Name", "Server", "User"],
        ["User", "Server", "Name"],
        ["Host", "Server", "Person"],
        ["Owner", "Server", "Who"],
        ["Used by", "Hostname", "Name"],
        ["Kim's", "Name", "Who"],
    ],
)
def test_headers_have_priorities_and_columns_do_not(header: list[Value]) -> None:
    server_at = 1
    row: list[Value] = ["a", "b", "c"]
    [only] = read(header, row)
    assert only.server == row[server_at]
    wanted = {"Used by": "a"}.get(str(header[0]), "a" if header[0] == "User" else "c")
    assert only.person == wanted


def test_a_name_is_a_person_where_another_column_names_the_server() -> None:
    assert read(["Server", "Name"], ["gpu1", "Kim"]) == [Reservation("gpu1", "Kim")]
    with pytest.raises(NotFoundError, match="does not say who"):
        read(["Name", "Purpose"], ["gpu1", "x"])


def test_columns_can_be_named() -> None:
    header: list[Value] = ["Wer", "Kiste", "Ende"]
    named = {"server": "Kiste", "person": "Wer", "end": "Ende"}
    [only] = read(header, ["Kim", "gpu1", "2026-03-04"], **named)
    assert (only.server, only.person) == ("gpu1", "Kim")
    with pytest.raises(NotFoundError, match="has no column 'Ende'"):
        read(["Wer", "Kiste"], **named)


def test_a_tab_without_people_is_said() -> None:
    with pytest.raises(NotFoundError, match="does not say who") as caught:
        read(["Server", "Purpose"])
    assert "reservations.person" in caught.value.hint


@pytest.mark.parametrize("date", [46085, "2026-03-04", "04.03.2026 "])
def test_a_day_belongs_to_the_reservation_that_ends_on_it(date: Value) -> None:
    [only] = read(HEADER, ["gpu1", "Kim", date, date])
    assert only.start == datetime(2026, 3, 4, tzinfo=BERLIN)
    assert only.covers(datetime(2026, 3, 4, 22, 30, tzinfo=UTC))
    assert not only.covers(datetime(2026, 3, 4, 23, 30, tzinfo=UTC))


def test_a_time_of_day_ends_at_that_time() -> None:
    [only] = read(HEADER, ["gpu1", "Kim", None, "2026-03-04 12:00"])
    assert only.end == NOON


@pytest.mark.parametrize("cell", [20261203, "11/22/2024", "22.11.2024 18:00", "2024-11-22 "])
def test_a_reservation_of_the_past_is_over(cell: Value) -> None:
    [only] = read(HEADER, ["gpu1", "Kim", None, cell])
    assert only.end
    assert not only.covers(only.end + timedelta(days=1))


@pytest.mark.parametrize(
    "cell", [-700000, 491701234567, "soon", "3/4/2026", True, float("inf"), 10**400, "0001-01-01T00:00+14:00"]
)
@pytest.mark.parametrize("column", [2, 3])
def test_a_row_that_is_not_understood_reserves_nothing_and_costs_no_other(cell: Value, column: int) -> None:
    wrong: list[Value] = ["gpu1", "Kim", None, None]
    wrong[column] = cell
    found = understood(["Our servers"], HEADER, ["gpu0", "Lee"], wrong, ["gpu2", "Max"])
    assert found.reservations == [Reservation("gpu0", "Lee"), Reservation("gpu2", "Max")]
    [problem] = found.problems
    assert problem.startswith("row 4: ")


def test_both_ends_of_time_are_compared_without_harm() -> None:
    [only] = read(HEADER, ["gpu1", "Kim", "1970-01-01T00:00+14:00", "9999-12-31T23:00-12:00"])
    moments = (datetime.min.replace(tzinfo=UTC), NOON, datetime.max.replace(tzinfo=UTC))
    assert [only.covers(moment) for moment in moments] == [False, True, True]
    [ever] = read(HEADER, ["gpu1", "Kim", None, 2958465])
    assert ever.covers(NOON)


def test_an_end_before_the_beginning_is_told() -> None:
    found = understood(HEADER, ["gpu1", "Kim", "2026-03-04", "2026-03-03"])
    assert found == ([], ["row 2: it ends before it begins"])


def test_rows_without_a_person_reserve_nothing() -> None:
    assert read(HEADER, ["gpu1", ""], [], ["gpu2"], ["", "Kim", "soon"], ["note", None, "soon"]) == []


def test_names_are_shown_as_text() -> None:
    [only] = read(HEADER, ["gpu1\x1b[2J", f"Kim\u202e{'x' * 1000}"])
    assert only.server == "gpu1�[2J"
    assert only.person.isprintable()
    assert len(only.person) == 100
