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

from models.data.audio import SAMPLES, UnreadableClipError, read_clip
from models.data.speech_commands import Split, WordFolder, check_complete
from models.places import home

FORMAT = 1
"""Counts up when the cache's content changes its meaning."""

Report = Callable[[int, int], None]
"""Told from time to time how many clips of how many have been read."""


@dataclass(frozen=True)
class Clips:
    """A data set ready to train on.

    Attributes:
        root: the folder that `files` are relative to.
        audio: (clips, 16000) int16, memory-mapped, 16 kHz mono, zero-padded at the end.
        frames: (clips,) samples of each clip before padding, at most 16000.
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
    audio: NDArray[np.int16]
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
            chosen &= self.frames == SAMPLES
        return np.flatnonzero(chosen)


def open_clips(folder: WordFolder, report: Report = lambda *_: None) -> Clips:
    """Opens the clips of a folder, after reading its files where that was not done or they have changed.

    Raises:
        DataError: after unreadable files are left out, a word or a split has no clips.
        OSError: the disk is full.
    """
    key = _key(folder)
    with _place(folder.root) as place:
        cache = place / f"clips-{key}"
        if not (cache / "index.json").is_file():
            for outdated in place.glob("clips-*"):
                shutil.rmtree(outdated)
            draft = place / "draft"
            shutil.rmtree(draft, ignore_errors=True)
            draft.mkdir()
            try:
                _build(folder, draft, report)
                draft.replace(cache)
            finally:
                shutil.rmtree(draft, ignore_errors=True)
        index = json.loads((cache / "index.json").read_bytes())
        count = len(index["files"])
        audio = np.memmap(cache / "clips.int16", np.int16, "r", shape=(count, SAMPLES))
    return Clips(
        name=folder.name,
        root=folder.root,
        words=folder.words,
        files=index["files"],
        audio=audio,
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


def _build(folder: WordFolder, draft: Path, report: Report) -> None:
    """Reads all files, a thousand at a time so that any number of clips fits into memory."""
    digest = hashlib.sha256()
    kept = []
    frames = []
    changed: dict[str, list[str]] = {}
    with ThreadPoolExecutor() as threads, (draft / "clips.int16").open("wb") as audio:
        for start in range(0, len(folder.files), 1000):
            files = folder.files[start : start + 1000]
            for file, (samples, changes) in zip(
                files, threads.map(_read, [folder.root / file.path for file in files]), strict=True
            ):
                for change in changes:
                    changed.setdefault(change, []).append(file.path)
                if samples is None:
                    continue
                kept.append(file)
                frames.append(len(samples))
                padded = np.pad(samples, (0, SAMPLES - len(samples))).tobytes()
                digest.update(f"{file.path}\0{file.split}\0{len(samples)}\n".encode() + padded)
                audio.write(padded)
            report(start + len(files), len(folder.files))
        audio.flush()
        os.fsync(audio.fileno())
    check_complete(folder.root, folder.words, kept)
    index: dict[str, Any] = {
        "files": [file.path for file in kept],
        "splits": [file.split for file in kept],
        "frames": frames,
        "hash": digest.hexdigest(),
        "notices": [_notice(change, files) for change, files in changed.items()],
    }
    (draft / "index.json").write_text(json.dumps(index))


def _read(file: Path) -> tuple[NDArray[np.int16] | None, list[str]]:
    try:
        return read_clip(file)
    except UnreadableClipError as error:
        return None, [f"left out: {error}"]


def _notice(change: str, files: list[str]) -> str:
    few = ", ".join(files[:3]) + (", ..." if len(files) > 3 else "")
    return f"{len(files)} clip{'s were' if len(files) > 1 else ' was'} {change} ({few})."
