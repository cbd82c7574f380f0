"""A data set of synthetic speech, made on the spot: for demonstrations, where no recordings are at hand."""

import hashlib
import json
import multiprocessing
import os
import shutil
import signal
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

PICO = "pico:"

FORMAT = 1
"""Counts up when the same request gives other clips than before."""

PICO_SHARE = 0.3
"""Part of the training clips that the one training voice of SVOX Pico says, for it has no others."""

VOICES: dict[Split, tuple[str, ...]] = {
    "training": (
        *(f"en-us+{variant}" for variant in ("m1", "m5", "f1", "f5", "Andy", "linda", "klatt2", "steph", "adam")),
        *(f"en+{variant}" for variant in ("m4", "m6", "f3", "Alex", "belinda", "david", "klatt4", "anika", "robert")),
        *(f"en-gb-x-rp+{variant}" for variant in ("m3", "f1", "grandpa", "Annie", "miguel")),
        *(f"en-gb-scotland+{variant}" for variant in ("m1", "f3", "max", "aunty")),
        "pico:en-US",
    ),
    "validation": ("en-us+m8", "en+Andrea", "en-gb-x-rp+caleb", "en-us+ed", "en+boris", "en-gb-scotland+pablo"),
    "testing": (
        "en-us+m2", "en-us+f4", "en+m7", "en+f2", "en-gb-x-rp+edward", "en-gb-scotland+john", "pico:en-GB",
    ),
}  # fmt: skip
"""No variant of eSpeak NG (what follows the `+`) is in two splits."""

HELD_OUT = (
    "Test clips are in voices that are not in the training clips: six of eSpeak NG and the British one of "
    "SVOX Pico; training uses other voices of both synthesizers."
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

    Each voice speaks in a fresh process, so the same request gives the same samples
    of eSpeak NG; SVOX Pico now and then speaks a word a little otherwise.

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
        names = VOICES[split]
        espeak = [name for name in names if not name.startswith(PICO)]
        # One voice of Pico against many of eSpeak NG: in training it says more than its share.
        pico_clips = PICO_SHARE * clips if split == "training" else clips / len(names)
        for name in names:
            share = (clips - pico_clips) / len(espeak) if name in espeak else pico_clips
            voices.append(Voice(root, split, name, max(1, round(share)), seed))
    return voices


def _speak_all(voices: list[Voice], report: Callable[[int, int], None]) -> dict[Split, list[str]]:
    spoken: dict[Split, list[str]] = {split: [] for split in SPLITS}
    # Ctrl-C reaches every process of a terminal: workers that do not take it are ended by this one, which does.
    # The pool's threads start the later ones, and keep this mask.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        # spawn: a forked process would inherit a synthesizer's state, and maxtasksperchild makes each one fresh.
        workers = multiprocessing.get_context("spawn").Pool(os.cpu_count(), maxtasksperchild=1)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
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
    name = voice.voice.removeprefix(PICO)
    synthesizer = Espeak() if name == voice.voice else Pico()
    files = []
    for number in range(voice.clips):
        for word in WORDS:
            manner = Manner(
                speed=random.uniform(0.75, 1.3),
                pitch=random.uniform(0.7, 1.4),
                intonation=random.uniform(0.3, 0.8),
            )
            sound = synthesizer.speak(word, name, manner)
            # Playing it at another rate makes the voice smaller or larger, as another throat would.
            sound = _played(sound, RATE_HZ / synthesizer.rate_hz * random.uniform(0.88, 1.14), random)
            file = f"{word}/{voice.speaker}_nohash_{number}.wav"
            soundfile.write(voice.root / file, _placed(sound, random), RATE_HZ, subtype="PCM_16")
            files.append(file)
    return files


def _played(sound: Waveform, factor: float, random: np.random.Generator) -> Waveform:
    """The sound at `factor` times as many samples, band-limited, and coloured as by a microphone."""
    samples = round(len(sound) * factor)
    spectrum = np.fft.rfft(sound)[: samples // 2 + 1]
    octaves = np.log2(np.arange(1, len(spectrum) + 1) / len(spectrum))
    colour_db = np.interp(octaves, np.arange(-6, 1), random.uniform(-8, 8, 7))
    return np.fft.irfft(spectrum * 10 ** (colour_db / 20), samples) * (samples / len(sound))


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
