"""What the parts of a mapping say together: numbers for the tab, and findings in sentences. Pure."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.brain.data import DataSet
from models.brain.part import Part, Reliability
from models.brain.scores import (
    by_person,
    chosen_layers,
    interval,
    mean_and_sem,
    q_values,
    read_on_halves,
)
from models.brain_result import Beyond, LayerScore, Mapping, Profile, Region

Floats = NDArray[np.floating]

FEWEST_VOXELS = 10
"""A region with fewer reliable voxels is left blank."""
_FEWEST_OF_A_PERSON = 3
_SIGNIFICANT = 0.05
_SIMULATED = "The data are simulated: this tests the method and says nothing of a brain."
_LEAK = 0.01
"""Shuffled sounds must give a mean correlation of 0 within this."""


@dataclass(frozen=True)
class Source:
    name: str
    title: str
    layers: list[str]
    parts: list[Part]


@dataclass(frozen=True)
class _Choice:
    """For each voxel: the best layer, its relative depth, and its value where it was not chosen."""

    layer: NDArray[np.intp]
    depth: Floats
    value: Floats


def _choice(source: Source) -> _Choice:
    by_split = np.array([part.by_split for part in source.parts])
    if by_split.shape[1] > 1:
        if len(source.parts) == 1:
            zeros = np.zeros(by_split.shape[2])
            return _Choice(zeros.astype(np.intp), zeros, read_on_halves(by_split[0]))
        return _Choice(*chosen_layers(by_split))
    best = by_split[:, 0].argmax(axis=0)
    values = np.array([part.value for part in source.parts])
    return _Choice(best, best / max(len(source.parts) - 1, 1), values[best, np.arange(len(best))])


def summary(
    data: DataSet,
    reliability: Reliability,
    sources: list[Source],
    *,
    run: str,
    name: str,
    title: str,
    seconds: float,
    finished_at: datetime,
    beyond: Beyond | None = None,
) -> tuple[Mapping, dict[str, Any]]:
    """The content of `brain/NAME.json`, and the arrays of `brain/NAME.npz`, by voxel."""
    kept, voxels = reliability.kept, data.voxels
    regions = [str(region) for region in np.unique(voxels.regions)]
    masks = [kept & (voxels.regions == region) for region in regions]
    choices = {source.name: _choice(source) for source in sources}
    network = sources[0]
    profiles = tuple(_profile(source, choices[source.name], data, kept, masks) for source in sources)
    repeated = reliability.values is not None
    best = int(np.argmax([score.value or 0 for score in profiles[0].layers]))
    people = {
        str(subject): int((kept & (voxels.subjects == subject)).sum())
        for subject in np.unique(voxels.subjects)
    }
    mapping = Mapping(
        run=run,
        name=name,
        title=title,
        data=data.name,
        simulated=data.simulated,
        protocol="separate" if data.separate else "continuous",
        measure="R2 corrected for noise" if repeated else "R2, not corrected for noise",
        sounds=len(data.sounds) or len({event.stimulus for each in data.runs for event in each.events}),
        repetitions=data.responses.shape[2] if data.responses is not None else _repetitions(data),
        voxels=len(kept),
        kept=int(kept.sum()),
        at_edge=float(network.parts[best].at_edge[kept].mean()) if kept.any() else 0.0,
        people=people,
        regions=tuple(
            _region(
                region,
                mask,
                voxels.regions == region,
                choice=choices[network.name],
                network=network,
                subjects=voxels.subjects,
            )
            for region, mask in zip(regions, masks, strict=True)
        ),
        profiles=profiles,
        findings=(
            *_findings(data, profiles, kept, int(kept.sum())),
            *_beyond(beyond),
            *([_SIMULATED] if data.simulated else []),
        ),
        beyond=beyond,
        notices=tuple(data.notices),
        seconds=round(seconds, 1),
        finished_at=finished_at,
    )
    arrays: dict[str, Any] = {
        "voxel_id": voxels.ids,
        "subject": voxels.subjects,
        "hemisphere": voxels.hemispheres,
        "region": voxels.regions,
        "xyz_mm": voxels.xyz_mm,
        "kept": kept,
        "layers": np.array(network.layers),
        "best_layer": choices[network.name].layer,
        "best_depth": choices[network.name].depth,
    }
    if reliability.values is not None:
        arrays["reliability"] = reliability.values
    for source in sources:
        arrays[f"{source.name}.r"] = np.array([part.r for part in source.parts])
        arrays[f"{source.name}.value"] = np.array([part.value for part in source.parts])
        arrays[f"{source.name}.p"] = np.array([part.p for part in source.parts])
        arrays[f"{source.name}.constant"] = np.array([part.constant for part in source.parts])
        arrays[f"{source.name}.at_edge"] = np.array([part.at_edge for part in source.parts])
        arrays[f"{source.name}.best_value"] = choices[source.name].value
    return mapping, arrays


def _repetitions(data: DataSet) -> int:
    from models.brain.continuous import test_runs  # noqa: PLC0415

    return max((len(group) for group in test_runs(data)), default=1)


def _over_people(
    values: Floats, chosen: NDArray[np.bool_], data: DataSet, fewest: int = 1
) -> dict[str, float]:
    return by_person(values[chosen], data.voxels.subjects[chosen], fewest)


def _in_region(values: Floats, mask: NDArray[np.bool_], data: DataSet) -> float | None:
    if mask.sum() < FEWEST_VOXELS:
        return None
    return mean_and_sem(list(_over_people(values, mask, data, _FEWEST_OF_A_PERSON).values()))[0]


def _profile(
    source: Source, choice: _Choice, data: DataSet, kept: NDArray[np.bool_], masks: list[NDArray[np.bool_]]
) -> Profile:
    layers = []
    for number, (layer, part) in enumerate(zip(source.layers, source.parts, strict=True)):
        value, sem = mean_and_sem(list(_over_people(part.value, kept, data).values()))
        layers.append(
            LayerScore(
                layer=layer,
                value=value,
                sem=sem,
                by_region=tuple(_in_region(part.value, mask, data) for mask in masks),
                r=float(part.r.mean()),
                predicted=int((q_values(part.p[kept]) < _SIGNIFICANT).sum()),
                chosen=int((choice.layer[kept] == number).sum()) if len(source.layers) > 1 else None,
            )
        )
    best_by_person = _over_people(choice.value, kept, data)
    best, best_sem = mean_and_sem(list(best_by_person.values()))
    return Profile(
        source=source.name,
        title=source.title,
        layers=tuple(layers),
        best=best,
        best_sem=best_sem,
        best_by_region=tuple(_in_region(choice.value, mask, data) for mask in masks),
        best_by_person=best_by_person,
    )


def _region(
    name: str,
    mask: NDArray[np.bool_],
    everywhere: NDArray[np.bool_],
    *,
    choice: _Choice,
    network: Source,
    subjects: NDArray[np.str_],
) -> Region:
    kept, count = int(mask.sum()), int(everywhere.sum())
    if kept < FEWEST_VOXELS:
        reason = f"{kept} of {count} voxels are reliable; {FEWEST_VOXELS} are needed"
        return Region(name=name, voxels=count, kept=kept, reason=reason)
    depth, sem = mean_and_sem(
        list(by_person(choice.depth[mask], subjects[mask], _FEWEST_OF_A_PERSON).values())
    )
    most = int(np.bincount(choice.layer[mask], minlength=len(network.layers)).argmax())
    return Region(name=name, voxels=count, kept=kept, layer=network.layers[most], depth=depth, depth_sem=sem)


def _findings(data: DataSet, profiles: tuple[Profile, ...], kept: NDArray[np.bool_], count: int) -> list[str]:
    """What may be believed, and what may not."""
    if count < FEWEST_VOXELS:
        return [
            f"Nothing can be said: {count} of {len(kept)} voxels answer reliably when sounds are repeated."
        ]
    network, controls = profiles[0], {profile.source: profile for profile in profiles[1:]}
    top = max(network.layers, key=lambda score: score.value or 0)
    lines = []
    # Even one layer's interval over the voxels of one person would not speak of people.
    if network.best is not None:
        sem = f" ± {network.best_sem:.2f}" if network.best_sem is not None else ""
        lines.append(
            f"{top.layer} explains most ({top.value or 0:.2f} of the {_of(data)} variance); with the best layer of "
            f"each voxel it is {network.best:.2f}{sem} (mean ± SEM over {_people(network.best_by_person)})."
        )
    lines += [_against(network, controls[name]) for name in controls if name != "shuffled"]
    if "shuffled" in controls:
        lines.append(_leak(controls["shuffled"]))
        lines.append(_maps(network, controls["shuffled"], count))
    return lines


def top_layer(source: Source, kept: NDArray[np.bool_], data: DataSet) -> int:
    """The place of the layer that explains most over people."""
    values = [
        mean_and_sem(list(_over_people(part.value, kept, data).values()))[0] or 0 for part in source.parts
    ]
    return int(np.argmax(values))


def beyond_mel(
    layer: str, data: DataSet, kept: NDArray[np.bool_], *, mel: Floats, alone: Floats, both: Floats
) -> Beyond:
    """What a layer adds, of r^2 of each kept voxel."""
    subjects = data.voxels.subjects[kept]
    means = [float(np.mean(list(by_person(values, subjects).values()))) for values in (mel, alone, both)]
    added = by_person(both - mel, subjects)
    return Beyond(layer=layer, mel=means[0], layer_alone=means[1], both=means[2], added_by_person=added)


def _beyond(beyond: Beyond | None) -> list[str]:
    if beyond is None:
        return []
    added = list(beyond.added_by_person.values())
    found = interval(added)
    span = f", 95 % interval {found[0]:+.2f} to {found[1]:+.2f} over {len(added)} people" if found else ""
    line = f"{beyond.layer} adds {np.mean(added):+.2f} of the measured variance to the mel spectrogram"
    return [f"{line} (banded ridge: mel {beyond.mel:.2f}, both {beyond.both:.2f}{span})."]


def _of(data: DataSet) -> str:
    repeated = data.responses.shape[2] > 1 if data.responses is not None else _repetitions(data) > 1
    return "explainable" if repeated else "measured"


def _people(by_name: dict[str, float]) -> str:
    return "1 person" if len(by_name) == 1 else f"{len(by_name)} people"


def _against(network: Profile, control: Profile) -> str:
    """The network beside a control: above, below or not told apart, people drawn with replacement."""
    common = [subject for subject in network.best_by_person if subject in control.best_by_person]
    differences = [network.best_by_person[each] - control.best_by_person[each] for each in common]
    mean = float(np.mean(differences)) if differences else 0.0
    title = {"mel": "its mel spectrogram baseline", "modulation": "its modulation-energy baseline"}.get(
        control.source, control.title
    )
    value = f"{control.best or 0:.2f}"
    found = interval(differences)
    if found is None:
        word = "above" if mean > 0 else "below"
        few = f"{_people(network.best_by_person)}: too few for an interval"
        return f"The network is {word} {title} ({value}, difference {mean:+.2f}; {few})."
    span = (
        f"difference {mean:+.2f}, 95 % interval {found[0]:+.2f} to {found[1]:+.2f} over {len(common)} people"
    )
    if found[0] > 0:
        return f"The network is above {title} ({value}; {span})."
    if found[1] < 0:
        return (
            f"The network is below {title} ({value}; {span}): what it explains is no sign of what it learned."
        )
    return f"The network cannot be told from {title} ({value}; {span})."


def _leak(shuffled: Profile) -> str:
    r = float(np.mean([score.r for score in shuffled.layers]))
    if abs(r) <= _LEAK:
        return f"Shuffled sounds give a mean correlation of {r:+.3f}, which is 0 as it must be."
    return (
        f"Shuffled sounds give a mean correlation of {r:+.3f}, which is not 0 within {_LEAK}: "
        "the voxels are few or share their noise, or training and test sounds share information."
    )


def _maps(network: Profile, shuffled: Profile, count: int) -> str:
    """Whether the map of best layers differs from what shuffled sounds give."""
    if len(network.layers) < 2:
        return "One layer was mapped: there is no layer to choose."
    share = max(score.chosen or 0 for score in network.layers) / count
    chance = max(score.chosen or 0 for score in shuffled.layers) / count
    return (
        f"The most frequent best layer has {share:.0%} of the reliable voxels; "
        f"with shuffled sounds the most frequent one has {chance:.0%}."
    )
