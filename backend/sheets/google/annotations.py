"""Sheetrack's columns beside people's own tab. Pure: from the tab as read to the requests still needed.

Each column is one array formula in the header row that looks up the names of people's key column in a tab of
Sheetrack's. It is written once, into a column inserted for it, so none of people's cells is ever written. The
values then follow the names, however people sort, insert, move, filter or hide.

Marks stand on the header row, the key column and each of Sheetrack's columns. Guards precede each request that
names a row or column by number: if it was moved or removed since it was read, Google refuses the whole batch.
Google carries out a batch as a whole or not at all.

What people type into a column of Sheetrack's is theirs: such a column is never deleted, and its cells are never
written.
"""

from collections.abc import Sequence
from dataclasses import replace

from backend.errors import NotFoundError
from backend.sheets.formats import HEADER
from backend.sheets.google.cells import Values, colour
from backend.sheets.google.formulas import LookupTab
from backend.sheets.google.marks import Mark, create, dimension, guard, new_id, unmark
from backend.sheets.google.peoples_tab import WARNING, PeoplesTab, formula_of
from backend.sheets.people import find_header


class AnnotatedTab(PeoplesTab):
    """A tab that people own, and the requests that put Sheetrack's columns there or take them away."""

    def wanted(self, key_column: str, titles: Sequence[str], lookup: LookupTab) -> list[Values]:
        """The next batch of requests towards columns called `titles`; empty once all are there.

        Raises:
            NotFoundError: there is no header `key_column`, or the lookup tab has no such column.
        """
        if batch := self._adoption():
            return batch
        place = self._header_place(key_column)
        header, key = self.header, self.key
        if header is None or key is None or (header.at, key.at) != place:
            old = [unmark(mark.id) for mark in (header, key) if mark]
            new = [Mark(new_id(), "header", place[0]), Mark(new_id(), "key", place[1])]
            return [*old, *(create(mark, self.sheet_id) for mark in new)]
        kept = {mark.id for title, mark in self.columns.items() if title in titles}
        unwanted = [mark for mark in self.ours if mark.id not in kept and not self.typed(mark)]
        if unwanted:
            return self._unprotected(unwanted) or self._deletion(unwanted)
        shown = [mark for mark in self.ours if mark.id in kept]
        if batch := self._formulas(shown, header, key, lookup):
            return [*self._guard(header), *self._guard(key), *batch]
        if missing := [title for title in titles if title not in self.columns]:
            return [
                *self._guard(header),
                *self._guard(key),
                *self._insertion(header.at, key, missing, lookup),
            ]
        return []

    def removal(self) -> list[Values]:
        """The next batch towards a tab without anything of Sheetrack's; what people typed stays."""
        if batch := self._adoption():
            return batch
        if batch := self._unprotected(self.ours):
            return batch
        batch = []
        held = [mark for mark in self.ours if self.typed(mark)]
        for mark in held:
            batch += self._guard(mark)
            batch += [self._cleared(row, mark.at) for row in self.formulas_in(mark.at)]
            batch += [{"deleteProtectedRange": {"protectedRangeId": mark.protection}}, unmark(mark.id)]
        batch += self._deletion([mark for mark in self.ours if mark not in held])
        return batch + [unmark(mark.id) for mark in (self.header, self.key) if mark]

    def _header_place(self, key_column: str) -> tuple[int, int]:
        """Row and column of the header of the names. Marks count where people renamed it."""
        texts = [[self.text(row, at) for at in range(len(cells))] for row, cells in enumerate(self.rows)]
        if self.header is None or self.key is None:
            return find_header(texts, key_column, self.title)
        place = self.header.at, self.key.at
        if not key_column or self.text(*place).casefold() == key_column.strip().casefold():
            return place
        try:
            return find_header(texts, key_column, self.title)
        except NotFoundError:
            return place

    def _adoption(self) -> list[Values]:
        """Marks for what Sheetrack added and whose marks are gone: its columns are known by their formulas."""
        new: list[Mark] = []
        known = {mark.at for mark in self.ours}
        titles = set(self.columns)
        header, key = self.header, self.key
        for row, cells in enumerate(self.rows):
            for at, cell in enumerate(cells):
                found = formula_of(cell) if at not in known else None
                # A copy that people made of a column has no protection.
                if found is None or (found.title in titles and not self.protection_at(at)):
                    continue
                known.add(at)
                titles.add(found.title)
                new.append(Mark(new_id(), "column", at, found.title, self.protection_at(at)))
                if header is None:
                    header = Mark(new_id(), "header", row)
                    new.append(header)
                if key is None and found.key is not None:
                    key = Mark(new_id(), "key", found.key)
                    new.append(key)
        return [create(mark, self.sheet_id) for mark in new]

    def _formulas(self, shown: Sequence[Mark], header: Mark, key: Mark, lookup: LookupTab) -> list[Values]:
        """Writes the formulas that are missing, look elsewhere or stand in another row; none over people's cells."""
        changed = []
        for mark in shown:
            source = f"{lookup.source(mark.title)} {key.id}"
            rows = self.formulas_in(mark.at)
            entered = "userEnteredValue" in self.cell(header.at, mark.at)
            is_right = mark.source == source and rows == [header.at]
            if not is_right and (header.at in rows or not entered):
                changed.append((mark, source))
        batch = self._unprotected([mark for mark, _ in changed])
        for mark, source in changed if not batch else ():
            batch += self._guard(replace(mark, source=source))
            batch += [self._cleared(row, mark.at) for row in self.formulas_in(mark.at) if row != header.at]
            batch.append(self._formula(header.at, mark.at, key.at, lookup, mark.title))
        return batch

    def _insertion(self, header: int, key: Mark, titles: Sequence[str], lookup: LookupTab) -> list[Values]:
        start = max([self.edge, *(mark.at + 1 for mark in self.ours)])
        at_end = start >= self.column_count
        # New columns inherit no format from people's, except behind the last column, where Google demands it.
        place = dimension(self.sheet_id, "COLUMNS", start, len(titles))
        batch: list[Values] = [{"insertDimension": {"range": place, "inheritFromBefore": at_end}}]
        for at, title in enumerate(titles, start):
            looks = {"userEnteredFormat": lookup.looks(title)}
            whole = {"sheetId": self.sheet_id, "startColumnIndex": at, "endColumnIndex": at + 1}
            fields = "userEnteredFormat,dataValidation"
            batch.append({"repeatCell": {"range": whole, "cell": looks, "fields": fields}})
            batch.append(self._formula(header, at, key.at, lookup, title))
            source = f"{lookup.source(title)} {key.id}"
            mark = Mark(new_id(), "column", at, title, protection=new_id(), source=source)
            batch += [self._protect(mark), create(mark, self.sheet_id)]
        return batch

    def _deletion(self, marks: Sequence[Mark]) -> list[Values]:
        batch = [request for mark in marks for request in self._guard(mark)]
        places = sorted((mark.at for mark in marks), reverse=True)
        columns = [dimension(self.sheet_id, "COLUMNS", at) for at in places]
        return batch + [{"deleteDimension": {"range": place}} for place in columns]

    def _unprotected(self, marks: Sequence[Mark]) -> list[Values]:
        """Protects again those of `marks` whose protection people removed: nothing else notices a deleted column."""
        batch: list[Values] = []
        for mark in marks:
            if not mark.protection:
                new = replace(mark, protection=new_id())
                batch += [*self._guard(mark), self._protect(new), unmark(mark.id), create(new, self.sheet_id)]
        return batch

    def _guard(self, mark: Mark) -> list[Values]:
        return guard(mark, self.sheet_id, WARNING)

    def _protect(self, mark: Mark) -> Values:
        protected = {
            "protectedRangeId": mark.protection,
            "range": {"sheetId": self.sheet_id, "startColumnIndex": mark.at, "endColumnIndex": mark.at + 1},
            "description": WARNING,
            "warningOnly": True,
        }
        return {"addProtectedRange": {"protectedRange": protected}}

    def _formula(self, row: int, column: int, key: int, lookup: LookupTab, title: str) -> Values:
        looks = {"textFormat": {"bold": True}, "backgroundColorStyle": colour(HEADER)}
        cell = {
            "userEnteredValue": {"formulaValue": lookup.formula(title, row, key)},
            "userEnteredFormat": looks,
        }
        return self._written(row, column, cell)

    def _cleared(self, row: int, column: int) -> Values:
        return self._written(row, column, {})

    def _written(self, row: int, column: int, cell: Values) -> Values:
        start = {"sheetId": self.sheet_id, "rowIndex": row, "columnIndex": column}
        fields = "userEnteredValue,userEnteredFormat"
        return {"updateCells": {"start": start, "rows": [{"values": [cell]}], "fields": fields}}
