"""Maps a run to a data set, layer by layer: what is done already is kept, and a mapping that was stopped goes on."""

import hashlib
import io
import json
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.brain import continuous as b
from models.brain.banded import joint
from models.brain.data import DataSet
from models.brain.errors import BrainError
from models.brain.features import Weights, input_of, layer_names, network_of, series
from models.brain.layouts import open_data
from models.brain.part import Part, Reliability
from models.brain.separate import Separate
from models.brain.sounds import (
    FRAME_HZ,
    RATE_HZ,
    load_sounds,
    log_mel,
    modulation,
    resampled,
)
from models.brain.summary import FEWEST_VOXELS, Source, beyond_mel, summary, top_layer
from models.brain_result import MAPPING_SUFFIX, Beyond, Mapping
from models.run_folder import RunFolder, write_atomically
from models.run_reader import read_result

Floats = NDArray[np.floating]
Report = Callable[[str, int, int], None]
"""What is done now, how many layers are done, of how many."""

CONTROLS = ("initialisation", "permuted", "mel", "modulation", "shuffled")
TITLES = {
    "network": "the network",
    "initialisation": "the network at its initialisation",
    "permuted": "permuted weights",
    "mel": "mel spectrogram",
    "modulation": "spectro-temporal modulation",
    "shuffled": "the network, sounds shuffled",
}
_VERSION = 1


@dataclass(frozen=True)
class _Task:
    source: str
    layer: str
    features: Floats | list[Floats]
    """(sounds, features), or (TRs, features) for each run."""
    shuffle: int | None = None


def map_run(
    folder: RunFolder,
    data_folder: Path,
    *,
    name: str = "",
    layers: Sequence[str] = (),
    controls: Sequence[str] = CONTROLS,
    others: Sequence[RunFolder] = (),
    response: str = "fir",
    report: Report = lambda *_: None,
) -> Mapping:
    """Maps the layers of a finished run to a data set, and writes `brain/NAME.json` and `.npz` in its folder.

    Args:
        folder: the run.
        data_folder: the data set.
        name: of the result; empty: that of the data set.
        layers: the layers to map; none: all.
        controls: of `CONTROLS`.
        others: runs whose layers are mapped beside, such as a second seed.
        response: of continuous sounds, `fir` (delays) or `hrf`.
        report: told of each layer.

    Raises:
        BrainError: the data or the run cannot be used.
        BrokenRunError: a file of the run cannot be read.
    """
    started = time.monotonic()
    data = open_data(data_folder)
    name = name or re.sub(r"[^A-Za-z0-9]+", "_", data.name)[:40].strip("_") or "data"
    if not re.fullmatch(r"[A-Za-z0-9_]{1,40}", name):
        raise BrainError(f"{name!r} cannot name a mapping: use up to 40 letters, digits and underscores")
    sounds = load_sounds(data)
    judge = _judge(data)
    parts = folder.brain / f"{name}.parts"
    _keep_matching(parts, _key(folder, data, others, response))
    names = _named(folder, layers)
    total = len(names) * (
        1 + sum(control in ("initialisation", "permuted", "shuffled") for control in controls)
    )
    total += sum(control in ("mel", "modulation") for control in controls)
    total += sum(len(_named(other, ())) for other in others)
    found: dict[str, dict[str, Part]] = {}
    features = _Features(data, sounds, response)
    for done, task in enumerate(_tasks(folder, features, names, controls, others=others, parts=parts)):
        report(f"{TITLES.get(task.source, task.source)}, {task.layer}", done, total)
        file = parts / f"{task.source}_{task.layer}.npz"
        part = Part.read(file)
        if part is None:
            part = judge.score(task.features, task.shuffle)
            part.write(file)
        found.setdefault(task.source, {})[task.layer] = part
    report("done", total, total)
    sources = [
        Source(source, TITLES.get(source, f"run {source}"), list(of), list(of.values()))
        for source, of in found.items()
    ]
    result = read_result(folder)
    beyond = None
    if data.responses is not None and "mel" in found and judge.reliability.kept.sum() >= FEWEST_VOXELS:
        report("banded ridge with the mel spectrogram", total, total)
        beyond = _beyond(data, judge.reliability.kept, sources[0], features, folder)
    mapping, arrays = summary(
        data,
        judge.reliability,
        sources,
        run=folder.id,
        name=name,
        title=result.recipe.title if result else "",
        seconds=time.monotonic() - started,
        finished_at=datetime.now(UTC).replace(microsecond=0),
        beyond=beyond,
    )
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    write_atomically(folder.brain / f"{name}.npz", buffer.getvalue())
    write_atomically(folder.brain / f"{name}{MAPPING_SUFFIX}", mapping.model_dump_json(indent=1))
    shutil.rmtree(parts, ignore_errors=True)
    return mapping


