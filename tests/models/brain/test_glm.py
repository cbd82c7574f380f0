"""The GLM on arrays and on images, held to nilearn's own."""

import warnings
from pathlib import Path

import nibabel
import numpy as np
import pandas as pd
import pytest
from nilearn.glm.contrasts import compute_contrast
from nilearn.glm.first_level import FirstLevelModel, make_first_level_design_matrix, run_glm

from models.brain.contrast import make_contrast, write_result
from models.brain.data import DataSet, Event, Run, Voxels
from models.brain.errors import BrainError
from models.brain.glm import fit, parse
from models.brain.layouts import open_data
from models.figures.brain_glm import draw
from models.program_reader import draft_result
from models.run_folder import RunFolder
from tests.models.brain.layouts import write_bids, write_nh2015

TRS, TR_S, VOXELS = 80, 2.0, 30


def made_runs(count: int = 2) -> list[Run]:
    random = np.random.default_rng(0)
    runs = []
    for number in range(count):
        events = tuple(
            Event(float(onset), 6.0, "s", condition)
            for onset, condition in zip(np.arange(8, 150, 12), ["speech", "noise"] * 6, strict=True)
        )
        noise = random.normal(size=(TRS, VOXELS))
        noise[1:] += 0.4 * noise[:-1]
        times = (np.arange(TRS) + 0.5) * TR_S
        frame = pd.DataFrame(
            [(event.onset_s, event.duration_s, event.condition) for event in events],
            columns=["onset", "duration", "trial_type"],
        )
        matrix = make_first_level_design_matrix(
            times, frame, hrf_model="glover", drift_model="cosine", high_pass=1 / 128
        )
        noise[:, :10] += 5 * np.asarray(matrix["speech"])[:, None]
        runs.append(Run(f"r{number}", noise + 100, events))
    return runs


def test_arrays_give_what_nilearn_gives() -> None:
    data = DataSet(Path("/x"), "x", False, Voxels.plain(VOXELS), {}, runs=made_runs(), tr_s=TR_S)
    found = fit(data, "speech - noise")
    parts = []
    for run in data.runs:
        frame = pd.DataFrame(
            [(event.onset_s, event.duration_s, event.condition) for event in run.events],
            columns=["onset", "duration", "trial_type"],
        )
        times = (np.arange(TRS) + 0.5) * TR_S
        matrix = make_first_level_design_matrix(
            times, frame, hrf_model="glover", drift_model="cosine", high_pass=1 / 128
        )
        labels, results = run_glm(run.responses, matrix.to_numpy(), noise_model="ar1")
        vector = np.array([{"speech": 1.0, "noise": -1.0}.get(name, 0.0) for name in matrix.columns])
        parts.append(compute_contrast(labels, results, vector, stat_type="t"))
    both = (parts[0] + parts[1]) * 0.5
    assert np.allclose(found.effect, both.effect)
    assert np.allclose(found.z, both.z_score())
    assert found.conditions == {"speech": 12, "noise": 12}
    assert (found.q[:10] < 0.05).all()
    assert (found.q[10:] < 0.05).mean() <= 0.1
    assert found.z[:10].min() > found.z[10:].max()


