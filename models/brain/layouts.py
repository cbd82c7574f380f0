"""Opens a data set in whichever layout it has: plain, NH2015, or BIDS derivatives."""

import json
import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.brain.data import (
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
from models.brain.plain import read_plain

_MOTION = tuple(f"{kind}_{axis}" for kind in ("trans", "rot") for axis in "xyz")
CONFOUNDS = (*_MOTION, *(f"{name}_derivative1" for name in _MOTION), "csf", "white_matter")
"""Motion, its derivatives and the signals of fluid and white matter. Not fMRIPrep's cosines: drift is taken out here."""
_HEMISPHERES = {"lh": "L", "rh": "R", "l": "L", "r": "R"}


def open_data(folder: Path) -> DataSet:
    """The data set in a folder. Raises: BrainError."""
    if not folder.is_dir():
        raise BrainError(f"there is no folder {folder}: give the folder of a data set")
    if (folder / "voxel_features_array.npy").exists():
        return _nh2015(folder)
    if list(folder.glob("**/func/*_bold.nii*")):
        return _bids(folder)
    return read_plain(folder)


def _nh2015(folder: Path) -> DataSet:
    """Norman-Haignere, Kanwisher & McDermott (2015) as published with Tuckute, Feather et al. (2023).

    `voxel_features_array.npy` (sounds, voxels, repetitions), `voxel_features_meta.npy` and `neural_stim_meta.npy`
    (structured arrays), and the 165 sounds in `stimuli`. Regions come from `df_roi_meta.csv`: the pickle of that
    name is not read, because reading a pickle can run any program.
    """
    responses = array(folder / "voxel_features_array.npy")
    meta, sounds = _records(folder / "voxel_features_meta.npy"), _records(folder / "neural_stim_meta.npy")
    names = meta.dtype.names or ()
    if responses.ndim != 3 or len(meta) != responses.shape[1]:
        raise BrainError(
            f"voxel_features_array.npy has shape {responses.shape} and voxel_features_meta.npy {len(meta)} rows: "
            "download both again"
        )
    data = DataSet(folder, "NH2015", False, Voxels.plain(0), sound_files(folder))
    data.voxels = Voxels(
        ids=_texts(meta["voxel_id"]) if "voxel_id" in names else np.arange(len(meta)).astype(str),
        subjects=np.array([f"s{subject}" for subject in _texts(meta["subj_idx"])]),
        hemispheres=np.array([_HEMISPHERES.get(text, text) for text in _texts(meta["hemi"])]),
        regions=_regions(folder, data, meta),
        xyz_mm=np.full((len(meta), 3), np.nan),
    )
    if "n_reps" in names:
        all_three = meta["n_reps"] == responses.shape[2]
        if not all_three.all():
            data.notices.append(
                f"{(~all_three).sum()} of {len(meta)} voxels with fewer than {responses.shape[2]} repetitions left out."
            )
        responses, data.voxels = responses[:, all_three], data.voxels.of(all_three)
    data.notices.append("The layout has coordinates of the cortical surface, which are not on the map.")
    first = (sounds.dtype.names or ("",))[0]
    set_sounds(data, [Path(text).name.removesuffix(".wav") for text in _texts(sounds[first])], responses)
    return cleaned(data)


def _records(file: Path) -> NDArray[np.void]:
    try:
        records = np.load(file, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        raise BrainError(f"{file} cannot be read: download it again") from None
    if not records.dtype.names:
        raise BrainError(f"{file} is no table: download it again")
    return np.asarray(records)


def _texts(column: NDArray[np.generic]) -> NDArray[np.str_]:
    return np.array([each.decode() if isinstance(each, bytes) else str(each) for each in column.tolist()])


def _regions(folder: Path, data: DataSet, meta: NDArray[np.void]) -> NDArray[np.str_]:
    """The anatomical region of each voxel, by its id."""
    file = folder / "df_roi_meta.csv"
    plain = np.full(len(meta), "all")
    if not file.exists():
        data.notices.append(
            "No df_roi_meta.csv: all voxels count as one region. Make it from the published pickle, if you trust it: "
            "python -c \"import pandas; pandas.read_pickle('df_roi_meta.pkl').to_csv('df_roi_meta.csv')\"."
        )
        return plain
    import csv  # noqa: PLC0415

    with file.open(newline="", encoding="utf-8") as opened:
        rows = list(csv.DictReader(opened))
    column = next(
        (name for name in ("roi_anat_hemi", "roi_label_general", "roi") if rows and name in rows[0]), None
    )
    if column is None or "voxel_id" not in rows[0]:
        data.notices.append(
            "df_roi_meta.csv has no columns voxel_id and roi_label_general: one region for all."
        )
        return plain
    by_id = {row["voxel_id"].removesuffix(".0"): row[column] for row in rows}
    return np.array([by_id.get(voxel) or "elsewhere" for voxel in _texts(meta["voxel_id"])])


def _bids(folder: Path) -> DataSet:
    """Derivatives of fMRIPrep: preprocessed images with masks and confounds, events beside them or in the raw data.

    Several people are put side by side where all heard the same.
    """
    data = DataSet(folder, folder.name, False, Voxels.plain(0), sound_files(folder))
    found: dict[str, dict[str, Run]] = {}
    voxels: dict[str, Voxels] = {}
    for file in _images(folder):
        person = _entity(file, "sub")
        key = "_".join(_entity(file, name) for name in ("ses", "task", "run"))
        try:
            run, of_person = _bids_run(folder, file, data)
        except BrainError as error:
            data.notices.append(f"{file.name} left out: {error}.")
            continue
        found.setdefault(key, {})[person] = run
        voxels.setdefault(person, of_person)
    people = sorted(voxels)
    if not people:
        raise BrainError(f"no image of {folder} can be used: {' '.join(data.notices)}".rstrip(". "))
    for key, runs in sorted(found.items()):
        if missing := [person for person in people if person not in runs]:
            data.notices.append(f"Run {key.strip('_')} left out: not there of {', '.join(missing)}.")
            continue
        if len({run.what for run in runs.values()}) > 1:
            raise BrainError(
                f"people of {folder} heard different things in run {key.strip('_')}: map one person at a time, "
                "with the folder of that person"
            )
        trs = min(len(run.responses) for run in runs.values())
        first = runs[people[0]]
        together = np.concatenate([runs[person].responses[:trs] for person in people], axis=1)
        confounds = first.confounds[:trs] if first.confounds is not None and len(people) == 1 else None
        data.runs.append(Run(first.name, together, first.events, confounds, first.confound_names))
    data.voxels = Voxels(
        *(
            np.concatenate([getattr(voxels[person], name) for person in people])
            for name in ("ids", "subjects", "hemispheres", "regions", "xyz_mm")
        )
    )
    keep_equal_runs(data)
    return cleaned(data)


def _images(folder: Path) -> list[Path]:
    """The preprocessed images, of one space: MNI where there are several."""
    files = sorted(folder.glob("**/func/*_desc-preproc_bold.nii*"))
    spaces = sorted(
        {_entity(file, "space") for file in files}, key=lambda space: (not space.startswith("MNI"), space)
    )
    return [file for file in files if _entity(file, "space") == spaces[0]] if spaces else []


def _entity(file: Path, name: str) -> str:
    found = re.search(rf"(?:^|_){name}-([^_.]+)", file.name)
    return found[1] if found else ""


def _bids_run(folder: Path, file: Path, data: DataSet) -> tuple[Run, Voxels]:
    """Raises: BrainError: the image, its mask or its events cannot be used."""
    import nibabel  # noqa: PLC0415 - plain folders need it not
    from nibabel.affines import apply_affine  # noqa: PLC0415
    from nibabel.filebasedimages import ImageFileError  # noqa: PLC0415

    stem = re.sub(r"_desc-preproc_bold\.nii(\.gz)?$", "", file.name)
    masks = sorted(file.parent.glob(f"{stem}_desc-brain_mask.nii*"))
    if not masks:
        raise BrainError("its mask (desc-brain_mask) is missing")
    try:
        image, mask = nibabel.load(file), nibabel.load(masks[0])
        inside = np.asarray(mask.dataobj) > 0
        responses = np.asarray(image.dataobj, dtype=np.float32)[inside].T
    except (OSError, EOFError, ImageFileError, IndexError, ValueError):
        raise BrainError("the image or its mask cannot be read, or they have different shapes") from None
    facts = _sidecar(file)
    tr = facts.get("RepetitionTime") or float(image.header.get_zooms()[3])
    if not 0.1 <= tr <= 30:
        raise BrainError("its TR is missing: write RepetitionTime into its JSON file")
    if data.tr_s and abs(data.tr_s - tr) > 1e-3:
        raise BrainError(f"its TR is {tr:g} s where others have {data.tr_s:g} s")
    data.tr_s = tr
    data.slice_time = facts.get("StartTime", tr / 2) / tr
    data.masks[_entity(file, "sub")] = masks[0]
    run_stem = re.sub(r"_space-[^_]+|_res-[^_]+", "", stem)
    confounds, names = _confounds(file.parent / f"{run_stem}_desc-confounds_timeseries.tsv", data)
    events = read_events(_events_file(folder, file, run_stem))
    places = np.argwhere(inside)
    xyz = apply_affine(image.affine, places)
    person = f"sub-{_entity(file, 'sub')}"
    voxels = Voxels(
        ids=np.array([f"{person}_{i}_{j}_{k}" for i, j, k in places]),
        subjects=np.full(len(places), person),
        hemispheres=np.where(xyz[:, 0] < 0, "L", "R"),
        regions=np.full(len(places), "all"),
        xyz_mm=xyz,
    )
    return Run(run_stem, responses, events, confounds, names), voxels


def _sidecar(image: Path) -> dict[str, float]:
    file = image.with_name(re.sub(r"\.nii(\.gz)?$", ".json", image.name))
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {name: float(value) for name, value in content.items() if isinstance(value, int | float)}


def _events_file(folder: Path, image: Path, run_stem: str) -> Path:
    """Beside the image, or in the raw data, below which derivatives usually lie."""
    name = f"{run_stem}_events.tsv"
    tops = (folder, *folder.parents[:3])
    places = [
        image.parent / name,
        *(found for top in tops for found in sorted(top.glob(f"sub-*/**/func/{name}"))),
    ]
    return next((place for place in places if place.exists()), image.parent / name)


def _confounds(file: Path, data: DataSet) -> tuple[Floats | None, tuple[str, ...]]:
    """The confounds that exist; derivatives have no value in the first row, and get 0 there."""
    try:
        rows = table(file)
    except BrainError:
        data.notices.append(f"{file.name} is not there: no confounds.")
        return None, ()
    names = tuple(name for name in CONFOUNDS if rows and name in rows[0])
    values = np.array([[_value(row.get(name)) for name in names] for row in rows])
    return np.nan_to_num(values), names


def _value(text: str | None) -> float:
    try:
        return float(text or "nan")
    except ValueError:
        return float("nan")
