"""The tab of a run and the brain."""

from datetime import timedelta

from backend.sheets.table import Number, Picture, Text
from backend.tabs.brain import brain_table
from models.brain_result import Contrast, LayerScore, Mapping, Peak, Profile, Region
from models.result import BrokenFile
from tests import examples
from tests.tabs.rows import named


def score(layer: str, value: float | None, **more: int | None) -> LayerScore:
    regions = (value, None)
    return LayerScore(layer=layer, value=value, sem=0.01, by_region=regions, r=0.2, predicted=9, **more)


def profile(source: str, title: str, *layers: LayerScore) -> Profile:
    best = max(each.value or 0 for each in layers)
    return Profile(
        source=source,
        title=title,
        layers=layers,
        best=best,
        best_sem=0.02,
        best_by_region=(best, None),
        best_by_person={"s1": best},
    )


MAPPING = Mapping(
    run="r3f2a9b",
    name="sounds",
    title="ch32 · 2",
    data="sounds",
    simulated=True,
    protocol="separate",
    measure="R2 corrected for noise",
    sounds=165,
    repetitions=3,
    voxels=80,
    kept=40,
    at_edge=0.1,
    people={"s1": 40, "s2": 0},
    regions=(
        Region(name="Primary", voxels=40, kept=37, layer="conv2", depth=1, depth_sem=0.1),
        Region(name="Lateral", voxels=40, kept=3, reason="3 of 40 voxels are reliable; 10 are needed"),
    ),
    profiles=(
        profile("network", "the network", score("conv1", 0.4, chosen=4), score("conv2", 0.9, chosen=36)),
        profile(
            "shuffled",
            "the network, sounds shuffled",
            score("conv1", 0.0, chosen=18),
            score("conv2", 0.01, chosen=22),
        ),
        profile("mel", "mel spectrogram", score("mel", 0.5, chosen=None)),
    ),
    findings=("conv2 explains most.",),
    notices=("One sound was left out.",),
    seconds=61,
    finished_at=examples.NOON,
)


def test_layers_regions_and_controls_stand_side_by_side() -> None:
    table = brain_table("r3f2a9b", 7, [MAPPING], ["brain_sounds_profile", "filters_1"])
    facts, heat, layers, regions, people, pictures = table.sections
    assert (table.name, table.rank) == ("Brain r3f2a9b", 7)
    assert facts.title == "Brain data sounds (simulated)"
    assert facts.rows[0] == ("Finding", "conv2 explains most.")
    assert facts.rows[-1] == ("Notice", "One sound was left out.")
    assert heat.heat == "good"
    assert named(heat, 1) == {"Layer": "conv2", "All regions": 0.9, "Primary": 0.9, "Lateral": None}
    assert [row[0] for row in heat.rows] == ["conv1", "conv2", "Network, sounds shuffled", "Mel spectrogram"]
    assert heat.rows[-1][1] == 0.5
    assert "Lateral: 3 of 40 voxels are reliable; 10 are needed" in heat.note
    assert named(layers, 1)["Best for"] == 36
    assert named(layers, 1)["By chance"] == 22
    assert named(regions, 1)["Blank because"] == "3 of 40 voxels are reliable; 10 are needed"
    assert named(people, 1)["Network"] is None  # no reliable voxel of that person
    assert [picture.figure for picture in pictures.pictures] == ["brain_sounds_profile"]
    assert pictures.pictures[0] == Picture(
        run="r3f2a9b", figure="brain_sounds_profile", alt="Brain sounds profile of run r3f2a9b"
    )


def test_a_contrast_shows_its_peaks_and_what_cannot_be_read_is_named() -> None:
    contrast = Contrast(
        name="glm_a_b",
        contrast="a - b",
        data="runs",
        simulated=False,
        conditions={"a": 4, "b": 4},
        regressors=("a", "b", "constant"),
        runs=2,
        trs=200,
        voxels=50,
        significant=2,
        threshold_z=3.1,
        peaks=(Peak(name="v1", value=5.0, effect=0.2, q=0.001),),
        findings=("2 of 50 voxels answer.",),
        finished_at=examples.NOON + timedelta(hours=1),
    )
    broken = BrokenFile(file="x.json", reason="it is empty")
    table = brain_table("r1", 1, [MAPPING, contrast], [], [broken])
    titles = [section.title for section in table.sections]
    assert titles[1:3] == ["GLM a - b: runs", "Voxels with the largest z"]  # the newest first
    assert "x.json" in str(table.sections[0].rows)
    assert named(table.sections[2]) == {
        "Where": "v1", "x mm": None, "y mm": None, "z mm": None, "z": 5.0, "Effect": 0.2, "q (FDR)": 0.001, "mm3": None
    }  # fmt: skip
    facts = {row[0]: row[1] for row in table.sections[1].rows}
    assert facts["Threshold z"] == Number(value=3.1)
    assert facts["Voxels"] == Text(text="2 significant", note="of 50, q < 0.05")
