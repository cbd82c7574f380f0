"""Simulated data sets whose truth is known: a layer of a run, or mel features, drives each voxel."""

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from models.brain import continuous as b
from models.brain.data import DataSet, Event, Run, Voxels
from models.brain.errors import BrainError
from models.brain.sounds import RATE_HZ
from models.run_folder import RunFolder, write_atomically

Floats = NDArray[np.floating]

MEL = "mel"
NOTHING = "none"
"""The truth of voxels that only hold noise."""
REGIONS = ("Primary", "Lateral", "Posterior", "Anterior")
_CENTRES_MM = {
    "Primary": (48, -20, 6),
    "Lateral": (60, -22, 4),
    "Posterior": (56, -36, 14),
    "Anterior": (54, 2, -8),
}
_SOUND_S = 2.0
_LEAD_S = 6.0
_AR1 = 0.3


@dataclass(frozen=True)
class Plan:
    """What is simulated."""

    layers: tuple[str, ...]
    """The truth of the first, second, ... region, in turn; `mel` or a layer of the run."""
    snr: float = 0.5
    """Variance of the signal over that of the noise, in one repetition."""
    sounds: int = 165
    voxels: int = 400
    people: int = 4
    nulls: float = 0.2
    """The share of voxels that only hold noise."""
    repetitions: int = 3
    continuous: bool = False
    runs: int = 6
    """Of continuous sounds: so many different ones, the last of which is repeated."""
    passage_s: float = 120.0
    tr_s: float = 2.0
    fall: float = 0.5
    """How the components of a layer count: 1 as they vary (random weights on the features), 0 all alike."""
    seed: int = 0


def simulate(folder: Path, plan: Plan, run: RunFolder | None) -> None:
    """Writes the data set, with `truth.tsv` beside it. Raises: BrainError: the folder is not empty."""
    if folder.exists() and any(folder.iterdir()):
        raise BrainError(f"{folder} is not empty: name a new folder")
    random = np.random.default_rng(plan.seed)
    (folder / "stimuli").mkdir(parents=True)
    truth = _truth(plan, random)
    voxels = _voxels(plan, random)
    count, seconds = (plan.runs, plan.passage_s) if plan.continuous else (plan.sounds, _SOUND_S)
    names = [f"sound{number:03}" for number in range(1, count + 1)]
    sounds = {name: synthetic_sound(seconds, random) for name in names}
    for name, sound in sounds.items():
        soundfile.write(folder / "stimuli" / f"{name}.wav", sound, RATE_HZ, subtype="PCM_16")
    if plan.continuous:
        _write_runs(folder, plan, sounds, truth=truth, random=random, run=run)
    else:
        data = DataSet(folder, folder.name, True, voxels, {}, sounds=names, responses=np.zeros((count, 1, 1)))
        signal = _signal(features_of(plan, run, data, sounds), truth, random, plan.fall)
        noise = random.normal(size=(*signal.shape, plan.repetitions)) / np.sqrt(plan.snr)
        noise[:, truth == NOTHING] *= np.sqrt(1 + plan.snr)  # null voxels vary as much as the others
        np.save(folder / "responses.npy", (signal[:, :, None] + noise).astype(np.float32))
        write_atomically(folder / "sounds.txt", "".join(f"{name}\n" for name in names))
    facts = {
        "name": folder.name,
        "simulated": True,
        "snr": plan.snr,
        "truth": run.id if run else MEL,
        "seed": plan.seed,
    }
    write_atomically(
        folder / "dataset.json", json.dumps(facts | ({"tr": plan.tr_s} if plan.continuous else {}), indent=1)
    )
    _write_table(
        folder / "voxels.tsv",
        ("voxel_id", "subject", "hemi", "region", "x", "y", "z"),
        [
            (voxel, subject, hemisphere, region, *(f"{value:.1f}" for value in xyz))
            for voxel, subject, hemisphere, region, xyz in zip(
                voxels.ids, voxels.subjects, voxels.hemispheres, voxels.regions, voxels.xyz_mm, strict=True
            )
        ],
    )
    _write_table(folder / "truth.tsv", ("voxel_id", "layer"), list(zip(voxels.ids, truth, strict=True)))


