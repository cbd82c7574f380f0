"""Reads a data set in a plain folder; what cannot be used is left out and named.

Separate sounds: `stimuli/*.wav`, `responses.npy` (sounds, voxels, repetitions), `sounds.txt` in the same order.
Continuous sounds: `stimuli/*.wav`, `runs/NAME.npy` (TRs, voxels) with `runs/NAME_events.tsv` (onset, duration,
stimulus), and `tr` in `dataset.json`. Both: `voxels.tsv` (voxel_id, subject, hemi, region, x, y, z).
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.brain.data import (
    EVERYWHERE,
    DataSet,
    Floats,
    Run,
    Voxels,
    array,
    cleaned,
    keep_equal_runs,
    read_events,
    set_sounds,
    sound_files,
    table,
)
from models.brain.errors import BrainError


def facts_of(folder: Path) -> dict[str, Any]:
    """The content of `dataset.json`; empty where there is none. Raises: BrainError."""
    file = folder / "dataset.json"
    if not file.exists():
        return {}
    try:
        facts = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BrainError(f"{file} cannot be read ({error}): write one JSON object into it") from None
    if not isinstance(facts, dict):
        raise BrainError(f"{file} is no JSON object: write one such as {{'tr': 2.0}}")
    return facts


def read_plain(folder: Path) -> DataSet:
    """Reads a plain folder. Raises: BrainError: it holds no data set, or one whose parts do not fit together."""
    facts = facts_of(folder)
    data = DataSet(
        folder=folder,
        name=str(facts.get("name") or folder.name),
        simulated=facts.get("simulated") is True,
        voxels=Voxels.plain(0),
        stimuli=sound_files(folder),
    )
    if (folder / "responses.npy").exists():
        _read_separate(data)
    else:
        _read_runs(data, facts)
    data.voxels = _voxels(data)
    return cleaned(data)


def _read_separate(data: DataSet) -> None:
    file = data.folder / "responses.npy"
    responses = array(file)
    responses = responses[:, :, None] if responses.ndim == 2 else responses
    if responses.ndim != 3:
        raise BrainError(f"{file} has shape {responses.shape}: it needs (sounds, voxels, repetitions)")
    order = data.folder / "sounds.txt"
    if not order.exists():
        raise BrainError(
            f"{order} is missing: name the sounds there, a line each, in the order of responses.npy"
        )
    lines = order.read_text(encoding="utf-8").split("\n")
    set_sounds(
        data, [Path(line.strip()).name.removesuffix(".wav") for line in lines if line.strip()], responses
    )


def _read_runs(data: DataSet, facts: dict[str, Any]) -> None:
    files = sorted((data.folder / "runs").glob("*.npy"))
    if not files:
        raise BrainError(
            f"{data.folder} holds no data set: it needs responses.npy with sounds.txt, or runs/*.npy, "
            "or the layout of NH2015 or of BIDS derivatives"
        )
    tr = facts.get("tr")
    if not isinstance(tr, int | float) or isinstance(tr, bool) or not 0.1 <= tr <= 30:
        raise BrainError(
            f'the TR is missing: write {{"tr": 2.0}} (seconds) into {data.folder / "dataset.json"}'
        )
    data.tr_s = float(tr)
    moment = facts.get("slice_time", 0.5)
    if isinstance(moment, int | float) and 0 <= moment <= 1:
        data.slice_time = float(moment)
    for file in files:
        try:
            responses = _two_dimensional(file)
            events = read_events(file.with_name(f"{file.stem}_events.tsv"))
        except BrainError as error:
            data.notices.append(f"Run {file.stem} left out: {error}.")
            continue
        data.runs.append(Run(file.stem, responses, events))
    keep_equal_runs(data)


def _two_dimensional(file: Path) -> Floats:
    responses = array(file)
    if responses.ndim != 2:
        raise BrainError(f"{file} has shape {responses.shape}: it needs (TRs, voxels)")
    return responses


def _voxels(data: DataSet) -> Voxels:
    count = data.responses.shape[1] if data.responses is not None else data.runs[0].responses.shape[1]
    file, nothing = data.folder / "voxels.tsv", Voxels.plain(count)
    if not file.exists():
        data.notices.append(
            "No voxels.tsv: all voxels count as one person and one region, and no map is drawn."
        )
        return nothing
    try:
        rows = table(file)
    except BrainError as error:
        data.notices.append(f"All voxels count as one person and one region: {error}.")
        return nothing
    if len(rows) != count:
        data.notices.append(
            f"voxels.tsv has {len(rows)} rows for {count} voxels: all count as one person and one region."
        )
        return nothing

    def column(name: str, default: str) -> NDArray[np.str_]:
        return np.array([row.get(name) or default for row in rows])

    voxels = Voxels(
        ids=np.array([row.get("voxel_id") or str(number) for number, row in enumerate(rows)]),
        subjects=column("subject", EVERYWHERE),
        hemispheres=column("hemi", ""),
        regions=column("region", EVERYWHERE),
        xyz_mm=np.array([[_number(row.get(axis)) for axis in "xyz"] for row in rows]),
    )
    without = int(np.isnan(voxels.xyz_mm).any(axis=1).sum())
    if without:
        data.notices.append(f"{without} of {count} voxels have no coordinates and are not on the map.")
    return voxels


def _number(text: str | None) -> float:
    try:
        value = float(text or "nan")
    except ValueError:
        return float("nan")
    return value if np.isfinite(value) else float("nan")
