"""How well one layer of one set of features predicts each voxel; kept on disk until the mapping is whole."""

import io
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from models.brain.scores import critical_correlation, repetition_correlation
from models.run_folder import write_atomically

Floats = NDArray[np.floating]

_CERTAIN = 0.001
"""A voxel is reliable if its repetitions correlate more than chance does with this p."""


@dataclass(frozen=True)
class Part:
    r: Floats
    """(voxels,): correlation with its sign, the mean over splits."""
    value: Floats
    """(voxels,): R2, corrected for noise where repetitions tell of it, at most 1."""
    p: Floats
    """(voxels,): one-tailed."""
    by_split: Floats
    """(splits, voxels): what layers are chosen by, negative where the correlation is. Of continuous sounds one row, from inside the training."""
    at_edge: NDArray[np.bool_]
    """(voxels,): the penalty lies at the edge of its grid in most splits."""
    constant: NDArray[np.bool_]
    """(voxels,): the prediction is constant in most splits."""

    def write(self, file: Path) -> None:
        buffer = io.BytesIO()
        np.savez(buffer, **{each.name: getattr(self, each.name) for each in fields(self)})
        write_atomically(file, buffer.getvalue())

    @classmethod
    def read(cls, file: Path) -> Self | None:
        """None where there is no whole file."""
        try:
            with np.load(file, allow_pickle=False) as content:
                return cls(**{each.name: content[each.name] for each in fields(cls)})
        except (OSError, ValueError, KeyError, EOFError):
            return None


@dataclass(frozen=True)
class Reliability:
    """Of each voxel: how alike its repetitions are (None: not repeated), and whether it is kept."""

    values: Floats | None
    kept: NDArray[np.bool_]

    @classmethod
    def of_repetitions(cls, responses: Floats) -> "Reliability":
        if responses.shape[2] == 1:
            return cls(None, np.ones(responses.shape[1], dtype=bool))
        values = repetition_correlation(responses.astype(np.float64))
        return cls(values, values > critical_correlation(len(responses), _CERTAIN))
