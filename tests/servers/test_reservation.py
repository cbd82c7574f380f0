"""What is told of a tab of reservations."""

from datetime import UTC, datetime

from backend.servers.reservation import Note, Reservation, Understood, summary


def test_a_reservation_holds_from_its_start_and_not_at_its_end() -> None:
    start, end = datetime(2026, 3, 4, 9, tzinfo=UTC), datetime(2026, 3, 4, 12, tzinfo=UTC)
    one = Reservation("gpu1", "Kim", start, end)
    assert [one.covers(at) for at in (start, end)] == [True, False]
    assert Reservation("gpu1", "Kim").covers(start)


def test_rows_are_told_by_their_reasons() -> None:
    next_week = [Note(row, "no date in 'next week'") for row in (4, 7, 9)]
    assert summary(Understood(count=14, problems=next_week)) == (
        "14 understood, rows 4, 7, 9 not: no date in 'next week'"
    )
    assert summary(Understood(count=1)) == "1 understood"
    doubt = Note(3, "it may mean two days")
    assert summary(Understood(count=1, problems=[Note(2, "no date")], doubts=[doubt, doubt])) == (
        "1 understood, row 2 not: no date; row 3 doubtful: it may mean two days"
    )


def test_no_row_is_left_out_where_there_are_many_reasons() -> None:
    many = [Note(row, f"no date in '{row}'") for row in range(2, 10)]
    told = summary(Understood(problems=many), most=2)
    assert told == (
        "0 understood, row 2 not: no date in '2'; row 3 not: no date in '3'; "
        "rows 4, 5, 6, 7, 8, 9 not, for other reasons"
    )
    assert summary(Understood(problems=many), most=50).count(" not: ") == 8
