"""Notes about runs in a tab that people own: a column `Run` and a column `Notes`. It is only ever read."""

import logging
from collections.abc import Callable, Mapping

import sqlalchemy as sa

from backend.errors import NotFoundError, SheetrackError
from backend.jobs.marks import LONGEST_NOTE, Mark
from backend.sheets import Sheet
from backend.sheets.content import TabContent
from backend.text import plain_text

log = logging.getLogger(__name__)

_HEADER_ROWS = 20
_NAMES = ("notes", "note")

_NOTES = sa.table("sheet_notes", sa.column("run", sa.Text), sa.column("note", sa.Text))


class SheetNotes:
    """What was read last is stored: commands show it too, and none publishes Results without.

    Safe to use from several threads and processes.
    """

    def __init__(
        self,
        database: sa.Engine,
        sheet: Callable[[], Sheet],
        tab: str,
        marks: Callable[[], Mapping[str, Mark]],
        on_changed: Callable[[set[str]], None],
    ) -> None:
        """`marks` are those of the page and the command line; `on_changed` is called with the runs that differ."""
        self._database = database
        self._reading = database.execution_options(reading=True)
        self._sheet = sheet
        self._tab = tab
        self._known_marks = marks
        self._on_changed = on_changed

    def refresh(self) -> None:
        """Reads the tab; where it cannot be read now, what was read last stays."""
        try:
            notes = notes_in(self._sheet().read(self._tab))
        except NotFoundError:
            notes = {}
        except SheetrackError as error:
            log.info("the notes are not read now: %s", error)
            return
        before = self._stored()
        if changed := {run for run in before | notes if before.get(run) != notes.get(run)}:
            with self._database.begin() as connection:
                connection.execute(sa.delete(_NOTES))
                if notes:
                    rows = [{"run": run, "note": note} for run, note in notes.items()]
                    connection.execute(sa.insert(_NOTES), rows)
            self._on_changed(changed)

    def marks(self) -> Mapping[str, Mark]:
        """What people note, by run: in their tab, on the page and at the command line."""
        marks = dict(self._known_marks())
        for run, note in self._stored().items():
            mark = marks.get(run, Mark())
            both = note if mark.note in ("", note) else f"{note} · {mark.note}"
            marks[run] = mark.model_copy(update={"note": both})
        return marks

    def _stored(self) -> dict[str, str]:
        with self._reading.connect() as connection:
            return {row.run: row.note for row in connection.execute(sa.select(_NOTES))}


def notes_in(content: TabContent) -> dict[str, str]:
    """The note of each run; empty where the tab has no such columns in its first rows."""
    for header in range(min(len(content), _HEADER_ROWS)):
        titles = [title.casefold() for title in content.texts(header)]
        column = next((titles.index(name) for name in _NAMES if name in titles), None)
        if "run" in titles and column is not None:
            key = titles.index("run")
            pairs = (
                (content.text(row, key), plain_text(content.text(row, column), LONGEST_NOTE))
                for row in range(header + 1, len(content))
            )
            return {run: note for run, note in pairs if run and note}
    return {}
