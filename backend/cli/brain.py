"""The commands about brain data."""

import json
import shutil
from pathlib import Path
from typing import Any

import click

from backend.cli.recipe_options import resources_from
from backend.cli.show import as_json, say, show_json
from backend.cli.train import run_folder, run_models
from backend.errors import InvalidError, NotFoundError
from backend.jobs.models_cli import ask
from backend.jobs.own_command import own_command
from backend.service.wiring import Sheetrack
from backend.settings import this_user
from backend.tabs.names import brain_tab
from models.brain_result import Contrast, Mapping, mapping_names, read_mapping
from models.run_folder import RunFolder
from models.run_reader import BrokenRunError

_PASS_ON = {"ignore_unknown_options": True}


@click.group()
def brain() -> None:
    """Maps networks to brain data: which layer explains which voxel."""


@brain.command(context_settings=_PASS_ON)
@click.argument("folder", metavar="DIR")
@click.option("--run", metavar="RUN", help="The run whose layers drive the voxels.")
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
def simulate(*, folder: str, run: str | None, options: tuple[str, ...]) -> None:
    """Makes a simulated data set in DIR, whose truth is known.

    --layer conv4 (or several, for the regions in turn; mel without a run), --snr 0.5, --sounds 165, --voxels 400,
    --people 4, --nulls 0.2, --repetitions 3, --seed 0; --continuous with --runs 6, --passage 120 (s) and
    --tr 2. --fall 0.5: how the components of
    a layer count, from 0, all alike, to 1, as they vary.
    """
    chosen = ["--run", str(run_folder(Sheetrack().home, run).path)] if run else []
    run_models("brain", "simulate", folder, *chosen, *options)


@brain.command()
@click.argument("folder", metavar="DIR")
@as_json
def check(*, folder: str, is_json: bool) -> None:
    """Tells what is in a data set, and each problem in a sentence."""
    run_models("brain", "check", folder, *(["--json"] if is_json else []))


@brain.command("map")
@click.argument("run")
@click.option("--data", required=True, metavar="DIR", help="The folder of the data set.")
@click.option("--name", help="What the mapping is called.  [default: as the data set]")
@click.option("--layers", metavar="LAYER,...", help="Only these layers.  [default: all]")
@click.option("--controls", metavar="all|none|CONTROL,...", help="What stands beside it.  [default: all]")
@click.option(
    "--beside", metavar="RUN", multiple=True, help="A run to map beside, such as a second seed. Repeatable."
)
@click.option("--response", type=click.Choice(["fir", "hrf"]), help="Of continuous sounds.  [default: fir]")
@click.option("--server", metavar="NAME", help="Map there, as a job, where the run was trained.")
@as_json
def map_command(
    *, run: str, data: str, server: str | None, beside: tuple[str, ...], is_json: bool, **options: Any
) -> None:
    """Maps the layers of RUN to a data set: separate or continuous sounds, with every control.

    A mapping that was stopped goes on from its last layer. The tab `Brain RUN` shows the result.
    """
    sheetrack = Sheetrack()
    chosen = [word for name, value in options.items() if value for word in (f"--{name}", value)]
    if server:
        _launch(
            sheetrack,
            server,
            [run, "--data", data, *(w for other in beside for w in ("--beside", other)), *chosen],
        )
        return
    folder = run_folder(sheetrack.home, run)
    others = [word for other in beside for word in ("--beside", str(run_folder(sheetrack.home, other).path))]
    before = {file: file.stat().st_mtime_ns for file in folder.brain.glob("*.json")}
    run_models("brain", "map", str(folder.path), data, "--quiet", *others, *chosen)
    sheetrack.results.collect()
    sheetrack.display.show_results(changed={run})
    new = [file for file in folder.brain.glob("*.json") if before.get(file) != file.stat().st_mtime_ns]
    if not new:
        raise NotFoundError(f"Run {run} has no new mapping.", "Look into its folder.")
    mapping = _read(folder, new[0].stem)
    if is_json:
        show_json(mapping)
        return
    _tell(mapping)
    say(f"The tab `{brain_tab(run)}` shows it; numbers by voxel are in {new[0].with_suffix('.npz')}")


def _launch(sheetrack: Sheetrack, server: str, words: list[str]) -> None:
    """Queues the same command on a server, as a program that needs no GPU."""
    known = sheetrack.servers.get(server)
    here = known is not None and known.is_here
    if here:
        place = words.index("--data") + 1
        words[place] = str(Path(words[place]).expanduser().absolute())
    command = own_command(["brain", "map", *words], is_here=here)
    job = sheetrack.queue.launch(server, command, this_user(), resources=resources_from(0, None))
    say(f"{job.id} is queued on {job.runs_on}: {job.work.title}")


@brain.command()
@click.argument("folder", metavar="DIR")
@click.option(
    "--contrast", required=True, metavar="'speech - silence'", help="Conditions, added and subtracted."
)
@as_json
def glm(*, folder: str, contrast: str, is_json: bool) -> None:
    """Fits the classic GLM to the runs in DIR: HRF, drift, confounds, AR(1) noise.

    Takes a plain folder of runs, or images with events as BIDS has them. The contrast becomes a result of its own,
    with a tab `Brain ...`.
    """
    sheetrack = Sheetrack()
    made = RunFolder.create(sheetrack.home.runs, None)
    try:
        run_models("brain", "glm", str(made.path), folder, "--contrast", contrast)
    finally:
        if not made.result_file.exists():
            shutil.rmtree(made.path)
    sheetrack.results.collect()
    found = _read(made, mapping_names(made)[0])
    if is_json:
        show_json(found)
        return
    _tell(found)
    say(f"The tab `{brain_tab(made.id)}` shows it.")


@brain.command()
@click.argument("a", metavar="RUN")
@click.argument("b", metavar="RUN")
@click.option("--name", help="Which mapping, where both runs have several.")
@as_json
def compare(*, a: str, b: str, name: str | None, is_json: bool) -> None:
    """Tells whether one of two RUNs explains more of the same data: paired over voxels, then over people."""
    home = Sheetrack().home
    sides = [str(run_folder(home, run).path) for run in (a, b)]
    found = json.loads(ask("brain", "compare", *sides, *(["--name", name] if name else [])))
    if is_json:
        show_json(found)
        return
    say(found["finding"])
    for person in found["people"]:
        say(
            f"{person['name']}: {a} {person['a']:.3f}, {b} {person['b']:.3f}; {b} better in {person['share_b']:.0%} "
            f"of {person['voxels']:,} voxels"
        )
    say(f"{found['measure']}; {found['data']}{' (simulated)' if found['simulated'] else ''}")


def _read(folder: RunFolder, name: str) -> Mapping | Contrast:
    """Raises: InvalidError, NotFoundError: it cannot be read, or is not there."""
    try:
        found = read_mapping(folder, name)
    except BrokenRunError as error:
        raise InvalidError(f"{error}.") from error
    if found is None:
        raise NotFoundError(f"Run {folder.id} has no {name!r} in {folder.brain}.", "Map it again.")
    return found


def _tell(found: Mapping | Contrast) -> None:
    for finding in found.findings:
        say(finding)
    for notice in found.notices:
        say(f"note: {notice}", err=True)
