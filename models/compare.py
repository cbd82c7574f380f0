"""Two confusion matrices compared: what changed, and whether it may be chance. Needs neither numpy nor torch."""

import csv
from collections.abc import Sequence
from importlib.resources import files
from itertools import combinations
from pathlib import Path
from typing import NamedTuple, TypeVar

from pydantic import BaseModel, ConfigDict

from models import published
from models.program_reader import is_program, read_any_result
from models.result import Matrix, ProgramResult
from models.run_folder import RunFolder
from models.run_reader import read_predictions, read_result
from models.significance import Significance, mcnemar, two_proportions

PUBLISHED = {
    "published:base": ("base", "confusion_base", "base, published"),
    "published:ch32": ("ch32", "confusion_ch32_do075", "ch32 · 8 · DO(0.75), published"),
}
"""The matrices of the lab's published tables by name: architecture, file and title. Full-length clips only."""

Number = TypeVar("Number", int, float)


class CompareError(ValueError):
    """The two cannot be compared; the message is one sentence for people."""


class _Plain(BaseModel):
    model_config = ConfigDict(frozen=True)


class Side(_Plain):
    """One of the two; `accuracy` is that of its matrix."""

    name: str
    title: str
    published: bool
    synthetic: bool
    clips: int
    accuracy: float
    confusion_matrix: Matrix


class PairChange(_Plain):
    """The confusions of two words, in clips of both directions.

    `change` is the errors of B less those of A, after A's are scaled to as many clips of the two words as B has.
    """

    words: tuple[str, str]
    errors_a: int
    errors_b: int
    change: float


class Comparison(_Plain):
    """B beside A. Differences are B less A; per cent are of the clips of a label (a row)."""

    words: list[str]
    a: Side
    b: Side
    difference: list[list[int]]
    difference_percent: list[list[float]]
    pairs: list[PairChange]
    significance: Significance
    notes: list[str]


class Pairwise(_Plain):
    """Several sides, and for each two of them whether their difference may be chance."""

    sides: list[Side]
    tests: list[list[Significance | None]]
    """Row and column in the order of `sides`; None on the diagonal and where the two cannot be compared."""
    notes: list[str]


class _Source(NamedTuple):
    """A side before both have the same clips and the same order of words."""

    name: str
    title: str
    words: list[str]
    every_clip: Matrix | None
    full_length: Matrix | None
    architecture: str
    data_hash: str | None
    synthetic: bool
    folder: RunFolder | None


def compare(a: str, b: str) -> Comparison:
    """Compares two sides, each the path of a run folder or a name in `PUBLISHED`.

    Two runs are compared on all test clips. If one side is published, only full-length clips count, because
    the published matrices have no others. Words are in A's order.

    Raises:
        CompareError: a side does not exist or is not finished, or the two have different words.
        BrokenRunError: a file of a run cannot be read.
    """
    one, other = _source(a), _source(b)
    if set(one.words) != set(other.words):
        differing = ", ".join(sorted(set(one.words) ^ set(other.words)))
        raise CompareError(
            f"{one.name} and {other.name} do not have the same words ({differing}):"
            " choose two that were trained on the same words"
        )
    full_length = one.every_clip is None or other.every_clip is None
    side_a, side_b = _side(one, one.words, full_length), _side(other, one.words, full_length)
    right = [_right_by_clip(source.folder) if source.folder else {} for source in (one, other)]
    significance, notes = _significance((one, side_a, right[0]), (other, side_b, right[1]))
    if full_length:
        notes.append("Only full-length clips count, as in the published study.")
    for source, side in ((one, side_a), (other, side_b)):
        notes += _notes(source, side)
    return Comparison(
        words=one.words,
        a=side_a,
        b=side_b,
        difference=_less(side_b.confusion_matrix, side_a.confusion_matrix),
        difference_percent=_less(_percent(side_b.confusion_matrix), _percent(side_a.confusion_matrix)),
        pairs=_pairs(one.words, side_a.confusion_matrix, side_b.confusion_matrix),
        significance=significance,
        notes=notes,
    )


def compare_all(names: Sequence[str]) -> Pairwise:
    """Compares every two of several sides, as `compare` does; what is read is read once.

    Raises:
        CompareError: a side does not exist or is not finished.
        BrokenRunError: a file of a run cannot be read.
    """
    sources = [_source(name) for name in names]
    full_length = any(source.every_clip is None for source in sources)
    sides = [_side(source, source.words, full_length) for source in sources]
    right = [_right_by_clip(source.folder) if source.folder else {} for source in sources]
    tests: list[list[Significance | None]] = [[None] * len(sides) for _ in sides]
    notes: list[str] = []
    for one, other in combinations(range(len(sides)), 2):
        if set(sources[one].words) != set(sources[other].words):
            notes.append(f"{sides[one].name} and {sides[other].name} do not have the same words.")
            continue
        test, told = _significance(
            (sources[one], sides[one], right[one]), (sources[other], sides[other], right[other])
        )
        tests[one][other] = tests[other][one] = test
        notes += told
    return Pairwise(sides=sides, tests=tests, notes=list(dict.fromkeys(notes)))


