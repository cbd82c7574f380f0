"""What the commands print: text from outside cannot do anything to a terminal."""

import json
import sys
import unicodedata

import click
import pytest

from backend.cli.grid import FIXED
from backend.cli.show import _columns, formatted, say, show_json, show_table
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
            columns, titles = _columns(section)
            drawn, count = columns.drawn(width)
            lines = [click.unstyle(line) for line in drawn]
            assert max(map(len, lines)) <= width
            shown = (cell for row in (columns.header, *columns.rows) for cell in row[:count])
            whole = {word.replace(FIXED, " ") for cell in shown for word, _ in cell.words}
            assert {word for line in lines for word in line.split()} == {
                part for word in whole for part in word.split()
            }
            assert all(any(word in line for line in lines) for word in whole)
            assert titles[0] == section.columns[0].title
            assert count == len(titles) or width < 120


def in_terminal(
    table: Table, width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> list[str]:
    """The lines in a terminal of that width."""
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    show_table(table)
    return capsys.readouterr().out.splitlines()


LONG = "GPU 3: 5 uncorrectable memory errors since 11:02, the driver asks for a reset; 1 of 2 GPUs free"


def fleet() -> Table:
    """A server with a short reason and one with a long one."""
    status = examples.busy_server()
    verdict = status.verdict.model_copy(update={"reason": LONG})
    return servers_table([status, status.model_copy(update={"name": "gpu2", "verdict": verdict})])


def test_long_reasons_stand_below_their_servers_where_a_terminal_is_narrow(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [click.unstyle(line) for line in in_terminal(fleet(), 80, monkeypatch, capsys)]
    [first] = [place for place, line in enumerate(lines) if line.startswith("gpu1")]
    [second] = [place for place, line in enumerate(lines) if line.startswith("gpu2")]
    assert "● busy" in lines[first]
    assert "97% ?" in lines[first]
    assert "2.5 GiB" in lines[first]
    assert lines[second - 1] == "  1 of 2 GPUs free"
    assert lines[-2:] == [
        "  GPU 3: 5 uncorrectable memory errors since 11:02, the driver asks for a reset;",
        "  1 of 2 GPUs free",
    ]


def test_long_reasons_stand_beside_their_servers_where_a_terminal_is_wide(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [click.unstyle(line) for line in in_terminal(fleet(), 220, monkeypatch, capsys)]
    assert len(lines) == 3
    assert f"● busy {LONG}  97% ?" in lines[2]


@pytest.mark.parametrize("variable", [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_a_terminal_gets_colours_unless_people_or_it_want_none(
    variable: tuple[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert "\x1b[34m● busy\x1b[0m" in "\n".join(in_terminal(fleet(), 80, monkeypatch, capsys))
    monkeypatch.setenv(*variable)
    assert "\x1b" not in "\n".join(in_terminal(fleet(), 80, monkeypatch, capsys))