def _beyond(
    data: DataSet, kept: NDArray[np.bool_], network: Source, features: "_Features", folder: RunFolder
) -> Beyond:
    """What the layer that explains most adds to the mel spectrogram."""
    layer = network.layers[top_layer(network, kept, data)]
    mel = np.asarray(features.sound("mel"), dtype=np.float64)
    values = np.asarray(features.network(folder, "network")[layer], dtype=np.float64)
    mean = np.asarray(data.responses).mean(axis=2, dtype=np.float64)[:, kept]
    return beyond_mel(
        layer, data, kept,
        mel=joint([mel], mean), alone=joint([values], mean), both=joint([mel, values], mean),
    )  # fmt: skip


def _named(folder: RunFolder, chosen: Sequence[str]) -> list[str]:
    """The layers of a run, or those chosen of them. Raises: BrainError."""
    names = layer_names(network_of(folder, "initialisation"), input_of(folder)[1])
    if unknown := [layer for layer in chosen if layer not in names]:
        raise BrainError(f"run {folder.id} has no layer {unknown[0]}: choose from {', '.join(names)}")
    return [layer for layer in names if not chosen or layer in chosen]


@dataclass(frozen=True)
class _Features:
    """Makes features for one data set."""

    data: DataSet
    sounds: dict[str, Floats]
    response: str

    def network(self, run: RunFolder, weights: Weights) -> dict[str, Floats | list[Floats]]:
        return network_features(run, weights, self.data, self.sounds, self.response)

    def sound(self, kind: str) -> Floats | list[Floats]:
        return sound_features(kind, self.data, self.sounds, self.response)


def _tasks(
    folder: RunFolder,
    features: _Features,
    layers: list[str],
    controls: Sequence[str],
    *,
    others: Sequence[RunFolder],
    parts: Path,
) -> Iterator[_Task]:
    """All layers of all sources; features of which everything is done are not computed again."""

    def is_done(source: str, names: list[str]) -> bool:
        return all(Part.read(parts / f"{source}_{layer}.npz") is not None for layer in names)

    def of(source: str, run: RunFolder, weights: Weights, names: list[str]) -> Iterator[_Task]:
        made = {} if is_done(source, names) else features.network(run, weights)
        yield from (_Task(source, layer, made.get(layer, np.empty(0))) for layer in names)

    yield from of("network", folder, "network", layers)
    for control in controls:
        if control in ("initialisation", "permuted"):
            weights: Weights = "initialisation" if control == "initialisation" else "permuted"
            yield from of(control, folder, weights, layers)
        elif control == "shuffled":
            for number, task in enumerate(of(control, folder, "network", layers)):
                yield replace(task, shuffle=number)
        else:
            layer = "mel" if control == "mel" else "energy"
            yield _Task(control, layer, np.empty(0) if is_done(control, [layer]) else features.sound(control))
    for other in others:
        yield from of(other.id, other, "network", _named(other, ()))


def network_features(
    folder: RunFolder, weights: Weights, data: DataSet, sounds: dict[str, Floats], response: str
) -> dict[str, Floats | list[Floats]]:
    """The features of each layer: (sounds, channels), or (TRs, features) for each run."""
    network, (rate_hz, samples) = network_of(folder, weights), input_of(folder)
    found: dict[str, list[Floats]] = {}
    if data.separate:
        for sound in data.sounds:
            for each in series(network, resampled(sounds[sound], rate_hz), rate_hz, samples):
                found.setdefault(each.layer, []).append(each.mean)
        return {layer: np.array(rows) for layer, rows in found.items()}
    heard: dict[object, list[tuple[str, Floats]]] = {}
    for run in data.runs:
        what = (run.what, len(run.responses))
        if what not in heard:
            times = b.tr_times(len(run.responses), data.tr_s, data.slice_time)
            wave = b.waveform(run, data.tr_s, sounds, RATE_HZ)
            heard[what] = [
                (each.layer, _at_trs(each.values, each.times_s, times, response))
                for each in series(network, resampled(wave, rate_hz), rate_hz, samples)
            ]
        for layer, values in heard[what]:
            found.setdefault(layer, []).append(values)
    return dict(found)


