"""One contrast of a data set: fitted, written into a run folder, and told in sentences."""

import io
import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.brain.data import DataSet
from models.brain.glm import Fit, fit
from models.brain.layouts import open_data
from models.brain_result import MAPPING_SUFFIX, Contrast, Peak
from models.run_folder import RunFolder, write_atomically

Floats = NDArray[np.floating]

FALSE_DISCOVERIES = 0.05
_MOST_PEAKS = 20


def make_contrast(folder: RunFolder, data_folder: Path, contrast: str) -> Contrast:
    """Fits the GLM and writes `brain/NAME.json`, `.npz`, of images `.nii.gz`, and `result.json` last.

    Raises:
        BrainError: the data or the contrast cannot be used.
    """
    data = open_data(data_folder)
    fitted = fit(data, contrast)
    name = re.sub(r"[^A-Za-z0-9]+", "_", f"glm {contrast}").strip("_")[:40]
    folder.brain.mkdir(parents=True, exist_ok=True)
    significant = fitted.q < FALSE_DISCOVERIES
    threshold = float(fitted.z[significant].min()) if significant.any() else None
    image = _write_image(folder.brain / f"{name}.nii.gz", data, fitted.z)
    design = fitted.designs[0]
    found = Contrast(
        name=name,
        contrast=contrast,
        data=data.name,
        simulated=data.simulated,
        conditions=fitted.conditions,
        regressors=tuple(map(str, design.columns)),
        runs=len(data.runs),
        trs=sum(len(run.responses) for run in data.runs),
        voxels=len(fitted.z),
        significant=int(significant.sum()),
        threshold_z=threshold,
        peaks=_clusters(image, threshold) if image is not None else _top(data, fitted),
        findings=tuple(_findings(contrast, data, fitted, significant)),
        notices=tuple(data.notices),
        finished_at=datetime.now(UTC).replace(microsecond=0),
    )
    buffer = io.BytesIO()
    arrays: dict[str, Any] = {
        "voxel_id": data.voxels.ids,
        "xyz_mm": data.voxels.xyz_mm,
        "effect": fitted.effect,
        "variance": fitted.variance,
        "z": fitted.z,
        "q": fitted.q,
        "design": design.to_numpy(),
        "regressors": np.array(list(map(str, design.columns))),
    }
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    write_atomically(folder.brain / f"{name}.npz", buffer.getvalue())
    write_atomically(folder.brain / f"{name}{MAPPING_SUFFIX}", found.model_dump_json(indent=1))
    return found


def write_result(folder: RunFolder, found: Contrast) -> None:
    """Makes the contrast a result among others."""
    metrics = {
        "contrast": found.contrast,
        "data": f"{found.data}{' (simulated)' if found.simulated else ''}",
        "voxels": found.voxels,
        "voxels with q < 0.05": found.significant,
        "largest z": max((peak.value for peak in found.peaks), default=None),
    }
    content = {
        "name": f"GLM {found.contrast} · {found.data}",
        "metrics": metrics,
        "finished_at": found.finished_at.isoformat(),
    }
    write_atomically(folder.result_file, json.dumps(content, ensure_ascii=False))


def _findings(contrast: str, data: DataSet, fitted: Fit, significant: NDArray[np.bool_]) -> list[str]:
    count, voxels = int(significant.sum()), len(significant)
    line = f"No voxel of {voxels:,} answers to {contrast} with a false discovery rate below 0.05."
    if count:
        span = f"z from {fitted.z[significant].min():.2f} to {fitted.z.max():.2f}"
        line = f"{count:,} of {voxels:,} voxels answer to {contrast} with a false discovery rate below 0.05 ({span})."
    lines = [line]
    if data.simulated:
        lines.append("The data are simulated: this tests the method and says nothing of a brain.")
    return lines


def _top(data: DataSet, fitted: Fit) -> tuple[Peak, ...]:
    """The voxels with the largest z."""
    voxels = data.voxels
    return tuple(
        Peak(
            name=f"{voxels.ids[place]} · {voxels.subjects[place]} · {voxels.regions[place]}",
            **_place(voxels.xyz_mm[place]),
            value=float(fitted.z[place]),
            effect=float(fitted.effect[place]),
            q=float(fitted.q[place]),
        )
        for place in np.argsort(-fitted.z)[:_MOST_PEAKS]
    )


def _place(xyz_mm: Floats) -> dict[str, float | None]:
    return {
        axis: float(value) if np.isfinite(value) else None for axis, value in zip("xyz", xyz_mm, strict=True)
    }


def _write_image(file: Path, data: DataSet, z: Floats) -> Any:
    """The z map as an image, of one person; None of arrays, and of several people."""
    if len(data.masks) != 1:
        return None
    import nibabel  # noqa: PLC0415 - arrays need it not

    mask = nibabel.load(next(iter(data.masks.values())))
    volume = np.zeros(mask.shape, dtype=np.float32)
    places = np.array([voxel.rsplit("_", 3)[1:] for voxel in data.voxels.ids], dtype=int)
    volume[tuple(places.T)] = z
    image = nibabel.Nifti1Image(volume, mask.affine)
    nibabel.save(image, file)
    return image


def _clusters(image: Any, threshold: float | None) -> tuple[Peak, ...]:
    """The peaks of clusters above the threshold."""
    if threshold is None:
        return ()
    from nilearn.reporting import get_clusters_table  # noqa: PLC0415 - takes seconds to import

    table = get_clusters_table(image, threshold)
    peaks = []
    for row in table.head(_MOST_PEAKS).to_dict("records"):
        try:
            size = float(row["Cluster Size (mm3)"])
        except (TypeError, ValueError):  # a further peak of the same cluster
            size = None
        peaks.append(
            Peak(
                name=f"cluster {row['Cluster ID']}",
                x=float(row["X"]),
                y=float(row["Y"]),
                z=float(row["Z"]),
                value=float(row["Peak Stat"]),
                size_mm3=size,
            )
        )
    return tuple(peaks)
