"""Whether one network explains more of the same brain data than another."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from models.brain.errors import BrainError
from models.brain.scores import interval
from models.brain_result import Mapping, mapping_names, read_mapping
from models.run_folder import RunFolder

Floats = NDArray[np.floating]


class Person(BaseModel):
    """Paired over the voxels of one person; differences are B less A."""

    model_config = ConfigDict(frozen=True)

    name: str
    voxels: int
    a: float
    b: float
    difference: float
    """The median over voxels of the difference."""
    share_b: float
    """The share of voxels that B explains better."""


class BrainComparison(BaseModel):
    """Two networks on one data set, with the layer of each voxel chosen on other splits than it is read on."""

    model_config = ConfigDict(frozen=True)

    a: str
    b: str
    data: str
    simulated: bool
    measure: str
    people: tuple[Person, ...]
    difference: float
    """The mean over people."""
    interval: tuple[float, float] | None
    """95 %, people drawn with replacement; None for fewer than three people."""
    finding: str
    notices: tuple[str, ...] = ()


def compare(a: Path, b: Path, name: str = "") -> BrainComparison:
    """Compares two runs on the mapping of that name, or on the only one that both have.

    Raises:
        BrainError: there is no such pair of mappings, or they have no voxels in common.
        BrokenRunError: a file of a run cannot be read.
    """
    folders = RunFolder(a), RunFolder(b)
    common = sorted(set(mapping_names(folders[0])) & set(mapping_names(folders[1])))
    if not name and len(common) != 1:
        names = ", ".join(common) or "none"
        raise BrainError(
            f"say which mapping to compare with --name: runs {a.name} and {b.name} share {names}"
        )
    name = name or common[0]
    mappings = []
    for folder in folders:
        mapping = read_mapping(folder, name)
        if not isinstance(mapping, Mapping):
            raise BrainError(
                f"run {folder.id} has no mapping {name}: make it with sheetrack brain map {folder.id}"
            )
        mappings.append(mapping)
    one, other = mappings
    if (one.data, one.measure, one.protocol) != (other.data, other.measure, other.protocol):
        raise BrainError(
            f"the mappings {name} of {a.name} and {b.name} are of different data or measures: map both again"
        )
    arrays = [_arrays(folder, name) for folder in folders]
    places = _paired(arrays[0]["voxel_id"], arrays[1]["voxel_id"])
    kept = np.logical_and(arrays[0]["kept"][places[0]], arrays[1]["kept"][places[1]])
    if not kept.any():
        raise BrainError(f"no reliable voxel is in both mappings {name}: map both runs to the same data")
    values = [of["network.best_value"][place][kept] for of, place in zip(arrays, places, strict=True)]
    subjects = arrays[0]["subject"][places[0]][kept]
    people = tuple(
        Person(
            name=str(subject),
            voxels=int((subjects == subject).sum()),
            a=float(np.median(values[0][subjects == subject])),
            b=float(np.median(values[1][subjects == subject])),
            difference=float(np.median((values[1] - values[0])[subjects == subject])),
            share_b=float((values[1] > values[0])[subjects == subject].mean()),
        )
        for subject in np.unique(subjects)
    )
    differences = [person.difference for person in people]
    return BrainComparison(
        a=a.name,
        b=b.name,
        data=one.data,
        simulated=one.simulated,
        measure=one.measure,
        people=people,
        difference=float(np.mean(differences)),
        interval=interval(differences),
        finding=_finding(a.name, b.name, differences),
        notices=one.notices,
    )


def _finding(a: str, b: str, differences: list[float]) -> str:
    mean, found = float(np.mean(differences)), interval(differences)
    if found is None:
        more, people = (b if mean > 0 else a), len(differences)
        return (
            f"{more} explains more in the median voxel ({mean:+.3f}), of {people} "
            f"{'person' if people == 1 else 'people'}: too few to say more."
        )
    span = f"{mean:+.3f}, 95 % interval {found[0]:+.3f} to {found[1]:+.3f} over {len(differences)} people"
    if found[0] > 0 or found[1] < 0:
        return f"{b if mean > 0 else a} explains more than {a if mean > 0 else b} (B less A: {span})."
    return f"{a} and {b} cannot be told apart (B less A: {span})."


def _arrays(folder: RunFolder, name: str) -> dict[str, NDArray[Any]]:
    try:
        with np.load(folder.brain / f"{name}.npz", allow_pickle=False) as content:
            wanted = ("voxel_id", "subject", "kept", "network.best_value")
            return {each: content[each] for each in wanted}
    except (OSError, ValueError, KeyError, EOFError):
        raise BrainError(f"brain/{name}.npz of run {folder.id} cannot be read: map it again") from None


def _paired(a: NDArray[Any], b: NDArray[Any]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The places in both of the voxels that both have."""
    _, first, second = np.intersect1d(a, b, return_indices=True)
    return first, second
