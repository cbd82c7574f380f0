"""Sheetrack's columns in people's tabs, and a copy of such a tab."""

from tests.google.server import SheetsServer
from tests.google.state import Tab


def ours(server: SheetsServer) -> dict[str, int]:
    """Where Sheetrack's columns are."""
    marks = [server.state.mark_of(number) for number in server.state.marks]
    columns = [mark for mark in marks if '"column"' in mark["metadataValue"]]
    return {
        mark["metadataValue"].split('"title": "')[1].split('"')[0]: mark["location"]["dimensionRange"][
            "startIndex"
        ]
        for mark in columns
    }


def copied(server: SheetsServer, tab: Tab, number: int) -> None:
    """Duplicates a tab as Google does: metadata and protections get IDs of their own."""
    copy = Tab(number, f"Copy of {tab.title}", len(tab.rows), len(tab.columns))
    for new, old in zip(copy.rows, tab.rows, strict=True):
        new.cells = {copy.columns[tab.columns.index(line)]: cell for line, cell in old.cells.items()}
    lines = dict(zip([*tab.rows, *tab.columns], [*copy.rows, *copy.columns], strict=True))
    server.state.tabs.append(copy)
    for at, (content, place, line) in enumerate(list(server.state.marks.values()), number * 1000):
        if place is tab and line is not None:
            server.state.marks[at] = ({**content, "metadataId": at}, copy, lines[line])
    for at, entry in enumerate(tab.protections.values(), number * 1000):
        moved = {"protectedRangeId": at, "lines": [lines[line] for line in entry["lines"]]}
        copy.protections[at] = {**entry, **moved}
