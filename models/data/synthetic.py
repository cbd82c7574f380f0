"""A data set of synthetic speech, made on the spot: for demonstrations, where no recordings are at hand."""

import hashlib
import json
import multiprocessing
import os
import shutil
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile

from models.data.audio import RATE_HZ, SAMPLES
from models.data.errors import DataError
from models.data.speech_commands import LISTS, SPLITS, Split
from models.data.synthesizers import Espeak, Manner, Pico, Waveform
from models.recipe import WORDS
from models.run_folder import write_atomically

FORMAT = 1
"""Counts up when the same request gives other clips than before."""

PICO_SHARE = 0.3
"""Part of each split's clips that SVOX Pico says: it has one voice for training and one for testing."""

VOICES: dict[Split, tuple[str, ...]] = {
    "training": (
        *(
            f"en-us+{variant}"
            for variant in ("m1", "m3", "m5", "f1", "f3", "f5", "Andy", "linda", "klatt2", "steph")
        ),
        *(
            f"en+{variant}"
            for variant in ("m2", "m4", "m6", "f1", "f4", "Alex", "belinda", "david", "klatt4", "iven")
        ),
        *(f"en-gb-x-rp+{variant}" for variant in ("m3", "m7", "f2", "grandpa", "Annie")),
        *(f"en-gb-scotland+{variant}" for variant in ("m1", "f3", "max")),
        "pico:en-US",
    ),
    "validation": ("en-us+m8", "en+Andrea", "en-gb-x-rp+steph2", "en-us+ed", "en+f2", "en-gb-scotland+boris"),
    "testing": (
        "en-us+m2",
        "en-us+f4",
        "en+edward",
        "en+anika",
        "en-gb-x-rp+john",
        "en-gb-scotland+f2",
        "pico:en-GB",
    ),
}

HELD_OUT = (
    "Test clips are in voices that are not in the training clips: six of eSpeak NG and the British one of "
    "SVOX Pico; training hears other voices of both synthesizers."
)


class Voice(NamedTuple):
    """What one process says: every word `clips` times in one voice."""

    root: Path
    split: Split
    voice: str
    clips: int
    seed: int

    @property
    def speaker(self) -> str:
        return self.voice.replace(":", "-").replace("+", "-").lower()


def prepare(root: Path, *, clips_a_word: int, seed: int = 0, report: Callable[[int, int], None]) -> bool:
    """Writes the sixteen words in the layout of Speech Commands, unless that very set is there already.

    Each voice speaks in a fresh process of its own, so the same request gives the same samples.

    Args:
        root: the folder to fill; created if missing.
        clips_a_word: about how many training clips a word; validation and testing get a fifth of it each.
        seed: of all variations.
        report: told how many of how many voices have spoken.

    Returns:
        Whether something was written.

    Raises:
        DataError: the synthesizers are not installed, or the folder holds something else.
        OSError: the disk is full.
    """
    request = {"format": FORMAT, "clips_a_word": clips_a_word, "seed": seed, "versions": _versions()}
    description = root / "synthetic.json"
    if description.is_file():
        if request.items() <= json.loads(description.read_bytes()).items():
            return False
    elif root.exists() and any(root.iterdir()):
        raise DataError(f"{root} is not empty; choose a new folder for the synthetic speech")
    draft = root.with_name(f".{root.name}.draft")
    shutil.rmtree(draft, ignore_errors=True)
    for word in WORDS:
        (draft / word).mkdir(parents=True)
    try:
        spoken = _speak_all(_voices(draft, clips_a_word, seed), report)
        for name, split in LISTS.items():
            (draft / name).write_text("".join(f"{file}\n" for file in sorted(spoken[split])))
        content = {"what": "synthetic speech", "held_out": HELD_OUT, "voices": VOICES, **request}
        write_atomically(draft / description.name, json.dumps(content, indent=2))
        shutil.rmtree(root, ignore_errors=True)
        draft.replace(root)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return True


def _versions() -> dict[str, str]:
    try:
        return {name: version(name) for name in ("espeakng-loader", "py-nanotts")}
    except ImportError:
        raise DataError(
            "the speech synthesizers are missing; install them with: pip install 'sheetrack[synthetic]'"
        ) from None


def _voices(root: Path, clips_a_word: int, seed: int) -> list[Voice]:
    voices = []
    for split in SPLITS:
        clips = clips_a_word if split == "training" else max(2, clips_a_word // 5)
        pico = [voice for voice in VOICES[split] if voice.startswith("pico:")]
        espeak = [voice for voice in VOICES[split] if voice not in pico]
        spoken_by_pico = round(PICO_SHARE * clips) if pico else 0
        for group, share in ((pico, spoken_by_pico), (espeak, clips - spoken_by_pico)):
            voices += [Voice(root, split, voice, max(1, round(share / len(group))), seed) for voice in group]
    return voices


def _speak_all(voices: list[Voice], report: Callable[[int, int], None]) -> dict[Split, list[str]]:
    spoken: dict[Split, list[str]] = {split: [] for split in SPLITS}
    # spawn: a forked process would inherit a synthesizer's state, and maxtasksperchild makes each one fresh.
    workers = multiprocessing.get_context("spawn").Pool(os.cpu_count(), maxtasksperchild=1)
    with workers:
        for done, (voice, files) in enumerate(
            zip(voices, workers.imap(_speak, voices, chunksize=1), strict=True)
        ):
            spoken[voice.split] += files
            report(done + 1, len(voices))
    return spoken


def _speak(voice: Voice) -> list[str]:
    """Writes the clips of one voice and returns their paths."""
    random = np.random.default_rng([voice.seed, *hashlib.sha256(voice.voice.encode()).digest()])
    name = voice.voice.removeprefix("pico:")
    synthesizer = Espeak() if name == voice.voice else Pico()
    files = []
    for number in range(voice.clips):
        for word in WORDS:
            manner = Manner(
                speed=random.uniform(0.75, 1.3),
                pitch=random.uniform(0.7, 1.4),
                liveliness=random.uniform(0.3, 0.8),
            )
            sound = synthesizer.speak(word, name, manner)
            # Playing it at another rate makes the voice smaller or larger, as another throat would.
            sound = _stretched(sound, RATE_HZ / synthesizer.rate_hz * random.uniform(0.88, 1.14))
            file = f"{word}/{voice.speaker}_nohash_{number}.wav"
            soundfile.write(voice.root / file, _placed(sound, random), RATE_HZ, subtype="PCM_16")
            files.append(file)
    return files


def _stretched(sound: Waveform, factor: float) -> Waveform:
    """Band-limited interpolation to `factor` times as many samples."""
    samples = round(len(sound) * factor)
    return np.fft.irfft(np.fft.rfft(sound), samples) * (samples / len(sound))


def _placed(sound: Waveform, random: np.random.Generator) -> Waveform:
    """The word somewhere in a second, at some loudness, in a little noise; one clip in ten ends early."""
    loud = np.flatnonzero(np.abs(sound) > 0.02 * np.abs(sound).max())
    word = sound[loud[0] : loud[-1] + 1][:SAMPLES]
    start = random.integers(SAMPLES - len(word) + 1)
    clip = np.zeros(SAMPLES)
    clip[start : start + len(word)] = word * (random.uniform(0.1, 0.9) / np.abs(word).max())
    clip += random.normal(size=SAMPLES) * 10 ** random.uniform(-3.5, -2)
    if random.random() < 0.1:
        clip = clip[: max(start + len(word), SAMPLES // 2)]
    return np.clip(clip, -1, 1)
