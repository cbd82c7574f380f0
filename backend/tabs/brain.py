"""The tab of the mappings and contrasts of one run. Pure."""

from collections.abc import Sequence

from backend.sheets.table import Cell, Column, Number, Picture, Section, Table, Text
from backend.tabs.names import brain_tab, run_tab
from backend.tabs.run_sections import broken_files
from models.brain_result import Contrast, LayerScore, Mapping, Profile, picture_names
from models.result import BrokenFile

_FIRST = Column(title="Layer", width=26)


def brain_table(
    run: str,
    rank: int,
    contents: Sequence[Mapping | Contrast],
    figures: Sequence[str],
    broken: Sequence[BrokenFile] = (),
) -> Table:
    """What is known of a run and the brain, the newest mapping first.

    Args:
        run: its id.
        rank: that of the run's own tab.
        contents: mappings and contrasts of this run.
        figures: names of the pictures that exist.
        broken: files that cannot be read.
    """
    sections = list(broken_files(broken))
    for content in sorted(contents, key=lambda each: each.finished_at, reverse=True):
        if isinstance(content, Mapping):
            sections += [
                _facts(content),
                _heat_map(content),
                _layers(content),
                _regions(content),
                _people(content),
            ]
        else:
            sections += [_contrast(content), _peaks(content)]
        sections += _pictures(run, content, figures)
    return Table(name=brain_tab(run), rank=rank, sections=tuple(sections))


def _data(mapping: Mapping) -> str:
    return f"{mapping.data}{' (simulated)' if mapping.simulated else ''}"


def _facts(mapping: Mapping) -> Section:
    rows: list[tuple[Cell, ...]] = [("Finding", finding) for finding in mapping.findings]
    sounds = "separate sounds" if mapping.protocol == "separate" else "continuous sounds"
    people = "1 person" if len(mapping.people) == 1 else f"{len(mapping.people)} people"
    rows += [
        ("Run", Text(text=mapping.run, tab=run_tab(mapping.run), note=mapping.title)),
        (
            "Data",
            Text(text=_data(mapping), note=f"{mapping.sounds:,} {sounds}, {mapping.repetitions} repetitions"),
        ),
        (
            "Voxels",
            Text(text=f"{mapping.kept:,} kept", note=f"reliable ones of {mapping.voxels:,}, of {people}"),
        ),
        ("Values", Text(text=mapping.measure, note="median over voxels of a person, mean over people")),
        ("Penalty at the edge", Number(value=mapping.at_edge, format="percent")),
        ("Took", Number(value=mapping.seconds, format="seconds")),
    ]
    rows += [("Notice", notice) for notice in mapping.notices]
    columns = (Column(title="Fact", width=26), Column(title="Value", width=14))
    return Section(title=f"Brain data {_data(mapping)}", columns=columns, rows=tuple(rows))


def _heat_map(mapping: Mapping) -> Section:
    """Layers by regions, and below them each control with its best layer."""
    network, *controls = mapping.profiles
    rows: list[tuple[Cell, ...]] = [(score.layer, score.value, *score.by_region) for score in network.layers]
    rows += [(f"{_short(each)}", each.best, *each.best_by_region) for each in controls]
    blank = "; ".join(f"{region.name}: {region.reason}" for region in mapping.regions if region.reason)
    note = (
        f"{mapping.measure}. Below the layers stands each control, with the layer of each voxel chosen on one half "
        f"of the splits and read on the other.{f' Blank: {blank}.' if blank else ''}"
        if mapping.protocol == "separate"
        else f"{mapping.measure}. Below the layers stands each control, with the layer of each voxel chosen inside "
        f"the training.{f' Blank: {blank}.' if blank else ''}"
    )
    regions = (Column(title=region.name, format="decimal", heat=True) for region in mapping.regions)
    return Section(
        title="Layers and regions",
        note=note,
        columns=(_FIRST, Column(title="All regions", format="decimal", heat=True), *regions),
        rows=tuple(rows),
        heat="good",
    )


def _short(profile: Profile) -> str:
    return profile.title.replace("the network", "network").removeprefix("network ").capitalize()


