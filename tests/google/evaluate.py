"""Lets LibreOffice compute the formulas of a spreadsheet that the local server keeps."""

import re
import shutil
import subprocess
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import openpyxl
import pytest
from openpyxl.worksheet.formula import ArrayFormula

from backend.sheets.dates import EPOCH
from tests.google.state import Spreadsheet, Tab
from tests.patience import PATIENCE_SECONDS


def evaluate(state: Spreadsheet, folder: Path, *moments: datetime) -> list[dict[str, list[list[Any]]]]:
    """The computed cells of every tab at each moment. Curves stay blank: only Google draws them."""
    if shutil.which("soffice") is None:
        pytest.skip("needs LibreOffice: apt-get install libreoffice-calc-nogui")
    files = [folder / f"asked{number}.xlsx" for number in range(len(moments))]
    for file, moment in zip(files, moments, strict=True):
        _write(state, file, moment)
    done = folder / "computed"
    profile = f"-env:UserInstallation=file://{folder}/profile"
    subprocess.run(
        ["soffice", profile, "--headless", "--convert-to", "xlsx", "--outdir", done, *files],
        check=True,
        capture_output=True,
        timeout=PATIENCE_SECONDS,
    )
    computed = [openpyxl.load_workbook(done / file.name, data_only=True) for file in files]
    return [
        {sheet.title: [list(row) for row in sheet.iter_rows(values_only=True)] for sheet in workbook}
        for workbook in computed
    ]


def _write(state: Spreadsheet, file: Path, now: datetime) -> None:
    local = now.astimezone(ZoneInfo(state.zone)).replace(tzinfo=None)
    clock = f"({(local - EPOCH).total_seconds() / 86_400:.6f})"
    workbook = openpyxl.Workbook()
    workbook.remove(workbook.worksheets[0])
    for tab in state.tabs:
        sheet = workbook.create_sheet(tab.title)
        for at, row in enumerate(tab.rows, 1):
            for column, line in enumerate(tab.columns, 1):
                if line in row.cells:
                    cell = sheet.cell(at, column)
                    _put(state, tab, cell, row.cells[line], clock)
    workbook.save(file)


def _put(state: Spreadsheet, tab: Tab, cell: Any, content: dict[str, Any], clock: str) -> None:
    if "formula" not in content:
        ((kind, value),) = content.get("userEnteredValue", {"stringValue": None}).items()
        cell.value = value
        if kind == "stringValue" and value is not None:
            cell.data_type = "s"
        return
    formula = state.formula(content)
    if formula.startswith("=SPARKLINE("):
        return
    inner = re.fullmatch(r"=ARRAYFORMULA\((.*)\)", formula)
    if inner is None:
        cell.value = formula
        return
    # Only the dialect is translated: commas, a last row for ranges that are open below, and blanks for what is
    # left out, which LibreOffice takes for 0.
    closed = re.sub(r"(?<![!$])\b([A-Z]+)(\d+):\1\b(?!\d)", rf"\g<1>\2:\g<1>{len(tab.rows)}", inner[1])
    closed = closed.replace("NOW()", clock).replace(";;", ';"";').removesuffix(")))") + ';"")))'
    pieces = closed.split('"')
    pieces[::2] = [piece.replace(";", ",") for piece in pieces[::2]]
    text = '"'.join(pieces)
    place = f"{cell.coordinate}:{cell.column_letter}{len(tab.rows)}"
    cell.parent[cell.coordinate] = ArrayFormula(place, f"={text}")
