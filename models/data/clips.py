"""Clips as one memory-mapped array of int16, built once a folder and shared by all trainings."""

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.data.audio import RATE_HZ, UnreadableClipError, read_sound, windows
from models.data.errors import DataError
from models.data.speech_commands import ClipFile, Split, WordFolder, check_complete
from models.places import home

FORMAT = 2
"""Counts up when the cache's content changes its meaning."""

_MOST_BYTES = 64 << 20
"""Files that are read together; MP3 files hold ten times as much sound as WAV files."""

Report = Callable[[int, int], None]
"""Told from time to time how many clips of how many have been read."""


@dataclass(frozen=True)
class Clips:
    """A data set ready to train on.

    Attributes:
        root: the folder that `files` are relative to.
        rate_hz: sampling rate of `audio`.
        audio: (windows, samples) int16, memory-mapped, mono, zero-padded at the end.
        first: (clips + 1,) the first window of each clip, and the number of windows.
        frames: (clips,) samples of each clip before padding; of a clip of one window at most its samples.
        labels: (clips,) index into `words`.
        splits: (clips,) "training", "validation" or "testing".
        hash: SHA-256 over names, splits and samples: equal for equal data, wherever it lies.
        held_out: a sentence: what the test clips have that the training clips have not.
        notices: sentences: what was changed or left out when the files were read.
    """

    name: str
    root: Path
    words: tuple[str, ...]
    files: list[str]
    rate_hz: int
    audio: NDArray[np.int16]
    first: NDArray[np.int64]
    frames: NDArray[np.int64]
    labels: NDArray[np.int64]
    splits: NDArray[np.str_]
    hash: str
    synthetic: bool
    held_out: str
    notices: list[str]

    def of(self, split: Split, *, full_length_only: bool = False) -> NDArray[np.int64]:
        """Indices of the clips of a split."""
        chosen = self.splits == split
        if full_length_only:
            chosen &= self.frames >= self.samples
        return np.flatnonzero(chosen)

    @property
    def samples(self) -> int:
        """The samples of a window."""
        return int(self.audio.shape[1])

    def windows(self, clips: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The windows of some clips: their indices in `audio`, and the place of each one's clip in `clips`."""
        counts = self.first[clips + 1] - self.first[clips]
        owners = np.repeat(np.arange(len(clips)), counts)
        within = np.arange(len(owners)) - np.repeat(np.cumsum(counts) - counts, counts)
        return self.first[clips][owners] + within, owners


def open_clips(
    folder: WordFolder, report: Report = lambda *_: None, *, rate_hz: int = RATE_HZ, seconds: float = 1.0
) -> Clips:
    """Opens the clips of a folder, after reading its files where that was not done or they have changed.

    Clips are resampled to `rate_hz`, and longer ones cut into windows of `seconds`.

    Raises:
        DataError: after unreadable files are left out, a word or a split has no clips.
        OSError: the disk is full.
    """
    samples = round(seconds * rate_hz)
    form = f"{'test-' if folder.is_for_testing else ''}{rate_hz}-{samples}"
    with _place(folder.root) as place:
        cache = place / f"clips-{form}-{_key(folder)}"
        if not (cache / "index.json").is_file():
            outdated_form = "clips-" + "?" * 16  # of an older release
            for outdated in (*place.glob(f"clips-{form}-*"), *place.glob(outdated_form)):
                shutil.rmtree(outdated)
            draft = place / "draft"
            shutil.rmtree(draft, ignore_errors=True)
            draft.mkdir()
            try:
                _build(folder, draft, report, rate_hz, samples)
                draft.replace(cache)
            finally:
                shutil.rmtree(draft, ignore_errors=True)
        index = json.loads((cache / "index.json").read_bytes())
        first = np.concatenate([[0], np.cumsum(index["windows"])]).astype(np.int64)
        audio = np.memmap(cache / "clips.int16", np.int16, "r", shape=(int(first[-1]), samples))
    return Clips(
        name=folder.name,
        root=folder.root,
        words=folder.words,
        files=index["files"],
        rate_hz=rate_hz,
        audio=audio,
        first=first,
        frames=np.array(index["frames"], np.int64),
        labels=np.array([folder.words.index(file.partition("/")[0]) for file in index["files"]], np.int64),
        splits=np.array(index["splits"]),
        hash=index["hash"],
        synthetic=folder.synthetic,
        held_out=folder.held_out,
        notices=[*folder.notices, *index["notices"]],
    )


def _key(folder: WordFolder) -> str:
    """Changes when a file is added, removed or written, or moves to another split."""
    digest = hashlib.sha256(f"{FORMAT}".encode())
    for file in folder.files:
        status = (folder.root / file.path).stat()
        digest.update(f"{file.path}\0{file.split}\0{status.st_size}\0{status.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:16]


@contextmanager
def _place(root: Path) -> Iterator[Path]:
    """The folder for the cache, locked: beside the clips, or in SHEETRACK_HOME where they are read-only."""
    beside = root / ".sheetrack"
    elsewhere = home() / "cache" / hashlib.sha256(str(root.resolve()).encode()).hexdigest()[:16]
    try:
        beside.mkdir(exist_ok=True)
        lock = os.open(beside / "lock", os.O_RDWR | os.O_CREAT, 0o666)
        place = beside
    except OSError:
        elsewhere.mkdir(parents=True, exist_ok=True)
        lock = os.open(elsewhere / "lock", os.O_RDWR | os.O_CREAT, 0o644)
        place = elsewhere
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield place
    finally:
        os.close(lock)


def _parts(folder: WordFolder) -> Iterator[list[ClipFile]]:
    """The files, so many at a time that what they hold fits into memory."""
    part: list[ClipFile] = []
    size_bytes = 0
    for file in folder.files:
        part.append(file)
        size_bytes += (folder.root / file.path).stat().st_size
        if len(part) == 1000 or size_bytes > _MOST_BYTES:
            yield part
            part, size_bytes = [], 0
    if part:
        yield part


def _build(folder: WordFolder, draft: Path, report: Report, rate_hz: int, samples: int) -> None:
    digest = hashlib.sha256()
    kept: list[ClipFile] = []
    frames, counts, done = [], [], 0
    length = "second" if samples == rate_hz else f"{samples / rate_hz:g} s"
    changed: dict[str, list[str]] = {}
    with ThreadPoolExecutor(8) as threads, (draft / "clips.int16").open("wb") as audio:
        for files in _parts(folder):
            paths = [folder.root / file.path for file in files]
            for file, (sound, changes) in zip(
                files, threads.map(lambda path: _read(path, rate_hz), paths), strict=True
            ):
                cut = windows(sound, samples) if sound is not None else ()
                if len(cut) > 1:
                    changes.append(f"cut into windows of {samples / rate_hz:g} s")
                elif sound is not None and len(sound) > samples:
                    changes.append(f"cut to its middle {length}")
                for change in changes:
                    changed.setdefault(change, []).append(file.path)
                if sound is None:
                    continue
                kept.append(file)
                counts.append(len(cut))
                frames.append(len(sound) if len(cut) > 1 else min(len(sound), samples))
                content = b"".join(window.tobytes() for window in cut)
                digest.update(f"{file.path}\0{file.split}\0{frames[-1]}\n".encode() + content)
                audio.write(content)
            done += len(files)
            report(done, len(folder.files))
        audio.flush()
        os.fsync(audio.fileno())
    notices = [_notice(change, files) for change, files in changed.items()]
    if not folder.is_for_testing:
        try:
            check_complete(folder.root, folder.words, kept)
        except DataError as error:
            left_out = [notice for notice in notices if "left out" in notice]
            raise DataError(". ".join([str(error), *left_out])) from None
    elif not kept:
        raise DataError(f"none of the {len(folder.files)} files in {folder.root} can be read as sound")
    index: dict[str, Any] = {
        "files": [file.path for file in kept],
        "splits": [file.split for file in kept],
        "frames": frames,
        "windows": counts,
        "hash": digest.hexdigest(),
        "notices": notices,
    }
    (draft / "index.json").write_text(json.dumps(index))


def _read(file: Path, rate_hz: int) -> tuple[NDArray[np.int16] | None, list[str]]:
    try:
        return read_sound(file, rate_hz)
    except UnreadableClipError as error:
        return None, [f"left out: {error}"]


def _notice(change: str, files: list[str]) -> str:
    few = ", ".join(files[:3]) + (", ..." if len(files) > 3 else "")
    return f"{len(files)} clip{'s were' if len(files) > 1 else ' was'} {change} ({few})."