def _source(name: str) -> _Source:
    if name.startswith("published:"):
        return _published(name)
    folder = RunFolder(Path(name))
    if not folder.path.is_dir():
        raise CompareError(f"there is no run folder {name}: give the path of one, or {', '.join(PUBLISHED)}")
    if is_program(folder):
        return _program(folder)
    result = read_result(folder)
    if result is None:
        raise CompareError(f"run {folder.id} has no result yet: wait until it is finished, or choose another")
    return _Source(
        name=folder.id,
        title=result.recipe.title,
        words=list(result.words),
        every_clip=result.confusion_matrix,
        full_length=result.confusion_matrix_full_length,
        architecture=result.recipe.architecture,
        data_hash=result.data.hash,
        synthetic=result.data.synthetic,
        folder=folder,
    )


def _program(folder: RunFolder) -> _Source:
    result = read_any_result(folder)
    if not isinstance(result, ProgramResult) or result.confusion_matrix is None:
        raise CompareError(f"run {folder.id} has no confusion matrix: choose a run that has one")
    return _Source(
        name=folder.id,
        title=result.title,
        words=list(result.words),
        every_clip=result.confusion_matrix,
        full_length=None,
        architecture="",
        data_hash=f"of run {folder.id}",  # not known, so equal to no other
        synthetic=False,
        folder=folder,
    )


def _published(name: str) -> _Source:
    if name not in PUBLISHED:
        raise CompareError(f"there is no published matrix {name}: choose {' or '.join(PUBLISHED)}")
    architecture, file, title = PUBLISHED[name]
    table = files("models") / "published_tables" / f"{file}.csv"
    header, *rows = csv.reader(table.read_text(encoding="utf-8").splitlines())
    return _Source(
        name=name,
        title=title,
        words=header[1:],
        every_clip=None,
        full_length=tuple(tuple(int(count) for count in row[1:]) for row in rows),
        architecture=architecture,
        data_hash=None,
        synthetic=False,
        folder=None,
    )


def _side(source: _Source, words: list[str], full_length: bool) -> Side:
    matrix = source.full_length if full_length else source.every_clip
    if matrix is None:
        raise CompareError(f"{source.name} has no matrix of full-length clips: train its recipe again")
    order = [source.words.index(word) for word in words]
    matrix = tuple(tuple(matrix[label][prediction] for prediction in order) for label in order)
    clips = sum(map(sum, matrix))
    if not clips:
        raise CompareError(f"{source.name} was tested on no such clips: choose a run with test clips")
    return Side(
        name=source.name,
        title=source.title,
        published=source.folder is None,
        synthetic=source.synthetic,
        clips=clips,
        accuracy=_right(matrix) / clips,
        confusion_matrix=matrix,
    )


def _right(matrix: Matrix) -> int:
    return sum(row[word] for word, row in enumerate(matrix))


def _percent(matrix: Matrix) -> list[list[float]]:
    return [[100 * count / (sum(row) or 1) for count in row] for row in matrix]


def _less(b: Sequence[Sequence[Number]], a: Sequence[Sequence[Number]]) -> list[list[Number]]:
    return [[y - x for x, y in zip(*rows, strict=True)] for rows in zip(a, b, strict=True)]


def _pairs(words: list[str], a: Matrix, b: Matrix) -> list[PairChange]:
    """All pairs of words whose errors changed, the greatest change first."""
    pairs = []
    for one, other in combinations(range(len(words)), 2):
        errors_a, errors_b = a[one][other] + a[other][one], b[one][other] + b[other][one]
        clips_a, clips_b = sum(a[one] + a[other]), sum(b[one] + b[other])
        change = errors_b - errors_a * (clips_b / clips_a if clips_a else 1)
        if change:
            pairs.append(
                PairChange(
                    words=(words[one], words[other]), errors_a=errors_a, errors_b=errors_b, change=change
                )
            )
    return sorted(pairs, key=lambda pair: -abs(pair.change))


_Right = dict[tuple[str, str], bool]
"""Whether the prediction of each test clip, by clip and label, is right."""


def _significance(
    first: tuple[_Source, Side, _Right], second: tuple[_Source, Side, _Right]
) -> tuple[Significance, list[str]]:
    """The significance test, paired if possible, and notes that explain it."""
    (one, a, right_a), (other, b, right_b) = first, second
    if one.folder and other.folder:
        if right_a and right_a.keys() == right_b.keys():
            paired = mcnemar(
                sum(right and not right_b[clip] for clip, right in right_a.items()),
                sum(right and not right_a[clip] for clip, right in right_b.items()),
            )
            same_data = one.data_hash == other.data_hash
            return paired, [] if same_data else ["The data sets differ: clips are paired by their names."]
        why = "the runs were not tested on the same clips"
    else:
        why = "a published matrix has no predictions of single clips"
    unpaired = two_proportions(_right(a.confusion_matrix), a.clips, _right(b.confusion_matrix), b.clips)
    return unpaired, [
        f"Not McNemar's test, because {why}: the z-test assumes that the two sets of clips are independent."
    ]


def _right_by_clip(folder: RunFolder) -> _Right:
    """Empty without predictions."""
    return {(row.clip, row.label): row.prediction == row.label for row in read_predictions(folder)}


def _notes(source: _Source, side: Side) -> list[str]:
    notes = []
    if side.synthetic:
        notes.append(f"{source.name} was tested on synthetic speech.")
    if side.published:
        announced = {row.accuracy for row in published.results() if row.architecture == source.architecture}
        if round(side.accuracy, 4) not in announced:
            notes.append(
                f"The matrix of {source.name} gives accuracy {side.accuracy:.4f}, while"
                f" {', '.join(f'{accuracy:.4f}' for accuracy in sorted(announced))} are published for {source.architecture}."
            )
    return notes
