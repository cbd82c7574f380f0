"""The classic GLM with nilearn: conditions convolved with the HRF, drift, confounds and AR(1) noise."""

import re
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from nilearn.glm.contrasts import compute_contrast
from nilearn.glm.first_level import make_first_level_design_matrix, mean_scaling, run_glm
from numpy.typing import NDArray

from models.brain.continuous import CUT_OFF_S, tr_times
from models.brain.data import DataSet, Run
from models.brain.errors import BrainError
from models.brain.scores import q_values

Floats = NDArray[np.floating]

SILENCE = ("silence", "rest", "baseline")
"""Names for what is no event: the level without any condition, unless events have that name."""
_TERM = re.compile(r"\s*([-+])?\s*(?:(\d+(?:\.\d+)?)\s*\*)?\s*")


@dataclass(frozen=True)
class Fit:
    """One contrast in each voxel, over all runs (fixed effects)."""

    effect: Floats
    variance: Floats
    z: Floats
    q: Floats
    """False discovery rate of z, one-tailed."""
    designs: tuple[pd.DataFrame, ...]
    conditions: dict[str, int]


def fit(data: DataSet, contrast: str) -> Fit:
    """Fits each run and adds the runs up, as nilearn's `FirstLevelModel` does.

    Images are scaled to per cent of each voxel's mean; arrays keep their units.

    Raises:
        BrainError: there are no runs, or the contrast names no condition.
    """
    if not data.runs:
        raise BrainError(f"{data.folder} has separate sounds and no runs: a GLM needs runs with events")
    conditions = Counter(event.condition for run in data.runs for event in run.events)
    weights = parse(contrast, list(conditions))
    designs, total, fitted = [], None, 0
    for run in data.runs:
        matrix = design(run, data)
        designs.append(matrix)
        if missing := [name for name in weights if name not in matrix]:
            data.notices.append(
                f"Run {run.name} has no {', '.join(missing)} and takes no part in the contrast."
            )
            continue
        responses = run.responses.astype(np.float64)
        if data.masks:
            responses, _ = mean_scaling(responses, 0)
        labels, results = run_glm(responses, matrix.to_numpy(), noise_model="ar1")
        vector = np.array([weights.get(column, 0.0) for column in matrix.columns])
        found = compute_contrast(labels, results, vector, stat_type="t")
        total, fitted = found if total is None else total + found, fitted + 1
    if total is None:
        raise BrainError(f"no run has all conditions of {contrast!r}: {', '.join(conditions)} exist")
    mean = total * (1.0 / fitted)
    z = np.asarray(mean.z_score())
    return Fit(
        effect=np.ravel(mean.effect),
        variance=np.ravel(mean.variance),
        z=z,
        q=q_values(np.asarray(mean.p_value())),
        designs=tuple(designs),
        conditions=dict(conditions),
    )


def design(run: Run, data: DataSet) -> pd.DataFrame:
    """The design matrix of a run: Glover's HRF, cosines slower than 128 s, confounds."""
    trs = len(run.responses)
    events = pd.DataFrame(
        {
            "onset": [event.onset_s for event in run.events],
            "duration": [event.duration_s for event in run.events],
            "trial_type": [event.condition for event in run.events],
        }
    )
    confounds: dict[str, Any] = {}
    if run.confounds is not None and run.confounds.size:
        confounds = {"add_regs": run.confounds[:trs], "add_reg_names": list(run.confound_names)}
    return make_first_level_design_matrix(
        tr_times(trs, data.tr_s, data.slice_time),
        events,
        hrf_model="glover",
        drift_model="cosine",
        high_pass=1 / CUT_OFF_S,
        **confounds,
    )


def parse(contrast: str, conditions: list[str]) -> dict[str, float]:
    """The weight of each condition in a contrast such as `speech - 0.5 * noise - 0.5 * music` or `speech - silence`.

    Raises:
        BrainError: it names something else.
    """
    weights: dict[str, float] = {}
    names = sorted({*conditions, *SILENCE}, key=len, reverse=True)
    place = 0
    while place < len(contrast.rstrip()):
        match = _TERM.match(contrast, place)
        assert match is not None  # noqa: S101 - it may be empty
        name = next((name for name in names if contrast.startswith(name, match.end())), None)
        if name is None or (place and not match[1]):
            raise BrainError(
                f"the contrast {contrast!r} cannot be understood at {contrast[place:].strip()!r}: "
                f"add and subtract {', '.join(sorted(conditions)[:12])}, or silence"
            )
        sign = -1.0 if match[1] == "-" else 1.0
        weights[name] = weights.get(name, 0.0) + sign * float(match[2] or 1)
        place = match.end() + len(name)
    weights = {name: weight for name, weight in weights.items() if name in conditions and weight}
    if not weights:
        raise BrainError(f"the contrast {contrast!r} is empty: name a condition, such as {conditions[0]!r}")
    return weights
