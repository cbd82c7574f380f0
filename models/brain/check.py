"""What is in a data set, and what is wrong with it."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.brain import continuous as b
from models.brain.data import DataSet
from models.brain.layouts import open_data
from models.brain.part import Reliability
from models.brain.runs import Continuous
from models.brain.sounds import FRAME_HZ, RATE_HZ, load_sounds, log_mel

Floats = NDArray[np.floating]

_BANDS = 8
_SHIFTS = np.arange(-1.5, 2.0, 0.5)
"""In TRs."""
_CLEARLY = 0.005
"""How much more variance another shift has to explain before it is reported."""


def check(folder: Path) -> tuple[list[tuple[str, str]], list[str]]:
    """The facts of a data set, and each problem in a sentence. Raises: BrainError: it cannot be used at all."""
    data = open_data(folder)
    sounds = load_sounds(data) if data.stimuli or data.separate else {}
    if not sounds:
        data.notices.append("No sounds in stimuli: a GLM can be fitted, and no network mapped.")
    voxels = data.voxels
    facts = [("Data set", f"{data.name}{' (simulated)' if data.simulated else ''}")]
    if sounds:
        lengths = [len(sound) / RATE_HZ for sound in sounds.values()]
        facts.append(("Sounds", f"{len(sounds)}, {min(lengths):.1f} to {max(lengths):.1f} s"))
    if data.responses is not None:
        facts.append(("Responses", "{} sounds x {} voxels x {} repetitions".format(*data.responses.shape)))
        facts += _reliability(Reliability.of_repetitions(data.responses))
    else:
        trs = sorted({len(run.responses) for run in data.runs})
        shape = f"{trs[0]} to {trs[-1]}" if len(trs) > 1 else f"{trs[0]}"
        facts.append(
            ("Responses", f"{len(data.runs)} runs of {shape} TRs of {data.tr_s:g} s x {len(voxels)} voxels")
        )
        groups = b.test_runs(data)
        repeated = ", ".join("/".join(data.runs[place].name for place in group) for group in groups)
        facts.append(("Repeated", repeated or "no run repeats the sounds of another"))
        if len(data.runs) > 1:
            continuous = Continuous(data)
            facts += _reliability(Reliability(continuous.reliability, continuous.kept))
            if sounds:
                facts.append(("Shift", _shift(data, sounds, continuous.kept)))
    for what, column in (("People", voxels.subjects), ("Regions", voxels.regions)):
        names, counts = np.unique(column, return_counts=True)
        facts.append((what, ", ".join(f"{name} {count}" for name, count in zip(names, counts, strict=True))))
    placed = int(np.isfinite(voxels.xyz_mm).all(axis=1).sum())
    facts.append(("Coordinates", f"{placed} of {len(voxels)} voxels"))
    return facts, data.notices


def _reliability(reliability: Reliability) -> list[tuple[str, str]]:
    if reliability.values is None:
        return [("Reliability", "not known: nothing is repeated")]
    quarters = np.quantile(reliability.values, [0.25, 0.5, 0.75])
    spread = " / ".join(f"{value:.2f}" for value in quarters)
    kept = int(reliability.kept.sum())
    return [("Reliability", f"{spread} (quartiles); {kept} of {len(reliability.kept)} voxels are reliable")]


def _shift(data: DataSet, sounds: dict[str, Floats], kept: NDArray[np.bool_]) -> str:
    """Whether the responses fit the sounds better earlier or later; a notice where they do."""
    energies = _energies(data, sounds)
    explained = [_explained(data, energies, kept, float(shift)) for shift in _SHIFTS]
    best, present = int(np.argmax(explained)), int(np.argmin(np.abs(_SHIFTS)))
    if explained[best] - explained[present] < _CLEARLY:
        return "none: the responses fit the sounds best as they are"
    shift = _SHIFTS[best]
    data.notices.append(
        f"The responses fit the sounds best {abs(shift):g} TR {'later' if shift > 0 else 'earlier'} than they are "
        f"placed (sound energy explains {explained[best]:.1%} of their variance instead of {explained[present]:.1%}): "
        "compare slice_time in dataset.json with the reference slice of the preprocessing, and the onsets."
    )
    return f"{shift:+g} TR"


def _energies(data: DataSet, sounds: dict[str, Floats]) -> list[Floats]:
    """The energy in eight bands during each run, (moments, bands), ten a second."""
    found, heard = [], dict[object, Floats]()
    size = FRAME_HZ // 10
    for run in data.runs:
        what = (run.what, len(run.responses))
        if what not in heard:
            energy = log_mel(b.waveform(run, data.tr_s, sounds, RATE_HZ))
            energy = energy.reshape(len(energy), _BANDS, -1).mean(axis=2)
            heard[what] = energy[: len(energy) // size * size].reshape(-1, size, _BANDS).mean(axis=1)
        found.append(heard[what])
    return found


def _explained(data: DataSet, energies: list[Floats], kept: NDArray[np.bool_], shift_trs: float) -> float:
    """The mean share of variance that the energies explain, with the responses so much later."""
    rows, responses = [], []
    for run, energy in zip(data.runs, energies, strict=True):
        times = (np.arange(len(energy)) + 0.5) / 10
        moments = b.tr_times(len(run.responses), data.tr_s, data.slice_time + shift_trs)
        rows.append(b.z_scored(b.without_drift(b.respond(energy, times, moments), data.tr_s)))
        responses.append(b.z_scored(b.without_drift(run.responses[:, kept].astype(float), data.tr_s)))
    x, y = np.concatenate(rows), np.concatenate(responses)
    if not y.shape[1]:
        return 0.0
    basis, _ = np.linalg.qr(x)
    return float(((basis.T @ y) ** 2).sum() / (y**2).sum())
