"""The tabs as an .xlsx file: native colour scales and sparklines, pictures on top."""

import re
import struct
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from itertools import accumulate, count
from pathlib import Path
from typing import NamedTuple

import xlsxwriter
from xlsxwriter.exceptions import XlsxWriterException
from xlsxwriter.format import Format as Style
from xlsxwriter.image import Image
from xlsxwriter.utility import xl_range_abs, xl_rowcol_to_cell
from xlsxwriter.worksheet import Worksheet

from backend.errors import InvalidError, UnavailableError
from backend.sheets.formats import (
    ACCENT,
    HEADER,
    INK,
    LESS,
    MORE,
    NUMBER_FORMATS,
    TONES,
    WHITE,
    pattern,
    stored,
)
from backend.sheets.table import (
    Bars,
    Cell,
    Column,
    Format,
    Number,
    Picture,
    Section,
    Spark,
    Table,
    Text,
    Tone,
)

_CURVES = "Curves"
"""The tab of the numbers behind the sparklines."""
_LONGEST_NAME = 31
"""UTF-16 units in the name of a worksheet."""
_RESERVED = "history"
"""A name that Excel takes for itself, in any case."""
_NOT_IN_XML = r"\x00-\x1f\x7f\ufffe\uffff"
_NOT_IN_NAMES = re.compile(rf"[\[\]:*?/\\{_NOT_IN_XML}]")
_NOT_IN_ATTRIBUTES = re.compile(f"[{_NOT_IN_XML}]")

_PICTURE_WIDTH = 640
_ROW_HEIGHT = 20


def sheet_names(tabs: Iterable[str]) -> list[str]:
    """For each tab the name of its worksheet: one that Excel accepts, and that no other has."""
    taken = {_RESERVED}
    names: list[str] = []
    for tab in tabs:
        name = _NOT_IN_NAMES.sub("-", tab.encode(errors="replace").decode()) or "-"
        suffixes = ("" if number == 1 else f" ({number})" for number in count(1))
        shortened = (_shortened(name, _LONGEST_NAME - len(suffix)) + suffix for suffix in suffixes)
        names.append(next(name for name in shortened if name.casefold() not in taken))
        taken.add(names[-1].casefold())
    return names


def _shortened(name: str, most: int) -> str:
    """At most `most` UTF-16 units, without an apostrophe at either end."""
    start = name.encode("utf-16-le")[: 2 * most].decode("utf-16-le", "ignore")
    return re.sub(r"^'|'$", "-", start)


def write_workbook(file: Path, tables: Sequence[Table], picture_file: Callable[[Picture], Path]) -> None:
    """Writes every table as a tab; `picture_file` returns where a picture lies.

    Raises:
        UnavailableError: the file cannot be written.
        InvalidError: something that is no file has that name, or the name does not end in .xlsx.
    """
    if file.suffix.lower() != ".xlsx" or (file.exists() and not file.is_file()):
        raise InvalidError(f"{file} is no .xlsx file.", "Choose a name that ends in .xlsx.")
    # Text stays text, also where it starts with "=" or "http".
    options = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    draft = file.with_name(f".{file.name}.draft")
    try:
        workbook = xlsxwriter.Workbook(draft, options)
        _Writer(workbook, picture_file).write(tables)
        workbook.close()
        draft.replace(file)
    except (OSError, XlsxWriterException) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise UnavailableError(f"{file} cannot be written: {reason}.", "Choose another place.") from error
    finally:
        draft.unlink(missing_ok=True)


class _Shape(NamedTuple):
    """How a sparkline is drawn; None: as its numbers are."""

    style: str
    low: float | None
    high: float | None


