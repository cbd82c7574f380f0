"""A data set of brain responses to sounds, whatever its layout was."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.brain.errors import BrainError

Floats = NDArray[np.floating]
MOST_MISSING_TRS = 5
"""A run may be this much shorter than its stimulus: scanners stop early, and the ends are trimmed."""
EVERYWHERE = "all"
"""The region, or the person, of voxels without one."""


@dataclass(frozen=True)
class Voxels:
    """A row for each voxel."""

    ids: NDArray[np.str_]
    subjects: NDArray[np.str_]
    hemispheres: NDArray[np.str_]
    regions: NDArray[np.str_]
    xyz_mm: Floats
    """(voxels, 3) in MNI space; NaN where not known."""

    def __len__(self) -> int:
        return len(self.ids)

    def of(self, chosen: NDArray[np.bool_]) -> "Voxels":
        return Voxels(
            self.ids[chosen],
            self.subjects[chosen],
            self.hemispheres[chosen],
            self.regions[chosen],
            self.xyz_mm[chosen],
        )

    @classmethod
    def plain(cls, count: int) -> "Voxels":
        """Voxels of which nothing is known."""
        everywhere = np.full(count, EVERYWHERE)
        ids = np.arange(count).astype(str)
        return cls(ids, everywhere, np.full(count, ""), everywhere, np.full((count, 3), np.nan))


@dataclass(frozen=True)
class Event:
    onset_s: float
    duration_s: float
    stimulus: str
    """A file in `stimuli`, without the ending."""
    condition: str = ""
    """What a GLM calls it: the trial type, or the stimulus."""


@dataclass(frozen=True)
class Run:
    """One run of the scanner: (TRs, voxels) responses, and what was heard."""

    name: str
    responses: Floats
    events: tuple[Event, ...]
    confounds: Floats | None = None
    """(TRs, regressors) of the preprocessing; no NaN."""
    confound_names: tuple[str, ...] = ()

    @property
    def what(self) -> tuple[tuple[float, str], ...]:
        """Equal for runs that repeat the same sounds."""
        return tuple((event.onset_s, event.stimulus) for event in self.events)


@dataclass
class DataSet:
    """Either `responses` to separate `sounds`, or `runs` with continuous ones."""

    folder: Path
    name: str
    simulated: bool
    voxels: Voxels
    stimuli: dict[str, Path]
    """Sound files by name."""
    notices: list[str] = field(default_factory=list)
    """What was left out and what is missing, a sentence each."""
    sounds: list[str] = field(default_factory=list)
    responses: Floats | None = None
    """(sounds, voxels, repetitions)"""
    runs: list[Run] = field(default_factory=list)
    tr_s: float = 0.0
    slice_time: float = 0.5
    """At which part of a TR its volume counts: 0.5 is the middle."""
    masks: dict[str, Path] = field(default_factory=dict)
    """Of images: the mask of each person."""

    @property
    def separate(self) -> bool:
        return self.responses is not None


def sound_files(folder: Path) -> dict[str, Path]:
    """The WAV files of a data set by name, without the ending."""
    return {file.stem: file for file in sorted((folder / "stimuli").glob("*.wav"))}


def array(file: Path) -> Floats:
    """The array in a `.npy` file. Raises: BrainError."""
    try:
        content = np.load(file, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        raise BrainError(f"{file} cannot be read: save one array of numbers with numpy.save") from None
    if not np.issubdtype(content.dtype, np.number) or np.iscomplexobj(content):
        raise BrainError(f"{file} holds no numbers but {content.dtype}: save one array of numbers")
    return np.asarray(content, dtype=np.float32)


def set_sounds(data: DataSet, sounds: list[str], responses: Floats) -> None:
    """Keeps the sounds that have both a file and responses. Raises: BrainError: the order cannot match."""
    if len(sounds) != len(responses):
        raise BrainError(
            f"{len(sounds)} sounds are named in order, and the responses have shape {responses.shape}: "
            "give each row of the responses its sound"
        )
    if twice := sorted({sound for sound in sounds if sounds.count(sound) > 1}):
        raise BrainError(f"{_some(twice)} named twice in the order of sounds: name each sound once")
    there = [sound in data.stimuli for sound in sounds]
    if missing := [sound for sound, is_there in zip(sounds, there, strict=True) if not is_there]:
        data.notices.append(
            f"{_count(missing, 'sound')} without a file in stimuli left out: {_some(missing)}."
        )
    if extra := sorted(data.stimuli.keys() - set(sounds)):
        data.notices.append(f"{_count(extra, 'file')} in stimuli without responses not used: {_some(extra)}.")
    data.sounds = [sound for sound, is_there in zip(sounds, there, strict=True) if is_there]
    data.responses = responses[np.array(there, dtype=bool)]
    if not data.sounds:
        raise BrainError(
            f"no sound of the responses has a file in {data.folder / 'stimuli'}: put the WAV files there"
        )
    if data.responses.shape[2] == 1:
        data.notices.append(
            "One repetition only: reliability cannot be told, so nothing is corrected for noise "
            "and all voxels are kept."
        )


def keep_equal_runs(data: DataSet) -> None:
    """Keeps the runs that have as many voxels as most. Raises: BrainError: no run is left."""
    widths = [run.responses.shape[1] for run in data.runs]
    usual = max(set(widths), key=widths.count, default=0)
    for run in data.runs:
        if run.responses.shape[1] != usual:
            data.notices.append(
                f"Run {run.name} left out: it has {run.responses.shape[1]} voxels where others have {usual}."
            )
    data.runs = [run for run in data.runs if run.responses.shape[1] == usual]
    if not data.runs:
        raise BrainError(f"no run of {data.folder} can be used: {' '.join(data.notices)}".rstrip(". "))


def fit_runs_to_sounds(data: DataSet, lengths_s: dict[str, float]) -> None:
    """Trims ends that do not fit, never stretches; leaves runs out whose sounds are missing or far longer.

    Args:
        data: its runs and notices change.
        lengths_s: of each sound that could be read.

    Raises:
        BrainError: no run is left.
    """
    kept = []
    for run in data.runs:
        if missing := sorted({event.stimulus for event in run.events} - lengths_s.keys()):
            data.notices.append(f"Run {run.name} left out: no sound for {_some(missing)}.")
            continue
        end_s = max(event.onset_s + lengths_s[event.stimulus] for event in run.events)
        trs, needed = len(run.responses), round(end_s / data.tr_s)
        if needed - trs > MOST_MISSING_TRS:
            data.notices.append(
                f"Run {run.name} left out: its {trs} TRs are {needed - trs} fewer than its sounds last."
            )
            continue
        if needed > trs:
            data.notices.append(
                f"Run {run.name} is {needed - trs} TRs shorter than its sounds: their ends are not used."
            )
        elif trs - needed > MOST_MISSING_TRS:
            data.notices.append(
                f"Run {run.name} goes on for {trs - needed} TRs after its sounds: the first {MOST_MISSING_TRS} are used."
            )
            run = Run(run.name, run.responses[: needed + MOST_MISSING_TRS], run.events)  # noqa: PLW2901
        kept.append(run)
    data.runs = kept
    if not kept:
        raise BrainError(f"no run of {data.folder} can be used: {' '.join(data.notices)}".rstrip(". "))


def read_events(file: Path) -> tuple[Event, ...]:
    """The events of a run, of a BIDS table with onset, duration, and stimulus, stim_file or trial_type.

    Raises:
        BrainError: there is no such table.
    """
    rows = table(file)
    events = []
    for number, row in enumerate(rows, start=2):
        what = row.get("stimulus") or row.get("stim_file") or row.get("trial_type") or ""
        try:
            onset, duration = float(row["onset"]), float(row.get("duration") or 0)
        except (KeyError, ValueError):
            raise BrainError(f"{file.name}, line {number}: it needs numbers for onset and duration") from None
        if what and what != "n/a" and np.isfinite(onset) and np.isfinite(duration):
            stimulus = Path(what).name.removesuffix(".wav")
            events.append(Event(onset, duration, stimulus, row.get("trial_type") or stimulus))
    if not events:
        raise BrainError(f"{file.name} names no event: it needs rows with onset, duration and stimulus")
    return tuple(sorted(events, key=lambda event: event.onset_s))


def table(file: Path) -> list[dict[str, str]]:
    """The rows of a table with tabs. Raises: BrainError."""
    try:
        with file.open(newline="", encoding="utf-8") as opened:
            return [
                {key: value for key, value in row.items() if key and value is not None}
                for row in csv.DictReader(opened, delimiter="\t")
            ]
    except (OSError, ValueError, csv.Error):
        raise BrainError(f"{file.name} cannot be read: it is a table with tabs and a header") from None


def cleaned(data: DataSet) -> DataSet:
    """Without voxels that cannot be predicted: those with NaN and constant ones. Raises: BrainError: none is left."""
    arrays = [data.responses] if data.responses is not None else [run.responses for run in data.runs]
    finite = np.all(
        [np.isfinite(each).all(axis=tuple(i for i in range(each.ndim) if i != 1)) for each in arrays], axis=0
    )
    constant = np.zeros(len(finite), dtype=bool)
    for each in arrays:
        spread = np.ptp(np.where(np.isfinite(each), each, 0), axis=0)
        constant |= (spread == 0).any(axis=-1) if each.ndim == 3 else spread == 0
    constant &= finite
    for what, count in (
        ("with values that are no numbers", (~finite).sum()),
        ("that never change", constant.sum()),
    ):
        if count:
            data.notices.append(f"{count} of {len(finite)} voxels {what} left out.")
    kept = finite & ~constant
    if not kept.any():
        raise BrainError(f"no voxel of {data.folder} can be used: {' '.join(data.notices)}".rstrip(". "))
    if not kept.all():
        data.voxels = data.voxels.of(kept)
        if data.responses is not None:
            data.responses = data.responses[:, kept]
        data.runs = [
            Run(run.name, run.responses[:, kept], run.events, run.confounds, run.confound_names)
            for run in data.runs
        ]
    return data


def _count(things: Sequence[str], noun: str) -> str:
    return f"{len(things)} {noun}{'s' if len(things) != 1 else ''}"


def _some(names: Sequence[str], most: int = 3) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
