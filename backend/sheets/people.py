"""Tabs that people own: where their header is, and the CSV files that stand for them without Google. Pure reading."""

import codecs
import csv
import io
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from backend.errors import NotFoundError, UnavailableError

HEADER_ROWS = 50
SERVER_NAMES = (
    "server", "servers", "machine", "machines", "host", "hostname", "gpu server", "server name", "machine name",
    "node", "workstation", "computer", "rechner", "maschine", "serveur", "serveurs", "servidor", "servidores",
    "máquina", "macchina", "serwer", "stroj", "palvelin", "sunucu", "сервер", "машина", "サーバー", "サーバ", "マシン",
    "服务器", "机器", "서버", "장비", "name",
)  # fmt: skip
"""The first that a header row has is the column of the servers."""
_DELIMITERS = ",;\t"
_LARGEST_BYTES = 16 << 20
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # begins like the next
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def find_header(rows: Sequence[Sequence[str]], key_column: str, tab: str) -> tuple[int, int]:
    """Row and column of the header `key_column`; if that is empty, of the one that names servers best.

    Raises:
        NotFoundError: there is no such header among the first fifty rows.
    """
    if found := _header(rows, (key_column.strip().casefold(),) if key_column else SERVER_NAMES):
        return found
    wanted = repr(key_column) if key_column else "of the servers' names, such as 'Server'"
    raise NotFoundError(
        f"The tab {tab!r} has no column {wanted}.",
        "Name its header in reservations.server in settings.toml.",
    )


def _header(rows: Sequence[Sequence[str]], names: Sequence[str]) -> tuple[int, int] | None:
    """The first row with one of `names`; a row with nothing else may be a title, and is the last choice."""
    alone = None
    for at, row in enumerate(rows[:HEADER_ROWS]):
        titles = [text.strip().casefold() for text in row]
        name = next((name for name in names if name in titles), None)
        if name is None:
            continue
        if len({title for title in titles if title}) > 1:
            return at, titles.index(name)
        alone = alone or (at, titles.index(name))
    return alone


def read_csv(file: Path) -> list[list[str]]:
    """The rows of a CSV file, in the encodings and with the separators that spreadsheets use.

    Raises:
        NotFoundError: there is no such file.
        UnavailableError: it cannot be read.
    """
    try:
        with file.open("rb") as opened:
            content = opened.read(_LARGEST_BYTES + 1)
    except FileNotFoundError:
        raise NotFoundError(f"There is no tab {file.name!r}.", f"Save it as {file}.") from None
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "its name holds a character that no file has"
        raise UnavailableError(f"{file} cannot be read: {why}.", "Check the file.") from None
    if len(content) > _LARGEST_BYTES:
        raise UnavailableError(
            f"{file} is larger than {_LARGEST_BYTES >> 20} MiB.", "Move old rows to another file."
        )
    text = _decoded(content)
    if text is None:
        raise UnavailableError(f"{file} is not a text file.", "Save it as CSV in UTF-8.")
    try:
        delimiter = max(_DELIMITERS, key=lambda sign: _fit(text, sign))
        if row := _unclosed_quote(text, delimiter):
            raise UnavailableError(
                f"{file} cannot be read: a quotation mark in row {row} is not closed.",
                "Close it, or save the file as CSV again.",
            )
        return _rows(text, delimiter)
    except csv.Error as error:
        raise UnavailableError(f"{file} cannot be read: {error}.", "Save it as CSV again.") from None


def _decoded(content: bytes) -> str | None:
    """Text in UTF-8, in UTF-16, or as Windows saves CSV in Western languages; None: it is something else."""
    codec = next((codec for mark, codec in _MARKS if content.startswith(mark)), None)
    if codec is None and 0 in content[:2]:
        codec = "utf-16-be" if content[0] == 0 else "utf-16-le"
    for candidate in (codec,) if codec else ("utf-8", "cp1252"):
        try:
            text = content.decode(candidate)
        except UnicodeDecodeError:
            continue
        return None if "\0" in text else text
    return None


def _rows(text: str, delimiter: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))


def _fit(text: str, delimiter: str) -> tuple[int, ...]:
    """How well a delimiter fits: by the header that it gives, then by the rows of equal length."""
    try:
        rows = _rows(text, delimiter)
    except csv.Error:
        return (-1,)
    lengths = Counter(len(row) for row in rows if len(row) > 1)
    length, count = lengths.most_common(1)[0] if lengths else (1, 0)
    header = _header(rows, SERVER_NAMES)
    if header is None:
        return 0, count, length
    filled = sum(1 for text in rows[header[0]] if text.strip())
    return 1, filled > 1, -header[0], filled, count, length


def _unclosed_quote(text: str, delimiter: str) -> int | None:
    """The row, from 1, whose last quotation mark takes in the rest of the file."""
    reader, row = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True), 1
    try:
        for row, _ in enumerate(reader, 2):  # noqa: B007 - the row after the last that can be read
            pass
    except csv.Error as error:
        return row if "unexpected end" in str(error) else None
    return None
