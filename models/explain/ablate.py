"""What is lost when a part of the network, or of the sound, is removed."""

from itertools import pairwise
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from models.explain.filters import describe, first_filters
from models.explain.finding import Finding, UnfitError
from models.explain.removal import SECONDS, Losses, tried
from models.explain.subject import Subject
from models.explanation import Quantity
from models.figures.style import ACCENT, CONTRAST, SOFT, picture, quiet

EDGES_HZ = [*(100 * 2 ** (np.arange(13) / 2)), 8001]
"""Half-octave bands from 100 Hz."""
_MOST_LABELS = 40
_BY_CHANCE = 0.023
"""The share of values without meaning that exceed 2 standard errors."""


def explain(subject: Subject) -> Finding:
    """A row a channel, a group of filters of one type, and a band of the sound; what costs most comes first."""
    rows: list[list[Any]] = []
    columns = (
        Quantity(title="Accuracy lost", kind="points"),
        Quantity(title="Standard error", kind="points"),
        Quantity(title="Rise of the loss", unit="nats"),
        Quantity(title="Its standard error", unit="nats"),
        Quantity(title="Clips", kind="integer"),
        Quantity(title="Removed", kind="text"),
        Quantity(title="Layer", kind="integer"),
        Quantity(title="Channel", kind="integer"),
        *(Quantity(title=word, kind="points") for word in subject.words),
    )

    def add(what: str, layer: int | None, channel: int | None, lost: Losses, place: int) -> None:
        each = (lost.accuracy, lost.errors, lost.nats, lost.nats_errors)
        numbers = [float(values[place]) for values in each]
        rows.append([*numbers, lost.clips, what, layer, channel, *map(float, lost.by_word[place])])

    kinds = _kinds(subject)
    groups = [[[channel] for channel in range(layer.channels)] for layer in subject.layers]
    if groups:
        groups[0] += kinds.values()
    *by_layer, bands = tried(
        subject,
        list(zip(subject.layers, groups, strict=True)),
        list(pairwise(EDGES_HZ)),
        report=subject.doing("channels and bands"),
    )
    needed = 0
    for layer, lost in zip(subject.layers, by_layer, strict=True):
        for channel in range(layer.channels):
            add("channel", layer.number, channel, lost, channel)
            needed += bool(lost.nats[channel] > 2 * lost.nats_errors[channel])
    for place, name in enumerate(kinds):
        add(name, 1, None, by_layer[0], subject.layers[0].channels + place)
    names = [f"{low:.0f}-{high:.0f} Hz" for low, high in pairwise(EDGES_HZ)]
    for place, name in enumerate(names):
        add(name, None, None, bands, place)
    rows.sort(key=lambda row: -float(row[2] or 0))
    dearest = int(bands.nats.argmax())
    cost, error = float(bands.nats[dearest]), float(bands.nats_errors[dearest])
    points, about = 100 * float(bands.accuracy[dearest]), 100 * float(bands.errors[dearest])
    risen, fallen = f"the loss rises by {cost:.2f} ± {error:.2f} nats", f"{points:.1f} ± {about:.1f} points"
    found = [
        f"The band {names[dearest]} matters most: without it {risen} and accuracy falls by {fallen} (± one standard error)."
        if cost > 2 * error
        else "No band raises the loss when it is taken out, by more than 2 standard errors."
    ]
    total = sum(layer.channels for layer in subject.layers)
    if total:
        found.append(
            f"{needed} of {total} channels raise the loss when silenced alone, by more than 2 standard errors; chance "
            f"alone gives {_BY_CHANCE * total:.0f}."
        )
    found.append(
        f"{bands.clips:,} of {len(subject.sound):,} test clips were tried, as many of each word: what {SECONDS:.0f} s allow."
        if bands.clips < len(subject.sound)
        else f"All {bands.clips:,} test clips were tried."
    )
    return Finding(
        title="What is lost without each part",
        read="One row a part that was removed: a channel (silenced), all filters of a type, "
        "or a band of the sound; the first columns say what that costs, the last ones for which words.",
        null="Grey: two standard errors of paired differences, what chance alone gives. Before training the network "
        "knows nothing that could be lost.",
        columns=columns,
        rows=rows,
        picture=draw(subject, by_layer, bands),
        clips=bands.clips,
        found=found,
    )


def _kinds(subject: Subject) -> dict[str, list[int]]:
    """The channels of layer 1 whose filters are of one type."""
    try:
        types = [describe(taps).type for taps in first_filters(subject.network, subject.layers)]
    except UnfitError:
        return {}
    return {
        f"all {types.count(name)} filters of type {name}": [
            place for place, each in enumerate(types) if each == name
        ]
        for name in sorted(set(types))
    }


@quiet
def draw(subject: Subject, by_layer: list[Losses], bands: Losses) -> Figure:
    """The loss without each channel, by layer, and without each band of the sound."""
    figure = picture(
        1000,
        800,
        "What is lost without each part",
        f"{subject.title} · run {subject.run}",
        f"Above: each dot a silenced channel. Below: a half-octave band is taken out of the sound. {bands.clips:,} clips;",
        "grey: two standard errors, what chance alone gives.",
    )
    above, below = figure.subplots(2, 1)
    for place, (layer, lost) in enumerate(zip(subject.layers, by_layer, strict=True)):
        nats, chance = lost.nats[: layer.channels], 2 * float(lost.nats_errors[: layer.channels].median())
        spread = np.linspace(-0.3, 0.3, layer.channels)
        above.fill_between([place - 0.4, place + 0.4], -chance, chance, color="#d5dae1")
        above.plot(place + spread, np.sort(nats.numpy())[::-1], "o", color=ACCENT, markersize=4)
    above.axhline(0, color=SOFT, linewidth=1)
    each = range(0, len(by_layer), -(-len(by_layer) // _MOST_LABELS) or 1)
    above.set_xticks(each, labels=[str(subject.layers[place].number) for place in each])
    above.set_xlabel("layer")
    above.set_ylabel("rise of the loss (nats)")
    if not by_layer:
        above.text(
            0.5, 0.5, "this network has no layer that is known", ha="center", transform=above.transAxes
        )
    places = np.arange(len(bands.nats))
    below.fill_between(places, -2 * bands.nats_errors.numpy(), 2 * bands.nats_errors.numpy(), color="#d5dae1")
    below.bar(places, bands.nats.numpy(), color=CONTRAST, width=0.7)
    below.set_xticks(places, labels=[f"{edge / 1000:.2g}" for edge in EDGES_HZ[:-1]])
    below.set_xlabel("band of half an octave, from (kHz)")
    below.set_ylabel("rise of the loss (nats)")
    return figure
