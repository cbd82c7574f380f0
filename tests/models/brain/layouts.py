"""Small files in the layouts in which brain data are published."""

import json
from pathlib import Path

import nibabel
import numpy as np
import pandas as pd
from nilearn.glm.first_level import make_first_level_design_matrix

from tests.models.brain.sounds import write_sound

TRS, TR_S = 80, 2.0


def write_nh2015(folder: Path, sounds: int = 24, voxels: int = 10) -> Path:
    """Structured arrays as the study publishes them; the last two voxels have two repetitions."""
    random = np.random.default_rng(0)
    names = [
        "stim5_alarm_clock",
        "stim7_applause",
        *(f"stim{10 + number}_sound" for number in range(sounds - 2)),
    ]
    for name in names:
        write_sound(folder / "stimuli" / f"{name}.wav", 0.1)
    responses = random.normal(size=(sounds, voxels, 3))
    responses[:, -2:, 2] = np.nan
    np.save(folder / "voxel_features_array.npy", responses)
    kinds = [
        ("voxel_id", "<i8"),
        ("subj_idx", "<i8"),
        ("n_reps", "<i8"),
        ("hemi", "S2"),
        ("x_ras", "<f8"),
        ("y_ras", "<f8"),
    ]
    meta = [
        (number, number % 2, 3 if number < voxels - 2 else 2, b"rh" if number % 2 else b"lh", 1.0, 2.0)
        for number in range(voxels)
    ]
    np.save(folder / "voxel_features_meta.npy", np.array(meta, dtype=kinds))
    table = [(f"{name}.wav".encode(), b"music") for name in names]
    np.save(folder / "neural_stim_meta.npy", np.array(table, dtype=[("id", "S40"), ("category", "S20")]))
    return folder


def write_bids(top: Path, people: int, runs: int) -> Path:
    """Raw events below `top`, and fMRIPrep's derivatives of a block of voxels, of which one corner answers to speech."""
    random = np.random.default_rng(0)
    folder = top / "derivatives" / "fmriprep"
    (folder).mkdir(parents=True)
    (folder / "dataset_description.json").write_text('{"Name": "fMRIPrep", "BIDSVersion": "1.9.0"}')
    affine = np.diag([3.0, 3.0, 3.0, 1.0])
    affine[:3, 3] = (-40, -20, 5)
    inside = np.zeros((6, 5, 4), dtype=np.uint8)
    inside[1:5, 1:4, 1:3] = 1
    onsets = np.arange(8, 150, 12)
    events = pd.DataFrame(
        {"onset": onsets, "duration": 6.0, "trial_type": ["speech", "noise"] * 6, "stim_file": "s.wav"}
    )
    times = (np.arange(TRS) + 0.5) * TR_S
    matrix = make_first_level_design_matrix(
        times,
        events[["onset", "duration", "trial_type"]],
        hrf_model="glover",
        drift_model="cosine",
        high_pass=1 / 128,
    )
    for person in range(1, people + 1):
        func, raw = folder / f"sub-{person:02}" / "func", top / f"sub-{person:02}" / "func"
        func.mkdir(parents=True)
        raw.mkdir(parents=True)
        for run in range(1, runs + 1):
            stem = f"sub-{person:02}_task-listen_run-{run}"
            events.to_csv(raw / f"{stem}_events.tsv", sep="\t", index=False)
            volume = 1000 + 5 * random.normal(size=(*inside.shape, TRS))
            volume[1:3, 1:3, 1:3] += 30 * np.asarray(matrix["speech"])
            space = f"{stem}_space-MNI152NLin2009cAsym"
            nibabel.save(nibabel.Nifti1Image(inside, affine), func / f"{space}_desc-brain_mask.nii.gz")
            image = nibabel.Nifti1Image(volume.astype(np.float32), affine)
            image.header.set_zooms((3, 3, 3, TR_S))
            nibabel.save(image, func / f"{space}_desc-preproc_bold.nii.gz")
            (func / f"{space}_desc-preproc_bold.json").write_text(
                json.dumps({"RepetitionTime": TR_S, "StartTime": TR_S / 2, "TaskName": "listen"})
            )
            confounds = pd.DataFrame(
                random.normal(size=(TRS, 5)),
                columns=["trans_x", "rot_z", "trans_x_derivative1", "csf", "cosine00"],
            )
            confounds.loc[0, "trans_x_derivative1"] = np.nan
            confounds.to_csv(
                func / f"{stem}_desc-confounds_timeseries.tsv", sep="\t", index=False, na_rep="n/a"
            )
    return folder