def features_of(
    plan: Plan, run: RunFolder | None, data: DataSet, sounds: dict[str, Floats]
) -> dict[str, Floats]:
    """The true features by layer: (sounds, features), or (TRs, features) of the one run, after the HRF.

    Raises:
        BrainError: there is no such layer.
    """
    from models.brain.mapping import network_features, sound_features  # noqa: PLC0415 - imports torch

    found: dict[str, Floats | list[Floats]] = {}
    if MEL in plan.layers:
        found[MEL] = sound_features(MEL, data, sounds, "hrf")
    if wanted := [layer for layer in plan.layers if layer != MEL]:
        if run is None:
            raise BrainError("a layer belongs to a run: add --run RUN, or take --layer mel")
        features = network_features(run, "network", data, sounds, "hrf")
        if unknown := [layer for layer in wanted if layer not in features]:
            raise BrainError(f"run {run.id} has no layer {unknown[0]}: choose from {', '.join(features)}")
        found |= {layer: features[layer] for layer in wanted}
    return {layer: values[0] if isinstance(values, list) else values for layer, values in found.items()}


def _write_runs(
    folder: Path,
    plan: Plan,
    sounds: dict[str, Floats],
    *,
    truth: NDArray[np.str_],
    random: np.random.Generator,
    run: RunFolder | None,
) -> None:
    trs = round((_LEAD_S + plan.passage_s) / plan.tr_s) + 3  # the scanner goes on for a while
    (folder / "runs").mkdir()
    names = list(sounds)
    weights: dict[str, Floats] = {}
    for number, name in enumerate(names, start=1):
        events = (Event(_LEAD_S, plan.passage_s, name),)
        heard = Run(name, np.zeros((trs, 1)), events)
        data = DataSet(folder, folder.name, True, Voxels.plain(1), {}, runs=[heard], tr_s=plan.tr_s)
        features = features_of(plan, run, data, sounds)
        signal = np.zeros((trs, len(truth)))
        for layer, rows in features.items():
            chosen, values = truth == layer, b.without_drift(rows, plan.tr_s)  # else most would go as drift
            if layer not in weights:
                weights[layer] = _weights(values, int(chosen.sum()), random, plan.fall)
            signal[:, chosen] = b.z_scored(values @ weights[layer])
        for repetition in range(1, (plan.repetitions if number == len(names) else 1) + 1):
            stem = f"run-{number:02}" + (f"_rep-{repetition}" if number == len(names) else "")
            np.save(
                folder / "runs" / f"{stem}.npy",
                (signal + _noise(trs, truth, plan, random)).astype(np.float32),
            )
            heard_rows = [(event.onset_s, event.duration_s, f"{event.stimulus}.wav") for event in events]
            _write_table(
                folder / "runs" / f"{stem}_events.tsv", ("onset", "duration", "stimulus"), heard_rows
            )


def _noise(trs: int, truth: NDArray[np.str_], plan: Plan, random: np.random.Generator) -> Floats:
    """AR(1) noise of variance 1 / SNR, and drift as large as it."""
    noise = random.normal(size=(trs, len(truth)))
    for tr in range(1, trs):
        noise[tr] = _AR1 * noise[tr - 1] + np.sqrt(1 - _AR1**2) * noise[tr]
    drift = b.cosines(trs, plan.tr_s)[:, :-1]
    slow = b.z_scored(drift @ random.normal(size=(drift.shape[1], len(truth)))) if drift.shape[1] else 0
    scale = np.where(truth == NOTHING, np.sqrt((1 + plan.snr) / plan.snr), 1 / np.sqrt(plan.snr))
    return np.asarray((noise + slow) * scale + 100)


def _truth(plan: Plan, random: np.random.Generator) -> NDArray[np.str_]:
    """The layer behind each voxel; voxels take the regions in turn."""
    places = np.arange(plan.voxels) % len(REGIONS)
    truth = np.array([plan.layers[place % len(plan.layers)] for place in places], dtype="<U32")
    nulls = random.permutation(plan.voxels)[: round(plan.nulls * plan.voxels)]
    truth[nulls] = NOTHING
    return truth


