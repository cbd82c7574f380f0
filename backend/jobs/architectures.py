"""The networks that can be trained, listed without torch: ours, and those of the lab's own in the home."""

import logging
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cache
from pathlib import Path
from threading import Lock, Thread

from pydantic import TypeAdapter, ValidationError

from backend.errors import ConflictError, InvalidError, SheetrackError, UnavailableError
from backend.jobs.models_cli import ask
from backend.settings import sentence
from models import places
from models.architecture_table import MEASURED, NetworkSize, Table, read_table, sources_hash, unmeasured
from models.own_files import OwnFile, hash_of, own_files
from models.recipe import Recipe
from models.run_folder import RunFolder, write_atomically

log = logging.getLogger(__name__)

_NETWORKS = TypeAdapter(tuple[NetworkSize, ...])
_FAULT_SECONDS = 60
"""A fault may come from the machine, such as a missing package: it is looked for again after so long."""
_faulty: dict[str, tuple[float, tuple[NetworkSize, ...]]] = {}
"""Files that cannot be used, by their key: until when that counts, and their row."""
_one_at_a_time: defaultdict[str, Lock] = defaultdict(Lock)
"""A file that several ask about is measured once."""
_AT_ONCE = 2
"""Files that are measured beside each other. Each takes seconds, and one without an end takes longest."""


def architectures() -> tuple[NetworkSize, ...]:
    """Every network. One of the lab's own is measured once for each of its versions, which takes seconds."""
    return (*_ours(), *own_networks())


def own_networks() -> list[NetworkSize]:
    """The networks of the lab's own; one row with an error for a file that cannot be used."""
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        return [
            network for networks in threads.map(_theirs, own_files(places.home())) for network in networks
        ]


def depths_of(architecture: str) -> list[NetworkSize]:
    """The networks of one name. No other file is looked at, which may take long where it has a mistake."""
    ours = [known for known in _ours() if known.architecture == architecture]
    files = [] if ours else [each for each in own_files(places.home()) if each.name == architecture]
    return ours + [network for file in files for network in _theirs(file, waits=True)]


@cache
def _ours() -> tuple[NetworkSize, ...]:
    """The networks of Sheetrack. Their sizes ship with it; where a developer changed them they are measured."""
    if table := read_table(MEASURED):
        return table.networks
    try:
        return measure().networks
    except SheetrackError as error:
        log.warning("The sizes of the networks are not known. %s", error)
        return unmeasured()


def measure() -> Table:
    """Builds every network of Sheetrack with torch, which takes seconds.

    Raises:
        UnavailableError: the models cannot be asked, usually because torch is not installed.
    """
    try:
        return Table.model_validate_json(ask("architectures"))
    except ValidationError as error:
        raise UnavailableError(
            f"`python -m models architectures` prints no table: {sentence(error)}."
        ) from None


def _theirs(file: OwnFile, *, waits: bool = False) -> tuple[NetworkSize, ...]:
    """The networks of a file of the lab's own; one row with an error where it cannot be used.

    A fault that no longer counts is still shown while it is looked for again, unless the caller waits for it:
    a list of all networks would wait for each broken one.
    """
    if file.fault:
        return (_row(file, file.fault),)
    key = hash_of(file.source + sources_hash().encode())
    until, networks = _faulty.get(key, (0.0, ()))
    if not networks or (waits and time.monotonic() >= until):
        return _measured(file, key)
    if time.monotonic() >= until and not _one_at_a_time[key].locked():
        Thread(target=_measured, args=(file, key), name=f"measures {file.name}", daemon=True).start()
    return networks


def _measured(file: OwnFile, key: str) -> tuple[NetworkSize, ...]:
    """What the models say about the file, or said about the same one before."""
    kept = places.home() / "cache" / "architectures" / f"{file.name}-{key[:16]}.json"
    with _one_at_a_time[key]:
        with suppress(OSError, ValueError):
            return _NETWORKS.validate_json(kept.read_bytes())
        until, networks = _faulty.get(key, (0.0, ()))
        if time.monotonic() < until:
            return networks
        try:
            networks = _NETWORKS.validate_json(ask("architecture", str(file.path)))
        except SheetrackError as error:
            networks = (_row(file, f"{file.path.name}: {error.message}"),)
        except ValidationError as error:
            networks = (_row(file, f"{file.path.name}: no sizes were measured ({sentence(error)})"),)
        if any(network.error for network in networks):
            _faulty[key] = (time.monotonic() + _FAULT_SECONDS, networks)
            return networks
        with suppress(OSError):
            kept.parent.mkdir(parents=True, exist_ok=True)
            for outdated in kept.parent.glob(f"{file.name}-????????????????.json"):
                outdated.unlink(missing_ok=True)
            write_atomically(kept, _NETWORKS.dump_json(networks))
        _faulty.pop(key, None)
    return networks


def _row(file: OwnFile, error: str) -> NetworkSize:
    return NetworkSize(architecture=file.name[:50], depth=1, batch_norm=False, default=True, error=error)


def check(recipe: Recipe) -> Recipe:
    """The recipe with its depth filled in, and the hash of the file of a lab's own network.

    Raises:
        InvalidError: there is no such architecture, not of that depth, or it cannot be built.
    """
    ours = [known for known in _ours() if known.architecture == recipe.architecture]
    file = None
    if not ours:
        file = next((each for each in own_files(places.home()) if each.name == recipe.architecture), None)
        if file is None:
            theirs = [each.name for each in own_files(places.home()) if not each.fault]
            names = dict.fromkeys([known.architecture for known in _ours() if not known.error] + theirs)
            raise InvalidError(
                f"There is no architecture {recipe.architecture!r}.", f"Choose one of {', '.join(names)}."
            )
        ours = list(_theirs(file, waits=True))
        if error := ours[0].error:
            raise InvalidError(f"{recipe.architecture} cannot be used: {error}.", f"Correct {file.path}.")
    depth = recipe.depth or next(known.depth for known in ours if known.default)
    depths = sorted({known.depth for known in ours})
    if depth not in depths:
        offered = f"{depths[0]} to {depths[-1]}" if len(depths) > 1 else str(depths[0])
        raise InvalidError(f"{recipe.architecture} has no depth {depth}.", f"Choose {offered}.")
    # A function that does not ask for batch norm gives the same network with it and without.
    has_choice = any(known.batch_norm for known in ours)
    return recipe.model_copy(
        update={
            "depth": depth,
            "batch_norm": recipe.batch_norm and has_choice,
            "architecture_hash": file.hash if file else "",
        }
    )


def source_of(recipe: Recipe, runs: Path) -> bytes:
    """The file of the lab's own network that a checked recipe names; empty for a network of ours.

    A run that goes on from another one has the file of that one.

    Raises:
        ConflictError: it has changed since, or is gone.
    """
    if not recipe.architecture_hash:
        return b""
    if recipe.parent:
        with suppress(OSError):
            return RunFolder(runs / recipe.parent).architecture_file.read_bytes()
    for file in own_files(places.home()):
        if file.name == recipe.architecture and file.hash == recipe.architecture_hash:
            return file.source
    raise ConflictError(
        f"The file of {recipe.architecture} has changed since the training was asked for.",
        "Ask for it again.",
    )
