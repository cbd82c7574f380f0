"""What the tab of a comparison shows. Pure."""

from collections.abc import Sequence
from datetime import datetime

from backend.sheets.table import Cell, Column, Number, Picture, Section, Table, Text
from backend.tabs.names import Rank, comparison_tab, run_tab
from backend.tabs.run_sections import matrix_section
from models.compare import Comparison, Pairwise, Side
from models.significance import Significance

_SHOWN_PAIRS = 12
_SMALLEST_PERCENT = 0.5


def comparison_table(comparison: Comparison, at: datetime, picture: Picture | None = None) -> Table:
    """Both sides, whether chance explains their difference, both matrices, and what changed."""
    a, b = comparison.a, comparison.b
    sections = [
        _facts(comparison),
        matrix_section(f"Confusion matrix of A, {a.name}", _note(a), comparison.words, a.confusion_matrix),
        matrix_section(f"Confusion matrix of B, {b.name}", _note(b), comparison.words, b.confusion_matrix),
        _difference(comparison),
        _pairs(comparison),
    ]
    if picture:
        sections.append(Section(title="Picture", columns=(), pictures=(picture,)))
    name = comparison_tab(a.name, b.name)
    return Table(name=name, rank=Rank.COMPARISON.newest_first(at), sections=tuple(sections))


def _facts(comparison: Comparison) -> Section:
    a, b, test = comparison.a, comparison.b, comparison.significance
    rows: list[tuple[Cell, ...]] = [
        ("Run", _run(a), _run(b), None),
        ("Training", a.title, b.title, None),
        (
            "Accuracy",
            Number(value=a.accuracy, format="accuracy", bold=a.accuracy > b.accuracy),
            Number(value=b.accuracy, format="accuracy", bold=b.accuracy > a.accuracy),
            Number(value=b.accuracy - a.accuracy, format="points"),
        ),
        (
            "Test clips",
            Number(value=a.clips, format="integer"),
            Number(value=b.clips, format="integer"),
            None,
        ),
    ]
    if test.only_a_right is not None:
        only = [Number(value=count, format="integer") for count in (test.only_a_right, test.only_b_right)]
        rows.append(("Clips that only it gets right", *only, None))
    chance = "p < 0.0001" if test.p_value < 0.0001 else f"p = {test.p_value:.2g}"
    rows.append(("Test of significance", f"{test.test}: {chance}", None, None))
    columns = (
        Column(title="Fact", width=18),
        Column(title="A", span=4),
        Column(title="B", span=4),
        Column(title="B less A", span=2),
    )
    return Section(
        title=f"A: {a.title}   B: {b.title}",
        note=" ".join(comparison.notes),
        columns=columns,
        rows=tuple(rows),
    )


def pairwise_table(pairwise: Pairwise) -> Table:
    """Several runs: their accuracies, and for every two of them how likely chance alone makes their difference."""
    sides = pairwise.sides
    best = max(side.accuracy for side in sides)
    rows = tuple(
        (
            _run(side),
            side.title,
            Number(value=side.accuracy, format="accuracy", bold=side.accuracy == best),
            Number(value=side.clips, format="integer"),
            *(_p_value(test) for test in tests),
        )
        for side, tests in zip(sides, pairwise.tests, strict=True)
    )
    tests = {test.test for row in pairwise.tests for test in row if test}
    how = f"p by {' or '.join(sorted(tests))}, not corrected for the number of pairs; bold: p below 0.05."
    note = how if tests else "No two of them can be tested."
    columns = (
        Column(title="Run", width=12),
        Column(title="Training", width=26),
        Column(title="Accuracy", format="accuracy", width=10),
        Column(title="Test clips", format="integer", width=10),
        *(Column(title=f"p, {side.name}", format="decimal", width=12) for side in sides),
    )
    section = Section(
        title="Accuracy, and whether the differences may be chance",
        note=" ".join([note, *pairwise.notes]),
        columns=columns,
        rows=rows,
    )
    name = f"Compare {' '.join(side.name for side in sides)}"
    return Table(name=name, rank=Rank.COMPARISON, sections=(section,))


def _p_value(test: Significance | None) -> Cell:
    if test is None:
        return None
    words = "< 0.0001" if test.p_value < 0.0001 else f"{test.p_value:.2g}"
    return Text(text=words, bold=test.p_value < 0.05)


def _run(side: Side) -> Text:
    return Text(
        text=side.name,
        tab=None if side.published else run_tab(side.name),
        note="synthetic speech" if side.synthetic else "",
    )


def _note(side: Side) -> str:
    return f"{side.title}: {side.clips:,} test clips; rows are the labels, columns the predictions."


def _difference(comparison: Comparison) -> Section:
    """In clips where both sides have as many of every label, else in per cent of the clips of a label."""
    sums = [[sum(row) for row in side.confusion_matrix] for side in (comparison.a, comparison.b)]
    in_clips = sums[0] == sums[1]
    rows: Sequence[Sequence[float | None]] = comparison.difference
    if not in_clips:
        rows = [
            [percent / 100 if abs(percent) >= _SMALLEST_PERCENT else None for percent in row]
            for row in comparison.difference_percent
        ]
    predictions = (
        Column(title=word, format="integer" if in_clips else "percent", width=7, heat=True)
        for word in comparison.words
    )
    return Section(
        title="B less A",
        note=(
            f"In {'clips' if in_clips else 'per cent of the clips of the label'}; "
            "blue: more often in B, orange: more often in A. On the diagonal more is better, elsewhere less."
        ),
        columns=(Column(title="Label / prediction", width=18), *predictions),
        rows=tuple(
            (word, *(value or None for value in row))
            for word, row in zip(comparison.words, rows, strict=True)
        ),
        heat="difference",
    )


def _pairs(comparison: Comparison) -> Section:
    return Section(
        title="Confused words: the greatest changes",
        columns=(
            Column(title="Words", width=18),
            Column(title="A", format="integer", width=7),
            Column(title="B", format="integer", width=7),
            Column(title="Change", format="integer", width=7),
        ),
        rows=tuple(
            (" / ".join(pair.words), pair.errors_a, pair.errors_b, round(pair.change))
            for pair in comparison.pairs[:_SHOWN_PAIRS]
        ),
        empty="None: both confuse the same words, as often.",
    )
