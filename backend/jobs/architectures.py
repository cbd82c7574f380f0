"""Which networks there are, asked from the models."""

from functools import cache

from pydantic import BaseModel, ConfigDict, TypeAdapter

from backend.errors import InvalidError
from backend.jobs.models_cli import ask
from models.recipe import Recipe


class Architecture(BaseModel):
    """One network that can be trained, sized for sixteen words."""

    model_config = ConfigDict(frozen=True)

    architecture: str
    depth: int
    batch_norm: bool
    parameters: int
    published_parameters: int | None
    mflop_per_clip: float
    layer: str
    """Its deepest convolution, such as `CONV(5, 32)`: taps and channels."""
    default: bool


_LIST = TypeAdapter(tuple[Architecture, ...])


@cache
def architectures() -> tuple[Architecture, ...]:
    """Every network; asking takes seconds the first time, and nothing after that.

    Raises:
        UnavailableError: the models cannot be asked, usually because torch is not installed.
    """
    return _LIST.validate_json(ask("architectures"))


def check(recipe: Recipe) -> Recipe:
    """The recipe with its depth filled in.

    Raises:
        InvalidError: there is no such architecture, or not of that depth.
    """
    names = sorted({known.architecture for known in architectures()})
    if recipe.architecture not in names:
        raise InvalidError(
            f"There is no architecture {recipe.architecture!r}.", f"Choose one of {', '.join(names)}."
        )
    ours = [known for known in architectures() if known.architecture == recipe.architecture]
    if recipe.depth is None:
        return recipe.model_copy(update={"depth": next(known.depth for known in ours if known.default)})
    depths = sorted({known.depth for known in ours})
    if recipe.depth not in depths:
        offered = f"{depths[0]} to {depths[-1]}" if len(depths) > 1 else str(depths[0])
        raise InvalidError(f"{recipe.architecture} has no depth {recipe.depth}.", f"Choose {offered}.")
    return recipe
