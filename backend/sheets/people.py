"""Tabs that people own: where their header is, and the files that stand for them without Google. Pure reading."""

import csv
from collections.abc import Sequence
from pathlib import Path

from backend.errors import NotFoundError, UnavailableError

_HEADER_ROWS = 50
_SERVER_NAMES = ("server", "servers", "machine", "host", "hostname", "gpu server", "name")


def find_header(rows: Sequence[Sequence[str]], key_column: str, tab: str) -> tuple[int, int]:
    """Row and column of the header `key_column`; if that is empty, of the first that names servers.

    Raises:
        NotFoundError: there is no such header among the first fifty rows.
    """
    names = (key_column.strip().casefold(),) if key_column else _SERVER_NAMES
    for at, row in enumerate(rows[:_HEADER_ROWS]):
        for column, text in enumerate(row):
            if text.strip().casefold() in names:
                return at, column
    wanted = repr(key_column) if key_column else "of the servers' names, such as 'Server'"
    raise NotFoundError(
        f"The tab {tab!r} has no column {wanted}.",
        "Name its header in reservations.server in settings.toml.",
    )


def read_csv(file: Path) -> list[list[str]]:
    """The rows of a spreadsheet saved as CSV, whichever separator it was saved with.

    Raises:
        NotFoundError: there is no such file.
        UnavailableError: it cannot be read.
    """
    try:
        text = file.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise NotFoundError(f"There is no tab {file.name!r}.", f"Save it as {file}.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UnavailableError(f"{file} cannot be read: {error}.", "Save it as CSV in UTF-8.") from None
    lines = text.splitlines()
    separator = max(",;\t", key=lambda sign: max((line.count(sign) for line in lines), default=0))
    return list(csv.reader(lines, delimiter=separator))
