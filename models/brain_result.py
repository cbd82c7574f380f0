"""The content of the files in `brain/` of a run folder. Needs neither numpy nor torch."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from models.result import Count, Line, Moment, Share, Value
from models.run_folder import RunFolder
from models.run_reader import parsed

MAPPING_SUFFIX = ".json"
Text = Annotated[str, Field(max_length=10_000)]


class _Content(BaseModel):
    model_config = ConfigDict(frozen=True)


class Region(_Content):
    """A region of the brain; `reason` says why it is blank."""

    name: Line
    voxels: Count
    kept: Count
    """Reliable voxels, of which alone the numbers tell."""
    reason: Line = ""
    layer: Line | None = None
    """The layer that was chosen for most voxels."""
    depth: Value | None = None
    """The mean relative depth of the chosen layers: 0 is the first layer, 1 the last; over people."""
    depth_sem: Value | None = None


class LayerScore(_Content):
    """How well one layer predicts. Values are medians over the voxels of a person, then means over people."""

    layer: Line
    value: Value | None
    sem: Value | None
    by_region: tuple[Value | None, ...]
    r: Value
    """The mean correlation over all voxels, with its sign."""
    predicted: Count
    """Kept voxels with a false discovery rate below 0.05."""
    chosen: Count | None = None
    """Kept voxels whose best layer it is; None where there is no choice."""


class Profile(_Content):
    """One set of features: the network, or a control."""

    source: Line
    title: Line
    layers: Annotated[tuple[LayerScore, ...], Field(min_length=1, max_length=1000)]
    best: Value | None
    """With the layer of each voxel chosen on half of the splits and read on the other half; over people."""
    best_sem: Value | None
    best_by_region: tuple[Value | None, ...]
    best_by_person: dict[Line, Value]


class Beyond(_Content):
    """What a layer adds to the mel spectrogram in a banded ridge of both: r^2, not corrected for noise, over people."""

    layer: Line
    mel: Value
    layer_alone: Value
    both: Value
    added_by_person: dict[Line, Value]
    """Both less mel alone: the median over kept voxels."""


class Mapping(_Content):
    """The content of `brain/NAME.json`: which layer of a run explains which voxels."""

    kind: Literal["mapping"] = "mapping"
    run: Line
    name: Line
    title: Line
    data: Line
    simulated: Annotated[bool, Field(strict=True)]
    protocol: Literal["separate", "continuous"]
    measure: Line
    """What the values are, such as `R2 corrected for noise`."""
    sounds: Count
    repetitions: Count
    voxels: Count
    kept: Count
    at_edge: Share
    """Of the network's kept voxels, those whose penalty lies at the edge of its grid, in the best layer."""
    people: dict[Line, Count]
    """Kept voxels by person."""
    regions: tuple[Region, ...]
    profiles: Annotated[tuple[Profile, ...], Field(min_length=1)]
    """The network first, then its controls."""
    findings: tuple[Line, ...]
    beyond: Beyond | None = None
    """Of separate sounds, where the mel spectrogram was mapped too."""
    notices: tuple[Text, ...] = ()
    seconds: Value
    finished_at: Moment


class Peak(_Content):
    """A voxel, or the peak of a cluster."""

    name: Line
    x: Value | None = None
    y: Value | None = None
    z: Value | None = None
    value: Value
    """z of the contrast."""
    effect: Value | None = None
    q: Value | None = None
    size_mm3: Value | None = None


class Contrast(_Content):
    """The content of a GLM's JSON: one contrast of one data set."""

    kind: Literal["glm"] = "glm"
    name: Line
    contrast: Line
    data: Line
    simulated: Annotated[bool, Field(strict=True)]
    conditions: dict[Line, Count]
    """Events by condition."""
    regressors: tuple[Line, ...]
    runs: Count
    trs: Count
    voxels: Count
    significant: Count
    threshold_z: Value | None
    """The smallest z with a false discovery rate below 0.05; None: no voxel has it."""
    peaks: tuple[Peak, ...]
    findings: tuple[Line, ...]
    notices: tuple[Text, ...] = ()
    finished_at: Moment


def picture_names(content: Mapping | Contrast) -> tuple[str, ...]:
    """The pictures of a mapping or a contrast, in the order in which they are shown, as far as they can be drawn."""
    kinds = ("profile", "map", "reliability") if isinstance(content, Mapping) else ("design", "contrast")
    return tuple(f"brain_{content.name}_{kind}" for kind in kinds)


_ANY: TypeAdapter[Mapping | Contrast] = TypeAdapter(
    Annotated[Mapping | Contrast, Field(discriminator="kind")]
)


def read_mapping(folder: RunFolder, name: str) -> Mapping | Contrast | None:
    """A mapping or a contrast of the run, None where there is none. Raises: BrokenRunError."""
    return parsed(folder, folder.brain / f"{name}{MAPPING_SUFFIX}", _ANY.validate_json)


def mapping_names(folder: RunFolder) -> list[str]:
    """The names of the run's mappings and contrasts."""
    return sorted(file.stem for file in folder.brain.glob(f"*{MAPPING_SUFFIX}"))
