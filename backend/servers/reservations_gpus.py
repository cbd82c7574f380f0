"""The column of GPUs in a lab's list: which GPUs, how many, or which model."""

import re
from collections.abc import Sequence

from backend.servers.reservation import Note
from backend.servers.reservations_columns import plain_header
from backend.servers.reservations_names import Names, Part, gpus_of
from backend.servers.reservations_table import GridBlock, ListBlock
from backend.sheets.content import TabContent

_EARLIEST_DATE = 10_000
_COUNT = re.compile(r"#|\b(?:number of|count|how many|anzahl|nombre|cantidad|num)\b")
_WHICH = "which GPUs is not clear, so the whole server is reserved; write them like 'GPU 2' or '0-3'"


class GpuColumn:
    """Reads the GPUs of each row.

    `4` may be a GPU or a number of GPUs. It is a GPU where the header is singular, or where another row names
    GPU 0, a range or a list. Else the whole server is reserved, and the row is told as doubtful.
    """

    def __init__(self, content: TabContent, block: ListBlock | GridBlock, place: int | None) -> None:
        """`place` is the column; None: there is none."""
        self._content, self._place = content, place
        self.doubts: list[Note] = []
        texts = [content.text(row, place) for row in range(block.first, block.end)]
        given = [text for text in texts if text]
        header = content.text(block.header, self._place).casefold()
        self._is_count = bool(_COUNT.search(header))
        self._names_gpus = not self._is_count and any(_is_list(text) for text in given)
        self._is_single = not self._is_count and not plain_header(header).endswith("s")

    def of(self, row: int, parts: Sequence[Part], names: Names) -> list[Part]:
        """`parts`, the servers of a row, each with the GPUs that the row names.

        Raises:
            ValueError: the GPUs are not understood, or are those of another server.
        """
        text = self._content.text(row, self._place)
        if not text or any(part.gpus is not None for part in parts):
            return list(parts)
        value = self._content.value(row, self._place)
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if is_number and float(value or 0) >= _EARLIEST_DATE:
            raise ValueError(f"the spreadsheet made a date of the GPUs: {text!r}; write them like 'GPU 1-2'")
        if is_number and re.fullmatch(r"\d+\.0", text):
            text = text[:-2]
        if re.match(r"[^:]*\d\s*:", text):
            named = names.parts(text)
            servers = {part.server for part in parts}
            if not {part.server for part in named} <= servers:
                raise ValueError(f"the GPUs {text!r} are of another server")
            return named
        if not _is_list(text) and not re.fullmatch(r"\d+", text):
            return self._of_words(text, parts)
        if re.fullmatch(r"\d+", text) and not (self._is_single or self._names_gpus):
            self.doubts.append(Note(row + 1, _WHICH))
            return list(parts)
        gpus = gpus_of(text)
        return [Part(part.server, gpus) for part in parts]

    def _of_words(self, text: str, parts: Sequence[Part]) -> list[Part]:
        """All GPUs, or those of a model; a row without a list among rows with lists is not understood."""
        try:
            gpus = gpus_of(text)
        except ValueError:
            if self._names_gpus:
                raise
            return list(parts)
        return [Part(part.server, gpus) for part in parts]


def _is_list(text: str) -> bool:
    """Whether a cell can only be a choice of GPUs, such as `0-3`, `GPU 2` or `gpu1:0`."""
    if re.fullmatch(r"\d+", text):
        return text == "0"
    try:
        return gpus_of(text) is not None
    except ValueError:
        return bool(re.fullmatch(r"[\w.-]+:\s*[\d,\s-]+", text))
