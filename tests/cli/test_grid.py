"""Cells in columns on a terminal."""

from backend.cli.grid import FIXED, Columns, Shown, wrapped


def drawn(width: int, *rows: tuple[str, ...], notes: tuple[str, ...] = ()) -> tuple[list[str], int]:
    """`rows` in that width, the first one as the header; the first cell of each row has the note of its place."""
    noted = {place: note for place, note in enumerate(notes, start=1) if note}
    cells = [
        [Shown(text, note=noted.get(place, "") if not at else "") for at, text in enumerate(row)]
        for place, row in enumerate(rows)
    ]
    numbers = [title.startswith("Free") for title in rows[0]]
    lines, count = Columns(cells[0], numbers, cells[1:]).drawn(width)
    return [line.replace("\x1b[2m", "").replace("\x1b[0m", "") for line in lines], count


def test_rows_have_a_line_each_where_they_fit() -> None:
    rows = (("Server", "Free memory"), ("gpu1", "2.5 GiB"), ("gpu22", "104.1 GiB"))
    assert drawn(19, *rows) == (["Server  Free memory", "gpu1        2.5 GiB", "gpu22     104.1 GiB"], 2)


def test_titles_stand_at_the_bottom_and_cells_at_the_top() -> None:
    number = f"104.1{FIXED}GiB"
    rows = (("Server", "Free memory", "Users"), ("gpu1", number, "kim, lee"))
    assert drawn(25, *rows)[0] == [
        "             Free",
        "Server     memory  Users",
        "gpu1    104.1 GiB  kim,",
        "                   lee",
    ]


def test_a_column_without_room_is_left_out_and_its_note_too() -> None:
    rows = (("Server", "Users"), ("gpu1", "kim"))
    assert drawn(12, *rows) == (["Server", "gpu1"], 1)
    assert drawn(13, *rows) == (["Server  Users", "gpu1    kim"], 2)


def test_what_a_column_cannot_use_goes_to_one_that_it_makes_fit() -> None:
    rows = (("A", "B"), ("wwww wwww wwww", "wwwwwwww wwwwwwww"))
    # Half of what is left brings the first cell to two lines and the second one nowhere.
    assert drawn(24, *rows)[0][1:] == ["wwww wwww wwww  wwwwwwww", "                wwwwwwww"]
    assert drawn(23, *rows)[0][1:] == ["wwww wwww  wwwwwwww", "wwww       wwwwwwww"]


def test_only_long_notes_leave_their_cells() -> None:
    reason = "agent not answering since 11:48, 3 tries"
    rows = (("State", "Users"), ("down", "kim"), ("busy", "lee"))
    assert drawn(60, *rows, notes=(reason, "short"))[0] == [
        "State                                          Users",
        f"down {reason}  kim",
        "busy short                                     lee",
    ]
    assert drawn(40, *rows, notes=(reason, "short"))[0] == [
        "State  Users",
        "down   kim",
        "  agent not answering since 11:48, 3",
        "  tries",
        "busy   lee",
        "  short",
    ]


def test_a_long_line_is_broken_between_words() -> None:
    assert wrapped("one two three", 8) == ["one two", "three"]
    assert wrapped("計算 機一 号", 9) == ["計算 機一", "号"]
    assert wrapped("a/path/that/is/longer than", 8) == ["a/path/that/is/longer", "than"]
    assert wrapped("  indented", 80) == ["  indented"]


def test_a_number_keeps_its_unit() -> None:
    assert wrapped("CPU pressure 67 %, 20 GiB free for 24 min", 15) == [
        "CPU pressure",
        "67 %, 20 GiB",
        "free for 24 min",
    ]
