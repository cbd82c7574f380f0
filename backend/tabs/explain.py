"""The tabs of analyses of a network. Pure."""

from collections.abc import Sequence

from backend.sheets.table import Cell, Column, Format, Picture, Section, Sound, Spark, Table, Text
from backend.tabs.names import Rank
from models.explanation import Explanation, Kind, Moment, Quantity, Value

_FORMATS: dict[Kind, Format] = {
    "text": "text",
    "integer": "integer",
    "number": "number",
    "share": "percent",
    "points": "points",
    "curve": "text",
    "moment": "text",
}
_HEAT_FROM = 6
"""Columns of shares by word: the sixteen words of a removed part are a heat map."""


def explanation_table(found: Explanation) -> Table:
    """How to read it, what is grey, what was found; then the table, and the picture."""
    facts: list[tuple[Cell, ...]] = [
        ("How to read it", found.read),
        ("What chance gives", found.null),
        *(("Found", sentence) for sentence in found.found),
        *(("Notice", sentence) for sentence in found.notices),
        ("Again", _command(found)),
    ]
    clips = f" · {found.clips:,} clips" if found.clips else ""
    sections = (
        Section(
            title=found.title,
            note=f"Run {found.run}{clips}",
            columns=(Column(title="Fact", width=18), Column(title="Text", span=2)),
            rows=tuple(facts),
        ),
        Section(
            title="Picture",
            columns=(),
            pictures=(Picture(run=found.run, figure=found.figure, alt=f"{found.title}, run {found.run}"),),
        ),
        Section(
            title="Table",
            note=" ".join(f"{each.title}: {each.note}." for each in found.columns if each.note),
            columns=tuple(_column(each) for each in found.columns),
            rows=tuple(
                tuple(_cell(value, each, found.run) for value, each in zip(row, found.columns, strict=True))
                for row in found.rows
            ),
            row_headers=False,
            heat="difference"
            if any(each.kind == "points" for each in found.columns[_HEAT_FROM:])
            else "none",
            empty="Nothing to show.",
        ),
    )
    return Table(name=found.tab, rank=Rank.EXPLANATION.newest_first(found.made_at), sections=sections)


def explanations_section(found: Sequence[Explanation]) -> list[Section]:
    """For the tab of the run: what was analysed, with a link to each tab; no section where nothing was."""
    if not found:
        return []
    return [
        Section(
            title="What the network does",
            columns=(Column(title="Analysis", width=18), Column(title="Found", span=2)),
            rows=tuple(
                (Text(text=each.tab, tab=each.tab), each.found[0] if each.found else each.title)
                for each in found
            ),
        )
    ]


def _command(found: Explanation) -> str:
    second = f" {found.other}" if found.other else ""
    return f"sheetrack explain {found.what} {found.run}{second}"


def _column(quantity: Quantity) -> Column:
    return Column(
        title=quantity.heading,
        format=_FORMATS[quantity.kind],
        width=18 if quantity.kind in ("text", "moment") else 12,
        heat=quantity.kind == "points",
    )


def _cell(value: Value, quantity: Quantity, run: str) -> Cell:
    match value:
        case Moment():
            word = value.clip.partition("/")[0]
            sound = Sound(run=run, clip=value.clip)
            return Text(text=word, note=f"at {value.seconds:.2f} s", sound=sound)
        case tuple():
            shown = " ".join(f"{each:.2g}" for each in value[:64])
            return Spark(values=value, style="column" if quantity.title == "Taps" else "line", label=shown)
        case _:
            return value