def sound_features(
    kind: str, data: DataSet, sounds: dict[str, Floats], response: str
) -> Floats | list[Floats]:
    """The features `mel` or `modulation`, in the shape of a layer's."""
    make = log_mel if kind == "mel" else modulation
    if data.separate:
        return np.array([make(sounds[sound]).mean(axis=0) for sound in data.sounds])
    found, heard = [], dict[object, Floats]()
    for run in data.runs:
        what = (run.what, len(run.responses))
        if what not in heard:
            values = make(b.waveform(run, data.tr_s, sounds, RATE_HZ))
            size = FRAME_HZ // 20
            values = values[: len(values) // size * size].reshape(-1, size, values.shape[1]).mean(axis=1)
            middle = (np.arange(len(values)) * size + (size - 1) / 2) / FRAME_HZ
            times = b.tr_times(len(run.responses), data.tr_s, data.slice_time)
            heard[what] = _at_trs(values, middle, times, response)
        found.append(heard[what])
    return found


def _at_trs(values: Floats, times_s: Floats, tr_times_s: Floats, response: str) -> Floats:
    if response == "hrf":
        return b.z_scored(b.respond(values, times_s, tr_times_s))
    return b.delayed(b.z_scored(b.lanczos(values, times_s, tr_times_s)))


class _SeparateJudge:
    def __init__(self, data: DataSet) -> None:
        assert data.responses is not None  # noqa: S101
        responses = data.responses
        self._separate = Separate(responses)
        self.reliability = Reliability.of_repetitions(responses)

    def score(self, features: Floats | list[Floats], shuffle: int | None) -> Part:
        return self._separate.score(np.asarray(features), shuffle)


class _ContinuousJudge:
    def __init__(self, data: DataSet) -> None:
        from models.brain.runs import Continuous  # noqa: PLC0415

        self._continuous = Continuous(data)
        self.reliability = Reliability(self._continuous.reliability, self._continuous.kept)

    def score(self, features: Floats | list[Floats], shuffle: int | None) -> Part:
        return self._continuous.score(list(features), shuffle)


def _judge(data: DataSet) -> "_SeparateJudge | _ContinuousJudge":
    return _SeparateJudge(data) if data.separate else _ContinuousJudge(data)


def _key(folder: RunFolder, data: DataSet, others: Sequence[RunFolder], response: str) -> str:
    """Changes when anything does that a part was computed from."""
    content = hashlib.sha256(f"{_VERSION} {response} {data.tr_s} {data.slice_time} {data.sounds}".encode())
    for responses in [data.responses] if data.responses is not None else [run.responses for run in data.runs]:
        content.update(np.ascontiguousarray(responses).tobytes())
    content.update(str([run.what for run in data.runs]).encode())
    files = [*(data.stimuli[sound] for sound in sorted(data.stimuli))]
    files += [run.checkpoint_file for run in (folder, *others)]
    for file in files:
        facts = os.stat(file) if file.exists() else None  # noqa: PTH116
        content.update(
            f"{file.name} {facts.st_size if facts else 0} {facts.st_mtime_ns if facts else 0}".encode()
        )
    return content.hexdigest()


def _keep_matching(parts: Path, key: str) -> None:
    """Leaves what an earlier try made of the same data and weights, and removes everything else."""
    file = parts / "key.json"
    try:
        same = json.loads(file.read_text(encoding="utf-8")) == key
    except (OSError, ValueError):
        same = False
    if not same:
        shutil.rmtree(parts, ignore_errors=True)
    parts.mkdir(parents=True, exist_ok=True)
    write_atomically(file, json.dumps(key))
