"""What the commands print: text from outside cannot do anything to a terminal."""

import io
import json
import unicodedata

import pytest
from rich.console import Console

from backend.cli.show import _grid, _wrapped, formatted, say, show_json, show_table
from backend.sheets.table import Column, Section, Table, Text
from backend.tabs.jobs import jobs_table
from backend.tabs.servers import servers_table
from tests import examples

HOSTILE = "gpu1\x1b[2J\x1b]0;owned\x07\x9b31m\r\n\u202egnp"
SHOWN = r"gpu1\x1b[2J\x1b]0;owned\x07\x9b31m\r\n\u202egnp"


def columns_of(line: str) -> int:
    """How many columns of a terminal a line takes."""
    return sum(
        2 if unicodedata.east_asian_width(character) in "WF" else 0 if unicodedata.combining(character) else 1
        for character in line
    )


def printed(capsys: pytest.CaptureFixture[str]) -> str:
    text = capsys.readouterr().out
    assert all(character.isprintable() or character == "\n" for character in text)
    return text


def test_no_text_of_a_table_reaches_the_terminal_unseen(capsys: pytest.CaptureFixture[str]) -> None:
    cells = (HOSTILE, Text(text=HOSTILE, note=HOSTILE, tone="busy"))
    columns = (Column(title=HOSTILE, width=80), Column(title="B", width=80))
    whole = Section(title=HOSTILE, note=HOSTILE, columns=columns, rows=(cells,))
    show_table(Table(name="Tab", rank=0, sections=(whole, Section(columns=columns, empty=HOSTILE))))
    text = printed(capsys)
    assert text.count(SHOWN) == 7
    assert f"● {SHOWN} {SHOWN}" in text


def test_the_name_of_a_server_and_of_a_user_is_shown_as_text(capsys: pytest.CaptureFixture[str]) -> None:
    status = examples.busy_server()
    verdict = status.verdict.model_copy(update={"reason": HOSTILE})
    show_table(servers_table([status.model_copy(update={"name": HOSTILE, "verdict": verdict})]))
    assert printed(capsys).count(SHOWN) == 2


def test_wide_characters_do_not_break_columns(capsys: pytest.CaptureFixture[str]) -> None:
    names = ("gpu", "計算機一号", "ﾊﾝｶｸ", "e\u0301te\u0301", "🙂🙂", "한국어")
    rows = tuple((name, "next") for name in names)
    section = Section(columns=(Column(title="Server"), Column(title="Then")), rows=rows)
    show_table(Table(name="Tab", rank=0, sections=(section,)))
    lines = printed(capsys).splitlines()
    starts = {
        columns_of(line[: line.index(word)])
        for line, word in zip(lines, ["Then"] + 6 * ["next"], strict=True)
    }
    assert len(starts) == 1


def test_data_for_programs_is_the_same_and_can_be_looked_at(capsys: pytest.CaptureFixture[str]) -> None:
    content = {"name": f"{HOSTILE}\x7f\U000e0041", "user": "Müller 李 🙂"}
    show_json(content)
    text = printed(capsys)
    assert json.loads(text) == content
    assert "Müller 李 🙂" in text


def test_sentences_keep_their_lines(capsys: pytest.CaptureFixture[str]) -> None:
    say("one\x1b[1m\ntwo")
    assert printed(capsys) == "one\\x1b[1m\ntwo\n"


def test_a_duration_of_any_length_is_shown() -> None:
    assert formatted(754, "seconds") == "12 min 34 s"
    assert formatted(1e15, "seconds") == "277777777777 h 46 min"


@pytest.mark.parametrize("width", [40, 80, 120])
def test_no_word_or_number_is_broken_whatever_the_width(width: int) -> None:
    reason = "waits: all 8 GPUs in use (kim 3, lee 5) on gpu1.informatik.uni-somewhere.example"
    jobs = [examples.running(), examples.job("r2", reason=reason)]
    for table in (servers_table([examples.busy_server()]), jobs_table(jobs, [])):
        for section in table.sections:
            grid, left_out = _grid(section, width)
            shown = io.StringIO()
            Console(file=shown, width=width).print(grid)
            lines = shown.getvalue().splitlines()
            assert max(map(len, lines)) <= width
            assert len(grid.columns) + len(left_out) == len(section.columns)
            words = {word for line in lines for word in line.split()}
            whole = {
                word
                for column in grid.columns
                for cell in (column.header, *column.cells)
                for word in str(cell).split()
            }
            assert words == whole
            assert next(iter(grid.columns)).header == section.columns[0].title
            assert width > 40 or left_out


def test_a_long_line_is_broken_between_words() -> None:
    assert _wrapped("one two three", 8) == ["one two", "three"]
    assert _wrapped("a/path/that/is/longer than", 8) == ["a/path/that/is/longer", "than"]
    assert _wrapped("  indented", 80) == ["  indented"]
