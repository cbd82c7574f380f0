"""How alike the layers of two networks are: debiased linear centred kernel alignment (CKA)."""

from typing import Any

import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from models.explain.finding import Finding, UnfitError
from models.explain.layers import Layer, measured
from models.explain.subject import Subject
from models.explanation import Quantity
from models.figures.style import ACCENT, INTENSITY, NULL, picture, quiet

MOST_CLIPS = 1200
BINS = 8
"""Moments of a clip at which each channel counts, as means of its output over eighths of a second."""


def centred(features: Tensor) -> Tensor:
    """The U-centred Gram matrix of features (clips, values): without the diagonal, its rows sum to 0.

    Szekely and Rizzo (2014), eq. 2.2: unbiased however many values there are.
    """
    count = len(features)
    values = features.double() - features.double().mean(0)
    gram = values @ values.T
    gram.fill_diagonal_(0)
    means = gram.sum(0) / (count - 2)
    gram = gram - means[:, None] - means[None, :] + gram.sum() / ((count - 1) * (count - 2))
    gram.fill_diagonal_(0)
    return gram


def cka(one: Tensor, other: Tensor) -> float:
    """Debiased CKA of two U-centred Gram matrices: 1 for the same features up to rotation, 0 for independent ones."""
    scale = float((one.square().sum() * other.square().sum()).sqrt())
    return float((one * other).sum()) / scale if scale > 0 else float("nan")


def features(network: nn.Module, layers: list[Layer], sound: Tensor) -> list[Tensor]:
    """What each layer gives for each clip: its channels in `BINS` parts of the second, (clips, values)."""
    return measured(network, sound, layers, lambda _, output: in_bins(output).flatten(1))


def in_bins(output: Tensor, bins: int = BINS) -> Tensor:
    """Means of (clips, channels, time) over at most so many parts of the time."""
    return torch.nn.functional.adaptive_avg_pool1d(output, min(bins, output.shape[2]))


def explain(subject: Subject, other: Subject | None = None) -> Finding:
    """A row a layer: how alike it is to the same layer of the other network, and which one there it is most like."""
    if not subject.layers:
        raise UnfitError("the network has no layer that is known to compare")
    sound = subject.sound[subject.a_few(MOST_CLIPS)]
    subject.report("this network", 0.1)
    here = [centred(each) for each in features(subject.network, subject.layers, sound)]
    subject.report("its start", 0.4)
    start = (
        [centred(each) for each in features(subject.start, subject.start_layers, sound)]
        if subject.start and subject.start_layers
        else None
    )
    if other is not None:
        subject.report("the other network", 0.7)
        there, layers, name = features(other.network, other.layers, sound), other.layers, f"run {other.run}"
        grams = [centred(each) for each in there]
    elif start is not None:
        grams, layers, name = start, subject.layers, "its own start"
    else:
        raise UnfitError(
            "the weights that this run started from were not kept: name a second run to compare with"
        )
    table = torch.tensor([[cka(a, b) for b in grams] for a in here])
    own = [cka(a, b) for a, b in zip(here, start, strict=True)] if start else None
    rows: list[list[Any]] = []
    for place, layer in enumerate(subject.layers):
        best = int(table[place].nan_to_num(-1).argmax())
        rows.append(
            [
                layer.number,
                float(table[place, place]) if place < len(layers) else None,
                float(table[place, best]),
                layers[best].number,
                own[place] if own else None,
                layer.channels,
                layer.field_ms,
            ]
        )
    diagonal = [float(table[place, place]) for place in range(min(table.shape))]
    return Finding(
        title=f"Likeness of layers with {name}",
        read="One row a layer: 1 means that it arranges the clips exactly as the other network's layer does, 0 that "
        "the two have nothing in common.",
        null="Grey: the same layer against the network's own start. Independent features give 0, whatever their number.",
        columns=(
            Quantity(title="Layer", kind="integer"),
            Quantity(title="Likeness with the same layer", unit="CKA"),
            Quantity(title="Greatest likeness", unit="CKA"),
            Quantity(title="with layer", kind="integer"),
            Quantity(title="Likeness with its start", unit="CKA"),
            Quantity(title="Channels", kind="integer"),
            Quantity(title="Receptive field", unit="ms"),
        ),
        rows=rows,
        picture=draw(subject, table, [layer.number for layer in layers], name, own),
        clips=len(sound),
        found=[
            (
                f"Compared with {name}, layer 1 has a likeness of {diagonal[0]:.2f} and layer {len(diagonal)} of "
                f"{diagonal[-1]:.2f} (CKA; 1: the same)."
            )
        ],
    )


@quiet
def draw(subject: Subject, table: Tensor, there: list[int], name: str, own: list[float] | None) -> Figure:
    """Every layer here against every layer there; beside it the same layers as a curve."""
    figure = picture(
        1000,
        560,
        f"How alike the layers are: run {subject.run} and {name}",
        f"{subject.title} · debiased linear CKA on {min(len(subject.sound), MOST_CLIPS):,} test clips",
        "1: both arrange the clips alike; 0: nothing in common.",
    )
    heat, curve = figure.subplots(1, 2, width_ratios=[1.2, 1])
    image = heat.imshow(table.numpy(), cmap=INTENSITY, vmin=0, vmax=1, origin="lower", aspect="auto")
    heat.set_xticks(range(len(there)), labels=list(map(str, there)))
    heat.set_yticks(range(len(table)), labels=[str(layer.number) for layer in subject.layers])
    heat.set_xlabel(f"layer of {name}")
    heat.set_ylabel(f"layer of run {subject.run}")
    figure.colorbar(image, ax=heat, label="CKA")
    same = [float(table[place, place]) for place in range(min(table.shape))]
    numbers = [layer.number for layer in subject.layers]
    if own and name != "its own start":
        curve.plot(numbers, own, "o-", color=NULL, label="with its own start")
    curve.plot(numbers[: len(same)], same, "o-", color=ACCENT, label=f"with {name}")
    curve.set_ylim(-0.05, 1.05)
    curve.set_xticks(numbers)
    curve.set_xlabel("layer")
    curve.set_ylabel("likeness of the same layer (CKA)")
    curve.legend()
    return figure