def test_images_give_what_the_first_level_model_gives(tmp_path: Path) -> None:
    folder = write_bids(tmp_path, people=1, runs=2)
    data = open_data(folder)
    found = fit(data, "speech - noise")
    func = folder / "sub-01" / "func"
    images = sorted(func.glob("*_bold.nii.gz"))
    events = [
        pd.read_csv(next((tmp_path / "sub-01" / "func").glob(f"*run-{run}_events.tsv")), sep="\t")
        for run in (1, 2)
    ]
    confounds = [pd.DataFrame(run.confounds, columns=list(run.confound_names)) for run in data.runs]
    model = FirstLevelModel(
        t_r=2.0, slice_time_ref=0.5, hrf_model="glover", high_pass=1 / 128, noise_model="ar1",
        mask_img=next(func.glob("*run-1*_mask.nii.gz")), minimize_memory=True,
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the mask is given, not made
        model.fit(
            [nibabel.load(file) for file in images],
            [frame[["onset", "duration", "trial_type"]] for frame in events],
            confounds,
        )
        maps = {
            kind: model.compute_contrast("speech - noise", output_type=kind)
            for kind in ("effect_size", "z_score")
        }
    inside = np.asarray(nibabel.load(next(func.glob("*run-1*_mask.nii.gz"))).dataobj) > 0
    for kind, ours in (("effect_size", found.effect), ("z_score", found.z)):
        assert np.allclose(ours, np.asarray(maps[kind].dataobj)[inside], rtol=1e-3, atol=1e-3), kind


def test_a_contrast_leaves_a_table_pictures_and_an_image(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "runs" / "r1")
    found = make_contrast(folder, write_bids(tmp_path, people=1, runs=2), "speech - silence")
    write_result(folder, found)
    assert found.significant > 0
    assert found.peaks[0].size_mm3 is not None
    assert (folder.brain / f"{found.name}.nii.gz").exists()
    assert found.regressors[:2] == ("noise", "speech")
    assert [file.stem for file in draw(folder, found)] == [
        f"brain_{found.name}_design",
        f"brain_{found.name}_contrast",
    ]
    result = draft_result(folder)
    assert result.title == f"GLM speech - silence · {found.data}"
    assert result.metrics["voxels with q < 0.05"] == found.significant


@pytest.mark.parametrize(
    ("contrast", "weights"),
    [
        ("speech - noise", {"speech": 1, "noise": -1}),
        ("speech-noise", {"speech": 1, "noise": -1}),
        ("0.5*speech + 0.5 * music - silence", {"speech": 0.5, "music": 0.5}),
        ("-speech-fast", {"speech-fast": -1}),
    ],
)
def test_contrasts_are_read_as_people_write_them(contrast: str, weights: dict[str, float]) -> None:
    assert parse(contrast, ["speech", "noise", "music", "speech-fast"]) == weights


@pytest.mark.parametrize("contrast", ["speech noise", "speech - sneeze", "", "silence", "speech -"])
def test_other_contrasts_are_refused(contrast: str) -> None:
    with pytest.raises(BrainError, match="the contrast"):
        parse(contrast, ["speech", "noise"])


def test_bids_derivatives_are_read_as_they_lie(tmp_path: Path) -> None:
    folder = write_bids(tmp_path, people=2, runs=2)
    data = open_data(folder)
    assert data.tr_s == 2.0
    assert data.slice_time == 0.5
    assert [run.name for run in data.runs] == ["sub-01_task-listen_run-1", "sub-01_task-listen_run-2"]
    assert set(data.voxels.subjects) == {"sub-01", "sub-02"}
    assert data.runs[0].responses.shape == (TRS, len(data.voxels))
    assert np.isfinite(data.voxels.xyz_mm).all()
    one = open_data(folder / "sub-01")
    assert one.runs[0].confound_names == ("trans_x", "rot_z", "trans_x_derivative1", "csf")
    confounds = one.runs[0].confounds
    assert confounds is not None
    assert confounds[0, 2] == 0  # n/a in the first row
    next((folder / "sub-01" / "func").glob("*run-2*_mask.nii.gz")).unlink()
    fewer = open_data(folder)
    assert [run.name for run in fewer.runs] == ["sub-01_task-listen_run-1"]
    assert "its mask (desc-brain_mask) is missing" in fewer.notices[0]


def test_the_published_layout_is_read_as_it_lies(tmp_path: Path) -> None:
    folder = write_nh2015(tmp_path)
    data = open_data(folder)
    assert data.sounds[:2] == ["stim5_alarm_clock", "stim7_applause"]
    assert data.responses is not None
    assert data.responses.shape == (24, 8, 3)
    assert list(data.voxels.hemispheres[:2]) == ["L", "R"]
    assert set(data.voxels.subjects) == {"s0", "s1"}
    assert any("2 of 10 voxels with fewer than 3 repetitions left out" in notice for notice in data.notices)
    assert any("df_roi_meta.csv" in notice for notice in data.notices)
    rows = "".join(f"{number},{number},{'Primary' if number % 2 else 'Lateral'}\n" for number in range(10))
    (folder / "df_roi_meta.csv").write_text(f",voxel_id,roi_label_general\n{rows}")
    assert set(open_data(folder).voxels.regions) == {"Primary", "Lateral"}
    (folder / "voxel_features_meta.npy").write_bytes(b"cut off")
    with pytest.raises(BrainError, match="download it again"):
        open_data(folder)


def test_separate_sounds_have_no_glm(tmp_path: Path) -> None:
    with pytest.raises(BrainError, match="a GLM needs runs with events"):
        make_contrast(RunFolder(tmp_path / "r1"), write_nh2015(tmp_path), "speech")
