"""What a run's tab tells of what was heard, and of the filters that hear it. Pure."""

from collections.abc import Sequence
from typing import Any

from backend.jobs.result import RunResult
from backend.sheets.table import Column, Section, Sound, Spark, Text

_SHOWN_WRONG = 50
_FILTERS_A_ROW = 8


def confusion_matrix(run: RunResult) -> Section:
    clips = f"{run.test_clips:,} test clips; rows are the words said, columns the words heard"
    return matrix_section("Confusion matrix", f"{clips}.", run.words, run.confusion_matrix)


def matrix_section(title: str, note: str, words: Sequence[str], matrix: Sequence[Sequence[int]]) -> Section:
    """Counts, a row a word said, and the share of each row that was heard right."""
    heard = tuple(Column(title=word, format="integer", width=7, heat=True) for word in words)
    return Section(
        title=title,
        note=note,
        columns=(Column(title="said / heard", width=18), *heard, Column(title="right", format="accuracy")),
        rows=tuple(
            (word, *(count or None for count in counts), counts[place] / sum(counts) if sum(counts) else None)
            for place, (word, counts) in enumerate(zip(words, matrix, strict=True))
        ),
        heat="count",
    )


def mistakes(run: RunResult) -> Section:
    wrong = sorted(
        (
            (-count, said, heard)
            for row, said in zip(run.confusion_matrix, run.words, strict=True)
            for count, heard in zip(row, run.words, strict=True)
            if said != heard and count
        ),
    )[:10]
    return Section(
        title="Most frequent mistakes",
        columns=(
            Column(title="Said", width=18),
            Column(title="Heard", width=7),
            Column(title="Clips", format="integer", width=7),
        ),
        rows=tuple((said, heard, -count) for count, said, heard in wrong),
        empty="None: every test clip was heard right.",
    )


def wrong_clips(run: str, predictions: Sequence[dict[str, str]]) -> list[Section]:
    """The clips that were heard wrong most surely; none where it is not known which they are."""
    wrong = sorted(
        (row for row in predictions if row["heard"] != row["actual"]),
        key=lambda row: (-float(row["probability"]), row["clip"]),
    )
    if not wrong:
        return []
    return [
        Section(
            title="Clips heard wrong",
            note=f"{min(len(wrong), _SHOWN_WRONG)} of {len(wrong):,}, those first that the network was surest of.",
            columns=(
                Column(title="Said", width=18),
                Column(title="Heard", width=7),
                Column(title="Sure", format="percent", width=7),
                Column(title="Clip", width=7),
            ),
            rows=tuple(
                (
                    row["actual"],
                    row["heard"],
                    float(row["probability"]),
                    Text(text=row["clip"], sound=Sound(run=run, clip=row["clip"])),
                )
                for row in wrong[:_SHOWN_WRONG]
            ),
        )
    ]


def first_filters(filters: Sequence[dict[str, Any]]) -> list[Section]:
    """Every filter of the first layer on one scale, from low to high centre frequency."""
    if not filters:
        return []
    largest = max(abs(weight) for entry in filters for weight in entry["weights"])
    sparks = [_filter(entry, largest) for entry in filters]
    rows = [sparks[at : at + _FILTERS_A_ROW] for at in range(0, len(sparks), _FILTERS_A_ROW)]
    taps = len(filters[0]["weights"])
    return [
        Section(
            title="Filters of the first layer",
            note=(
                f"Weights of {len(filters)} filters of {taps} taps, all on the scale -{largest:.2g} to "
                f"{largest:.2g}, from low to high centre frequency."
            ),
            columns=(
                Column(title="kHz", width=18),
                *(Column(title="", width=7) for _ in range(_FILTERS_A_ROW)),
            ),
            rows=tuple(
                (
                    _range(filters[at * _FILTERS_A_ROW : (at + 1) * _FILTERS_A_ROW]),
                    *row,
                    *[None] * (_FILTERS_A_ROW - len(row)),
                )
                for at, row in enumerate(rows)
            ),
        )
    ]


def _filter(entry: dict[str, Any], largest: float) -> Spark:
    centre = "no centre" if entry["centre_hz"] is None else f"centre {entry['centre_hz']:.0f} Hz"
    weights = " ".join(f"{weight:+.2g}" for weight in entry["weights"])
    return Spark(
        values=tuple(entry["weights"]),
        style="column",
        low=-largest,
        high=largest,
        label=f"channel {entry['channel']}, {centre}: {weights}",
    )


def _range(filters: Sequence[dict[str, Any]]) -> str:
    known = [entry["centre_hz"] for entry in filters if entry["centre_hz"] is not None]
    return f"{known[0] / 1000:.2f} to {known[-1] / 1000:.2f}" if known else ""
