"""The sections of a run's tab about its predictions, its first filters, and its broken files. Pure."""

from collections.abc import Sequence

from backend.sheets.table import Column, Section, Sound, Spark, Text
from backend.times import iso
from models.result import BrokenFile, Evaluation, Filter, Matrix, Prediction, ProgramResult, RunResult

_SHOWN_CONFUSIONS = 10
_SHOWN_WRONG = 50
_FILTERS_A_ROW = 8


def broken_files(broken: Sequence[BrokenFile]) -> list[Section]:
    """The files that cannot be read, each with the reason; no section where there are none."""
    if not broken:
        return []
    return [
        Section(
            title="Broken files",
            note="Restore these files, or train the recipe again.",
            columns=(Column(title="File", width=18), Column(title="Reason", span=2)),
            rows=tuple((Text(text=each.file, tone="bad"), each.reason) for each in broken),
        )
    ]


def tested_on(evaluations: Sequence[Evaluation]) -> list[Section]:
    """Tests of the run on other data, a row each, the newest first; no section where there are none."""
    if not evaluations:
        return []
    return [
        Section(
            title="Tested on",
            note="Made by sheetrack evaluate: every clip of the folder whose word the network knows.",
            columns=(
                Column(title="Data", width=18),
                Column(title="Accuracy", format="accuracy", span=2),
                Column(title="Clips", format="integer", span=2),
                Column(title="When", format="time", span=2),
            ),
            rows=tuple(
                (
                    Text(
                        text=f"{each.data.name}{' (synthetic)' if each.data.synthetic else ''}",
                        note="; ".join([each.data.folder, *each.data.notices]),
                    ),
                    each.accuracy,
                    each.clips,
                    iso(each.finished_at),
                )
                for each in reversed(evaluations)
            ),
        )
    ]


def confusion_matrix(run: RunResult | ProgramResult, matrix: Matrix) -> Section:
    clips = sum(map(sum, matrix))
    note = f"{clips:,} test clips; rows are the labels, columns the predictions."
    return matrix_section("Confusion matrix", note, run.words, matrix)


def matrix_section(title: str, note: str, words: Sequence[str], matrix: Sequence[Sequence[int]]) -> Section:
    """Counts, a row for each label, and the share of each row with the right prediction."""
    predictions = tuple(Column(title=word, format="integer", width=7, heat=True) for word in words)
    return Section(
        title=title,
        note=note,
        columns=(
            Column(title="Label / prediction", width=18),
            *predictions,
            Column(title="Recall", format="accuracy"),
        ),
        rows=tuple(
            (word, *(count or None for count in counts), counts[place] / sum(counts) if sum(counts) else None)
            for place, (word, counts) in enumerate(zip(words, matrix, strict=True))
        ),
        heat="count",
    )


def confusions(run: RunResult | ProgramResult, matrix: Matrix) -> Section:
    wrong = sorted(
        (-count, label, prediction)
        for row, label in zip(matrix, run.words, strict=True)
        for count, prediction in zip(row, run.words, strict=True)
        if label != prediction and count
    )
    return Section(
        title="Most frequent confusions",
        columns=(
            Column(title="Label", width=18),
            Column(title="Prediction", width=10),
            Column(title="Clips", format="integer", width=7),
        ),
        rows=tuple((label, prediction, -count) for count, label, prediction in wrong[:_SHOWN_CONFUSIONS]),
        empty="None: every prediction was right.",
    )


def wrong_predictions(run: str, predictions: Sequence[Prediction]) -> list[Section]:
    """The clips with a wrong prediction, the most confident first; no section where none is known."""
    wrong = sorted(
        (row for row in predictions if row.prediction != row.label),
        key=lambda row: (-row.confidence, row.clip),
    )
    if not wrong:
        return []
    return [
        Section(
            title="Wrong predictions",
            note=f"{min(len(wrong), _SHOWN_WRONG)} of {len(wrong):,} clips, the most confident predictions first.",
            columns=(
                Column(title="Label", width=18),
                Column(title="Prediction", width=10),
                Column(title="Confidence", format="percent", width=10),
                Column(title="Clip", width=7),
            ),
            rows=tuple(
                (
                    row.label,
                    row.prediction,
                    row.confidence,
                    Text(text=row.clip, sound=Sound(run=run, clip=row.clip)),
                )
                for row in wrong[:_SHOWN_WRONG]
            ),
        )
    ]


def first_filters(filters: Sequence[Filter]) -> list[Section]:
    """The filters of the first layer on one scale, from low to high centre frequency."""
    if not filters:
        return []
    largest = max(abs(weight) for entry in filters for weight in entry.weights)
    groups = [filters[at : at + _FILTERS_A_ROW] for at in range(0, len(filters), _FILTERS_A_ROW)]
    return [
        Section(
            title="Filters of the first layer",
            note=(
                f"Weights of {len(filters)} filters of {len(filters[0].weights)} taps, all on the scale "
                f"-{largest:.2g} to {largest:.2g}, from low to high centre frequency."
            ),
            columns=(
                Column(title="kHz", width=18),
                *(Column(title="", width=7) for _ in range(_FILTERS_A_ROW)),
            ),
            rows=tuple(
                (
                    _range(group),
                    *(_filter(entry, largest) for entry in group),
                    *[None] * (_FILTERS_A_ROW - len(group)),
                )
                for group in groups
            ),
        )
    ]


def _filter(entry: Filter, largest: float) -> Spark:
    centre = "no centre" if entry.centre_hz is None else f"centre {entry.centre_hz:.0f} Hz"
    weights = " ".join(f"{weight:+.2g}" for weight in entry.weights)
    return Spark(
        values=entry.weights,
        style="column",
        low=-largest,
        high=largest,
        label=f"channel {entry.channel}, {centre}: {weights}",
    )


def _range(filters: Sequence[Filter]) -> str:
    known = [entry.centre_hz for entry in filters if entry.centre_hz is not None]
    return f"{known[0] / 1000:.2f} to {known[-1] / 1000:.2f}" if known else ""
