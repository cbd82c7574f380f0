"""The networks that can be trained, listed without torch."""

import logging
from contextlib import suppress
from functools import cache

from pydantic import ValidationError

from backend.errors import InvalidError, SheetrackError, UnavailableError
from backend.jobs.models_cli import ask
from backend.settings import sentence
from models.architecture_table import MEASURED, SOURCES, NetworkSize, Table, read_table, unmeasured
from models.places import home
from models.recipe import Recipe
from models.run_folder import write_atomically

log = logging.getLogger(__name__)


@cache
def architectures() -> tuple[NetworkSize, ...]:
    """Every network. A lab's own networks are measured once, which takes seconds; the home keeps the sizes."""
    kept = home() / "cache" / "architectures.json"
    table = read_table(MEASURED) or read_table(kept)
    if table:
        return table.networks
    try:
        table = measure()
    except SheetrackError as error:
        log.warning("The sizes of the networks are not known. %s", error)
        return unmeasured()
    # An error may come from the machine, such as a package that is missing: it is looked for again.
    if not any(network.error for network in table.networks):
        with suppress(OSError):
            kept.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(kept, table.model_dump_json())
    return table.networks


def measure() -> Table:
    """Builds every network with torch, which takes seconds.

    Raises:
        UnavailableError: the models cannot be asked, usually because torch is not installed.
    """
    try:
        return Table.model_validate_json(ask("architectures"))
    except ValidationError as error:
        raise UnavailableError(
            f"`python -m models architectures` prints no table: {sentence(error)}.",
            "Look for a print in a file of models/architectures.",
        ) from None


def check(recipe: Recipe) -> Recipe:
    """The recipe with its depth filled in.

    Raises:
        InvalidError: there is no such architecture, not of that depth, or it cannot be built.
    """
    names = list(dict.fromkeys(known.architecture for known in architectures()))
    if recipe.architecture not in names:
        raise InvalidError(
            f"There is no architecture {recipe.architecture!r}.", f"Choose one of {', '.join(names)}."
        )
    ours = [known for known in architectures() if known.architecture == recipe.architecture]
    if recipe.depth is None:
        recipe = recipe.model_copy(update={"depth": next(known.depth for known in ours if known.default)})
    depths = sorted({known.depth for known in ours})
    if recipe.depth not in depths:
        offered = f"{depths[0]} to {depths[-1]}" if len(depths) > 1 else str(depths[0])
        raise InvalidError(f"{recipe.architecture} has no depth {recipe.depth}.", f"Choose {offered}.")
    place = (recipe.depth, recipe.batch_norm)
    if error := next(known.error for known in ours if (known.depth, known.batch_norm) == place):
        raise InvalidError(
            f"{recipe.title} cannot be built: {error}.",
            f"Correct {recipe.architecture} below {SOURCES}, then start the backend again.",
        )
    return recipe