def _voxels(plan: Plan, random: np.random.Generator) -> Voxels:
    places = np.arange(plan.voxels)
    regions = np.array([REGIONS[place % len(REGIONS)] for place in places])
    left = random.random(plan.voxels) < 0.5
    xyz = np.array([_CENTRES_MM[region] for region in regions]) + random.normal(
        scale=4, size=(plan.voxels, 3)
    )
    xyz[left, 0] *= -1
    return Voxels(
        ids=np.array([f"v{place:05}" for place in places]),
        subjects=np.array([f"s{place // len(REGIONS) % plan.people + 1:02}" for place in places]),
        hemispheres=np.where(left, "L", "R"),
        regions=regions,
        xyz_mm=xyz,
    )


def _signal(
    features: dict[str, Floats], truth: NDArray[np.str_], random: np.random.Generator, fall: float
) -> Floats:
    """What drives each voxel, with mean 0 and variance 1 over sounds."""
    signal = np.zeros((len(next(iter(features.values()))), len(truth)))
    for layer, values in features.items():
        chosen = truth == layer
        signal[:, chosen] = b.z_scored(values @ _weights(values, int(chosen.sum()), random, fall))
    return signal


def _weights(values: Floats, count: int, random: np.random.Generator, fall: float) -> Floats:
    """Random weights (features, voxels) on the principal components of a layer, each times its deviation^fall.

    At 1 nearly all is the first component, mostly loudness, which all layers share; at 0 most lies where a ridge
    learns least.
    """
    _, deviations, components = np.linalg.svd(values - values.mean(axis=0), full_matrices=False)
    real = deviations > 1e-4 * deviations[0]
    drawn = random.normal(size=(int(real.sum()), count)) * deviations[real][:, None] ** (fall - 1)
    return np.asarray(components[real].T @ drawn)


def synthetic_sound(seconds: float, random: np.random.Generator) -> NDArray[np.float32]:
    """A sequence of tones, harmonic complexes, glides and bands of noise, with envelopes of many rates."""
    samples = round(seconds * RATE_HZ)
    sound = np.zeros(samples)
    start = 0
    while start < samples:
        length = round(random.uniform(0.25, min(2.0, seconds)) * RATE_HZ)
        time = np.arange(length) / RATE_HZ
        part = _part(time, random)
        envelope = 1 + random.uniform(0, 1) * np.sin(2 * np.pi * np.exp(random.uniform(0.5, 3.6)) * time)
        part = (
            part / (np.abs(part).max() + 1e-9) * envelope * np.minimum(1, np.minimum(time, time[::-1]) / 0.01)
        )
        room = sound[start : start + length]
        room += 0.4 * 10 ** random.uniform(-1, 0) * part[: len(room)]
        start += round(length * random.uniform(0.5, 1))
    return np.asarray(sound / max(1, np.abs(sound).max()), dtype=np.float32)


def _part(time: Floats, random: np.random.Generator) -> Floats:
    pitch = np.exp(random.uniform(np.log(80), np.log(3000)))
    match random.integers(4):
        case 0:
            return np.asarray(np.sin(2 * np.pi * pitch * time))
        case 1:
            tilt = random.uniform(0, 2)
            numbers = np.arange(1, max(2, int(min(30, 7500 / pitch))))
            return np.asarray(sum(np.sin(2 * np.pi * pitch * n * time) / n**tilt for n in numbers))
        case 2:
            ratio = np.exp(random.uniform(-1.2, 1.2))
            glide = pitch * ratio ** (time / max(time[-1], 1e-3))
            return np.asarray(np.sin(2 * np.pi * np.cumsum(np.minimum(glide, 7500)) / RATE_HZ))
        case _:
            spectrum = np.fft.rfft(random.normal(size=len(time)))
            frequencies = np.fft.rfftfreq(len(time), 1 / RATE_HZ)
            width = random.uniform(0.1, 1.5)
            spectrum *= np.exp(-((np.log((frequencies + 1) / pitch) / width) ** 2))
            return np.fft.irfft(spectrum, len(time))


def _write_table(file: Path, header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    with file.open("w", newline="", encoding="utf-8") as opened:
        writer = csv.writer(opened, delimiter="\t")
        writer.writerow(header)
        writer.writerows(rows)
