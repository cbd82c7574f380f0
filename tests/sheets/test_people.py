"""CSV files as spreadsheets save them, and as they break."""

from pathlib import Path

import pytest

from backend.errors import NotFoundError, SheetrackError, UnavailableError
from backend.sheets.people import find_header, read_csv

ROWS = [
    ["Server", "User", "Purpose"],
    ["gpu1", "Jürgen Müller", "a, b, c, d"],
    ["gpu2", "Lee", "one\ntwo; three"],
]


def saved(folder: Path, content: bytes) -> Path:
    file = folder / "Reservations.csv"
    file.write_bytes(content)
    return file


def written(delimiter: str, newline: str = "\r\n") -> str:
    lines = [
        delimiter.join(f'"{text}"' if set(text) & set(f"{delimiter}\n") else text for text in row)
        for row in ROWS
    ]
    return newline.join(lines) + newline


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16", "utf-16-le", "utf-16-be", "utf-32"]
)
def test_a_file_as_a_spreadsheet_saves_it(
    tmp_path: Path, delimiter: str, newline: str, encoding: str
) -> None:
    assert read_csv(saved(tmp_path, written(delimiter, newline).encode(encoding))) == ROWS


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_an_order_of_bytes_that_is_marked(tmp_path: Path, encoding: str) -> None:
    assert read_csv(saved(tmp_path, f"\ufeff{written(';')}".encode(encoding))) == ROWS


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("Server;User\ngpu1;a,b,c,d\ngpu2;e,f,g,h\n", [["Server", "User"], ["gpu1", "a,b,c,d"], ["gpu2", "e,f,g,h"]]),
        ("Our servers, and who has them\n\nServer;User\ngpu1;Kim\n",
         [["Our servers, and who has them"], [], ["Server", "User"], ["gpu1", "Kim"]]),
        ("Kiste;Wer\ngpu1;Kim, Lee\ngpu2;Max\n", [["Kiste", "Wer"], ["gpu1", "Kim, Lee"], ["gpu2", "Max"]]),
        ("Kiste,Wer\ngpu1,Kim; Lee\ngpu2,Max\n", [["Kiste", "Wer"], ["gpu1", "Kim; Lee"], ["gpu2", "Max"]]),
        ("Server\ngpu1\n", [["Server"], ["gpu1"]]),
        ('Server,Disk\ngpu1,5" disk\n', [["Server", "Disk"], ["gpu1", '5" disk']]),
        ('Server,Disk\n"gpu1"x,y\n', [["Server", "Disk"], ["gpu1x", "y"]]),
        ("Server,User\ngpu1,a\u2028b\x0bc\x85d\n", [["Server", "User"], ["gpu1", "a\u2028b\x0bc\x85d"]]),
        ("", []),
    ],
)  # fmt: skip
def test_the_header_row_decides_on_the_separator(tmp_path: Path, text: str, rows: list[list[str]]) -> None:
    assert read_csv(saved(tmp_path, text.encode())) == rows


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"PK\x03\x04\x14\x00\x06\x00", "is not a text file"),
        (b"\xff\xfeS\x00e", "is not a text file"),
        (b"Server\x00,User", "is not a text file"),
        (b"\x81\x8d", "is not a text file"),
        (b'Server,User\ngpu1,Kim\ngpu2,"Lee\ngpu3,Max\n', "a quotation mark in row 3 is not closed"),
        (b"Server," + b"x" * 200_000, "field larger than field limit"),
        (b"x" * (16 << 20) + b"xy", "is larger than 16 MiB"),
    ],
)
def test_a_file_that_cannot_be_read_is_told(tmp_path: Path, content: bytes, message: str) -> None:
    file = saved(tmp_path, content)
    with pytest.raises(UnavailableError, match=message) as refused:
        read_csv(file)
    assert str(file) in refused.value.message
    assert refused.value.hint


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="There is no tab"):
        read_csv(tmp_path / "missing.csv")
    for name in ("x" * 300, "a\0b"):
        with pytest.raises(SheetrackError, match="cannot be read"):
            read_csv(tmp_path / name)
    with pytest.raises(UnavailableError, match="Is a directory"):
        read_csv(tmp_path)


@pytest.mark.parametrize(
    ("header", "column"),
    [
        (["Name", "Server", "User"], 1),
        (["name", " SERVER ", "host"], 1),
        (["Name", "Host"], 1),
        (["Hostname", "Host", "Machine"], 2),
        (["Purpose", "Name"], 1),
    ],
)
def test_headers_have_priorities_and_columns_do_not(header: list[str], column: int) -> None:
    assert find_header([["Who has what"], [], header, ["server", "server"]], "", "Tab") == (2, column)


def test_a_header_that_is_named_is_the_only_one() -> None:
    assert find_header([["Server", "Kiste"]], "kiste ", "Tab") == (0, 1)
    with pytest.raises(NotFoundError, match="has no column 'Kiste'"):
        find_header([["Server"]], "Kiste", "Tab")
    with pytest.raises(NotFoundError, match="of the servers' names"):
        find_header([["Purpose"]] * 50 + [["Server"]], "", "Tab")