class _Writer:
    def __init__(self, workbook: xlsxwriter.Workbook, picture_file: Callable[[Picture], Path]) -> None:
        self._workbook = workbook
        self._picture_file = picture_file
        self._names: dict[str, str] = {}
        """Of the worksheets, by tab."""
        self._curves_name = _CURVES
        self._styles: dict[tuple[str, str, bool, bool, str], Style] = {}
        self._curves: Worksheet | None = None
        self._curve_rows = 0
        self._sparklines: dict[_Shape, list[tuple[str, str]]] = {}
        """Those of a table that look alike: where each stands, and where its numbers do."""
        base = {"font_name": "Arial", "font_size": 10}
        header = {**base, "bold": True, "bg_color": HEADER, "bottom": 1}
        self._headers = {
            align: workbook.add_format({**header, "align": align}) for align in ("left", "center", "right")
        }
        self._title = workbook.add_format({**base, "bold": True, "font_size": 12})
        self._note = workbook.add_format({**base, "font_color": TONES["soft"], "italic": True})

    def write(self, tables: Sequence[Table]) -> None:
        tabs = [table.name for table in tables]
        *names, self._curves_name = sheet_names([*tabs, _CURVES])
        self._names = dict(zip(tabs, names, strict=True))
        sheets = [(self._workbook.add_worksheet(self._names[table.name]), table) for table in tables]
        for sheet, table in sheets:
            self._write_table(sheet, table)
        if self._curves is not None:
            self._curves.hide()

    def _write_table(self, sheet: Worksheet, table: Table) -> None:
        sheet.hide_gridlines(2)
        sheet.outline_settings(symbols_below=False)  # a row stands above its details
        sheet.set_landscape()
        sheet.fit_to_pages(1, 0)
        widths: dict[int, int] = {}
        row = 0
        self._sparklines.clear()
        for section in table.sections:
            row = self._write_section(sheet, section, row)
            for place, column in _placed(section.columns):
                if column.span == 1:
                    widths[place] = max(widths.get(place, 0), column.width)
        self._add_sparklines(sheet)
        for place, width in widths.items():
            sheet.set_column(place, place, width)
        first = table.sections[0]
        header = bool(first.title) + bool(first.note)
        if len(table.sections) == 1:
            sheet.freeze_panes(header + 1, 1)
        if first.is_list and first.rows:  # a worksheet has one filter
            sheet.autofilter(header, 0, header + len(first.rows), len(first.columns) - 1)

    def _write_section(self, sheet: Worksheet, section: Section, row: int) -> int:
        """Writes below `row`; returns the row where the next section begins."""
        for text, style in ((section.title, self._title), (section.note, self._note)):
            if text:
                sheet.write_string(row, 0, text, style)
                row += 1
        for place, column in _placed(section.columns):
            style = self._headers[_align(column)]
            if column.span > 1:
                sheet.merge_range(row, place, row, place + column.span - 1, "", style)
            sheet.write_string(row, place, column.title, style)
        row += bool(section.columns)
        if not section.rows and section.empty:
            sheet.write_string(row, 0, section.empty, self._note)
            row += 1
        for offset, cells in enumerate(section.rows):
            self._write_row(sheet, row + offset, section.columns, cells)
            if section.levels and section.levels[offset]:
                sheet.set_row(row + offset, None, None, {"level": 1, "hidden": True})
        self._add_heat(sheet, section, row)
        row += len(section.rows)
        for picture in section.pictures:
            row = self._insert(sheet, row, picture)
        return row + 1

    def _write_row(
        self, sheet: Worksheet, row: int, columns: Sequence[Column], cells: Sequence[Cell]
    ) -> None:
        for (place, column), cell in zip(_placed(columns), cells, strict=True):
            if column.span > 1 and isinstance(cell, Number | Spark | Bars):
                sheet.merge_range(row, place, row, place + column.span - 1, "")
            self._write_cell(sheet, row, place, cell, column)

    def _write_cell(self, sheet: Worksheet, row: int, place: int, cell: Cell, column: Column) -> None:
        match cell:
            case None | Number(value=None):
                pass
            case Text():
                self._write_text(sheet, row, place, cell, _align(column))
            case Number(value=float() | int() as value):
                align = "center" if column.heat else "right"
                target = self._names.get(cell.tab or "")
                style = self._style(
                    cell.format,
                    align,
                    bold=cell.bold,
                    tone=cell.tone,
                    is_link=target is not None,
                    written=pattern(cell),
                )
                if target is not None:  # the link stays when the number takes the place of its words
                    sheet.write_url(row, place, _link_to(target), style)
                sheet.write_number(row, place, stored(value, cell.format), style)
            case Bars():
                self._note_sparkline(row, place, cell.fractions, _Shape("column", 0, 1))
            case Spark():
                self._note_sparkline(row, place, cell.values, _Shape(cell.style, cell.low, cell.high))
            case str() if column.format == "time":
                local = datetime.fromisoformat(cell).astimezone().replace(tzinfo=None)
                sheet.write_datetime(row, place, local, self._style("time", "left"))
            case str() | bool():
                sheet.write_string(row, place, str(cell), self._style("text", _align(column)))
            case int() | float():
                style = self._style(column.format, "center" if column.heat else "right")
                sheet.write_number(row, place, stored(cell, column.format), style)

    def _write_text(self, sheet: Worksheet, row: int, place: int, cell: Text, align: str) -> None:
        words = f"{cell.text} {cell.note}".rstrip()
        target = self._names.get(cell.tab or "")
        style = self._style("text", align, bold=cell.bold, tone=cell.tone, is_link=target is not None)
        # A worksheet holds 65,530 links; what comes after them is plain text.
        if target is None or sheet.write_url(row, place, _link_to(target), style, _attribute(words)) != 0:
            sheet.write_string(row, place, words, style)

    def _style(
        self,
        shape: Format,
        align: str,
        *,
        bold: bool = False,
        tone: Tone | None = None,
        is_link: bool = False,
        written: str = "",
    ) -> Style:
        colour = TONES[tone] if tone else ACCENT if is_link else INK
        written = written or NUMBER_FORMATS[shape]
        key = (written, align, bold, is_link, colour)
        if key not in self._styles:
            properties = {
                "num_format": written,
                "bold": bold,
                "underline": int(is_link),
                "font_color": colour,
                "align": align,
            }
            self._styles[key] = self._workbook.add_format(
                {**properties, "font_name": "Arial", "font_size": 10}
            )
        return self._styles[key]

    def _note_sparkline(self, row: int, place: int, values: Sequence[float | None], shape: _Shape) -> None:
        """A sparkline draws cells: its numbers go into a row of the hidden tab."""
        if self._curves is None:
            self._curves = self._workbook.add_worksheet(self._curves_name)
        for at, value in enumerate(values):
            if value is not None:
                self._curves.write_number(self._curve_rows, at, value)
        source = xl_range_abs(self._curve_rows, 0, self._curve_rows, max(len(values) - 1, 0))
        self._curve_rows += 1
        where = xl_rowcol_to_cell(row, place), f"{_quoted(self._curves_name)}!{source}"
        self._sparklines.setdefault(shape, []).append(where)

    def _add_sparklines(self, sheet: Worksheet) -> None:
        """Those that look alike in one call, of which each takes milliseconds."""
        for shape, alike in self._sparklines.items():
            options: dict[str, object] = {"type": shape.style, "series_color": ACCENT}
            options |= {"location": [place for place, _ in alike], "range": [numbers for _, numbers in alike]}
            limits = {"min": shape.low, "max": shape.high}
            options |= {name: at for name, at in limits.items() if at is not None}
            sheet.add_sparkline(0, 0, options)

    def _add_heat(self, sheet: Worksheet, section: Section, first_row: int) -> None:
        heated = [place for place, column in _placed(section.columns) if column.heat]
        if section.heat == "none" or not heated or not section.rows:
            return
        scale: dict[str, object] = {"type": "2_color_scale", "min_color": WHITE, "max_color": MORE}
        if section.heat == "count":
            scale |= {"min_type": "num", "min_value": 0}
        elif section.heat == "difference":
            most = _largest(section)
            scale |= {"type": "3_color_scale", "min_color": LESS, "mid_color": WHITE}
            scale |= {f"{end}_type": "num" for end in ("min", "mid", "max")}
            scale |= {"min_value": -most, "mid_value": 0, "max_value": most}
        last_row = first_row + len(section.rows) - 1
        sheet.conditional_format(first_row, heated[0], last_row, heated[-1], scale)

    def _insert(self, sheet: Worksheet, row: int, picture: Picture) -> int:
        """Inserts a picture, or words where there is none; returns the row below."""
        try:
            image = Image(str(self._picture_file(picture)))
        except (OSError, XlsxWriterException, struct.error, IndexError):
            sheet.write_string(row, 0, f"{picture.alt}: this picture is missing or broken.", self._note)
            return row + 1
        scale = min(1.0, _PICTURE_WIDTH / image.width)
        options = {
            "x_scale": scale,
            "y_scale": scale,
            "description": _attribute(picture.alt),
            "object_position": 1,
        }
        sheet.insert_image(row, 0, image, options)
        height: float = image.height * scale
        return row + round(height / _ROW_HEIGHT) + 2


def _largest(section: Section) -> float:
    """How far the numbers of the heat map go to either side of 0."""
    numbers = (
        cell.value if isinstance(cell, Number) else cell
        for cells in section.rows
        for column, cell in zip(section.columns, cells, strict=True)
        if column.heat
    )
    return max((abs(number) for number in numbers if isinstance(number, int | float)), default=0) or 1


def _align(column: Column) -> str:
    """Heat maps are centred, what stands among numbers stands right."""
    if column.heat:
        return "center"
    return "left" if column.format in ("text", "time") else "right"


def _placed(columns: Sequence[Column]) -> list[tuple[int, Column]]:
    """Each column with the grid column where it begins."""
    begins = accumulate((column.span for column in columns), initial=0)
    return list(zip(begins, columns, strict=False))


def _attribute(text: str) -> str:
    """Text that an XML attribute can hold; cells can hold any."""
    return _NOT_IN_ATTRIBUTES.sub("\ufffd", text)


def _link_to(name: str) -> str:
    return f"internal:{_quoted(name)}!A1"


def _quoted(name: str) -> str:
    """A worksheet's name as formulas and links write it."""
    return "'" + name.replace("'", "''") + "'"
