"""What is lost when a part of the network, or of the sound, is removed."""

from itertools import pairwise
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from models.architectures.cost import mflop_per_clip
from models.explain.filters import describe, first_filters
from models.explain.finding import Finding, UnfitError
from models.explain.removal import Losses, channel_losses, clips_within, group_losses, losses, without_band
from models.explain.subject import Subject, scores
from models.explanation import Quantity
from models.figures.style import ACCENT, CONTRAST, SOFT, picture, quiet

EDGES_HZ = [*(100 * 2 ** (np.arange(13) / 2)), 8001]
"""Half-octave bands from 100 Hz."""


def explain(subject: Subject) -> Finding:
    """A row a channel, a group of filters of one type, and a band of the sound; what costs most comes first."""
    rows: list[list[Any]] = []
    columns = (
        Quantity(title="Accuracy lost", kind="points"),
        Quantity(title="Loss", unit="nats"),
        Quantity(title="Clips", kind="integer"),
        Quantity(title="Removed", kind="text"),
        Quantity(title="Layer", kind="integer"),
        Quantity(title="Channel", kind="integer"),
        *(Quantity(title=word, kind="points") for word in subject.words),
    )

    def add(what: str, layer: int | None, channel: int | None, lost: Losses, place: int) -> None:
        head = [float(lost.accuracy[place]), float(lost.nats[place]), lost.clips, what, layer, channel]
        rows.append([*head, *map(float, lost.by_word[place])])

    by_layer: dict[int, Losses] = {}
    for layer in subject.layers:
        name = f"channels of layer {layer.number}"
        by_layer[layer.number] = lost = channel_losses(subject, layer, subject.doing(name))
        for channel in range(layer.channels):
            add("channel", layer.number, channel, lost, channel)
    groups, bands = _groups(subject), _bands(subject)
    for place, name in enumerate(groups[0]):
        if groups[1]:
            add(name, 1, None, groups[1], place)
    names = [f"{low:.0f}-{high:.0f} Hz" for low, high in pairwise(EDGES_HZ)]
    for place, name in enumerate(names):
        add(name, None, None, bands, place)
    rows.sort(key=lambda row: -float(row[1] or 0))
    dearest = int(bands.nats.argmax())
    found = [
        f"The band {names[dearest]} matters most: without it accuracy falls by {100 * bands.accuracy[dearest]:.1f} points."
    ]
    needed = sum(int((lost.accuracy > 2 * lost.error).sum()) for lost in by_layer.values())
    total = sum(layer.channels for layer in subject.layers)
    if total:
        found.append(
            f"{needed} of {total} channels cost more accuracy than chance (2 standard errors) when silenced alone."
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


def _groups(subject: Subject) -> tuple[list[str], Losses | None]:
    """The types of the filters of layer 1, and what is lost without all of each."""
    try:
        types = [describe(taps).type for taps in first_filters(subject.network, subject.layers)]
    except UnfitError:
        return [], None
    names = sorted(set(types))
    groups = [[place for place, each in enumerate(types) if each == name] for name in names]
    titles = [f"all {types.count(name)} filters of type {name}" for name in names]
    return titles, group_losses(subject, subject.layers[0], groups)


def _bands(subject: Subject) -> Losses:
    chosen = clips_within(subject, mflop_per_clip(subject.network) * (len(EDGES_HZ) - 1))
    sound, labels = subject.sound[chosen], subject.labels[chosen]
    whole = scores(subject.network, sound)
    report = subject.doing("bands of the sound")
    without = []
    for place, (low, high) in enumerate(pairwise(EDGES_HZ)):
        without.append(scores(subject.network, without_band(sound, low, high)))
        report((place + 1) / (len(EDGES_HZ) - 1))
    return losses(whole, without, labels, len(subject.words))


@quiet
def draw(subject: Subject, by_layer: dict[int, Losses], bands: Losses) -> Figure:
    """The loss without each channel, by layer, and without each band of the sound."""
    figure = picture(
        1000,
        800,
        "What is lost without each part",
        f"{subject.title} · run {subject.run}",
        "Above: each dot a silenced channel; grey: what chance alone gives.",
        "Below: a half-octave band is taken out of the sound.",
    )
    above, below = figure.subplots(2, 1)
    for place, lost in enumerate(by_layer.values()):
        spread = np.linspace(-0.3, 0.3, len(lost.accuracy))
        above.fill_between([place - 0.4, place + 0.4], -200 * lost.error, 200 * lost.error, color="#d5dae1")
        above.plot(
            place + spread, 100 * np.sort(lost.accuracy.numpy())[::-1], "o", color=ACCENT, markersize=4
        )
    above.axhline(0, color=SOFT, linewidth=1)
    above.set_xticks(range(len(by_layer)), labels=[f"layer {number}" for number in by_layer])
    above.set_ylabel("accuracy lost (points)")
    if not by_layer:
        above.text(
            0.5, 0.5, "this network has no layer that is known", ha="center", transform=above.transAxes
        )
    places = np.arange(len(bands.accuracy))
    below.fill_between([-0.6, len(places) - 0.4], -200 * bands.error, 200 * bands.error, color="#d5dae1")
    below.bar(places, 100 * bands.accuracy.numpy(), color=CONTRAST, width=0.7)
    below.set_xticks(places, labels=[f"{edge / 1000:.2g}" for edge in EDGES_HZ[:-1]])
    below.set_xlabel("band of half an octave, from (kHz)")
    below.set_ylabel("accuracy lost (points)")
    return figure
