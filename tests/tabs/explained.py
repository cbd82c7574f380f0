"""An analysis as the models leave it."""

from models.explanation import Explanation, Moment, Quantity
from tests import examples

FOUND = Explanation(
    what="likes",
    run="r1",
    title="What it likes",
    read="One row a channel.",
    null="Grey: the start.",
    found=("Layer 1 likes <b>.",),
    notices=("No start.",),
    columns=(
        Quantity(title="Centre", unit="Hz", kind="integer"),
        Quantity(title="Taps", kind="curve"),
        Quantity(title="Clip 1", kind="moment"),
        Quantity(title="Lost", kind="points"),
    ),
    rows=((1000, (1.0, -1.0), Moment(clip="cat/a.wav", seconds=0.25), 0.125), (None, (0.0,), None, None)),
    clips=12,
    made_at=examples.NOON,
)