def _layers(mapping: Mapping) -> Section:
    """Every layer beside the same layer of the controls."""
    network, *others = mapping.profiles
    controls = [each for each in others if len(each.layers) == len(network.layers) and len(each.layers) > 1]
    shuffled = next((each for each in controls if each.source == "shuffled"), None)
    rows: list[tuple[Cell, ...]] = []
    for place, score in enumerate(network.layers):
        chance: LayerScore | None = shuffled.layers[place] if shuffled else None
        rows.append(
            (
                score.layer,
                score.value,
                score.sem,
                *(each.layers[place].value for each in controls),
                score.r,
                chance.r if chance else None,
                score.predicted,
                score.chosen,
                chance.chosen if chance else None,
            )
        )
    return Section(
        title="Layers beside their controls",
        note=(
            "r: mean over all voxels, with its sign; shuffled sounds must give 0. Predicted: kept voxels with a false "
            "discovery rate below 0.05. Best for, by chance: where sounds were shuffled."
        ),
        columns=(
            _FIRST,
            Column(title="Network", format="decimal"),
            Column(title="SEM over people", format="decimal"),
            *(Column(title=_short(each), format="decimal") for each in controls),
            Column(title="r", format="decimal"),
            Column(title="r, shuffled", format="decimal"),
            Column(title="Predicted", format="integer"),
            Column(title="Best for", format="integer"),
            Column(title="By chance", format="integer"),
        ),
        rows=tuple(rows),
    )


def _regions(mapping: Mapping) -> Section:
    return Section(
        title="Regions",
        note="Depth of the best layers: 0 is the first layer, 1 the last; mean over people.",
        columns=(
            Column(title="Region", width=26),
            Column(title="Voxels", format="integer"),
            Column(title="Kept", format="integer"),
            Column(title="Best layer"),
            Column(title="Depth", format="decimal"),
            Column(title="SEM", format="decimal"),
            Column(title="Blank because", width=30),
        ),
        rows=tuple(
            (
                region.name,
                region.voxels,
                region.kept,
                region.layer,
                region.depth,
                region.depth_sem,
                region.reason or None,
            )
            for region in mapping.regions
        ),
    )


def _people(mapping: Mapping) -> Section:
    return Section(
        title="People",
        columns=(
            Column(title="Person", width=26),
            Column(title="Kept voxels", format="integer"),
            *(Column(title=_short(each), format="decimal") for each in mapping.profiles),
        ),
        rows=tuple(
            (person, kept, *(each.best_by_person.get(person) for each in mapping.profiles))
            for person, kept in mapping.people.items()
        ),
    )


def _contrast(contrast: Contrast) -> Section:
    data = f"{contrast.data}{' (simulated)' if contrast.simulated else ''}"
    events = ", ".join(f"{name} {count}" for name, count in list(contrast.conditions.items())[:12])
    rows: list[tuple[Cell, ...]] = [("Finding", finding) for finding in contrast.findings]
    rows += [
        ("Contrast", contrast.contrast),
        ("Data", Text(text=data, note=f"{contrast.runs} runs, {contrast.trs:,} TRs")),
        ("Events", events),
        (
            "Voxels",
            Text(text=f"{contrast.significant:,} significant", note=f"of {contrast.voxels:,}, q < 0.05"),
        ),
        ("Threshold z", Number(value=contrast.threshold_z)),
    ]
    rows += [("Notice", notice) for notice in contrast.notices]
    columns = (Column(title="Fact", width=26), Column(title="Value", width=14))
    return Section(title=f"GLM {contrast.contrast}: {data}", columns=columns, rows=tuple(rows))


def _peaks(contrast: Contrast) -> Section:
    is_image = any(peak.size_mm3 is not None for peak in contrast.peaks)
    return Section(
        title="Clusters" if is_image else "Voxels with the largest z",
        columns=(
            Column(title="Where", width=26),
            *(Column(title=axis, format="decimal", width=8) for axis in ("x mm", "y mm", "z mm")),
            Column(title="z", format="decimal"),
            Column(title="Effect", format="decimal"),
            Column(title="q (FDR)", format="decimal"),
            Column(title="mm3", format="integer"),
        ),
        rows=tuple(
            (
                peak.name,
                peak.x,
                peak.y,
                peak.z,
                peak.value,
                peak.effect,
                peak.q,
                None if peak.size_mm3 is None else round(peak.size_mm3),
            )
            for peak in contrast.peaks
        ),
        empty="No voxel is significant.",
    )


def _pictures(run: str, content: Mapping | Contrast, figures: Sequence[str]) -> list[Section]:
    pictures = tuple(
        Picture(run=run, figure=name, alt=f"{name.replace('_', ' ').capitalize()} of run {run}")
        for name in picture_names(content)
        if name in figures
    )
    return [Section(title="Pictures", columns=(), pictures=pictures)] if pictures else []
