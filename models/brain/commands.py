"""The commands about brain data, such as `python -m models brain map RUN_FOLDER DATA`. Thin."""

import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import click
from rich.console import Console
from rich.progress import Progress as Bar

from models.brain.errors import BrainError
from models.brain_result import MAPPING_SUFFIX, Mapping
from models.command import RUN_VARIABLE
from models.result import Progress
from models.run_folder import RunFolder, write_atomically

PATH = click.Path(path_type=Path)


_figures = click.option("--figures/--no-figures", default=True, envvar="SHEETRACK_FIGURES")


@click.group()
def brain() -> None:
    """Maps networks to brain data."""


@brain.command()
@click.argument("folder", type=PATH)
@click.option("--run", type=PATH, help="The run whose layers are the truth.")
@click.option("--layer", "layers", default="mel", show_default=True, help="The truth of the regions in turn.")
@click.option("--snr", default=0.5, show_default=True, type=click.FloatRange(0.001, 1000))
@click.option("--sounds", default=165, show_default=True, type=click.IntRange(20, 10_000))
@click.option("--voxels", default=400, show_default=True, type=click.IntRange(1, 200_000))
@click.option("--people", default=4, show_default=True, type=click.IntRange(1, 100))
@click.option("--nulls", default=0.2, show_default=True, type=click.FloatRange(0, 1))
@click.option("--repetitions", default=3, show_default=True, type=click.IntRange(1, 20))
@click.option("--fall", default=0.5, show_default=True, type=click.FloatRange(0, 2))
@click.option("--continuous", is_flag=True)
@click.option("--runs", default=6, show_default=True, type=click.IntRange(2, 100))
@click.option("--passage", "passage_s", default=120.0, show_default=True, type=click.FloatRange(20, 3600))
@click.option("--tr", "tr_s", default=2.0, show_default=True, type=click.FloatRange(0.2, 10))
@click.option("--seed", default=0, show_default=True, type=click.IntRange(min=0))
def simulate(folder: Path, run: Path | None, layers: str, **choices: float) -> None:
    """Makes a small data set with known truth in FOLDER."""
    from models.brain import simulate as simulation  # noqa: PLC0415

    plan = simulation.Plan(layers=tuple(_listed(layers)), **choices)  # type: ignore[arg-type] # click has checked them
    simulation.simulate(folder.absolute(), plan, RunFolder(run.absolute()) if run else None)
    click.echo(f"{folder}: simulated data set written; truth.tsv tells what drives each voxel")


@brain.command()
@click.argument("folder", type=PATH)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def check(folder: Path, *, as_json: bool) -> None:
    """Tells what is in a data set, and each problem in a sentence."""
    from models.brain.check import check as examine  # noqa: PLC0415

    facts, problems = examine(folder.absolute())
    if as_json:
        click.echo(json.dumps({"facts": dict(facts), "problems": problems}, indent=1, ensure_ascii=False))
        return
    for name, value in facts:
        click.echo(f"{name}: {value}")
    for problem in problems:
        click.echo(f"note: {problem}")


@brain.command("map")
@click.argument("run_folder", type=PATH)
@click.argument("data", type=PATH)
@click.option("--name", default="")
@click.option("--layers", default="")
@click.option("--controls", default="all", show_default=True)
@click.option("--beside", type=PATH, multiple=True, help="Another run to map beside, such as a second seed.")
@click.option("--response", default="fir", show_default=True, type=click.Choice(["fir", "hrf"]))
@_figures
@click.option("--quiet", is_flag=True, help="Print no JSON at the end.")
def map_command(
    run_folder: Path,
    data: Path,
    *,
    name: str,
    layers: str,
    controls: str,
    beside: Sequence[Path],
    response: str,
    figures: bool,
    quiet: bool,
) -> None:
    """Maps the layers of a run to a data set; goes on where an earlier try of the same was stopped."""
    from models.brain.mapping import CONTROLS, map_run  # noqa: PLC0415

    folder, job = RunFolder(run_folder.absolute()), os.environ.get(RUN_VARIABLE)
    chosen = CONTROLS if controls == "all" else () if controls == "none" else tuple(_listed(controls))
    if unknown := [control for control in chosen if control not in CONTROLS]:
        raise BrainError(f"there is no control {unknown[0]}: choose all, none or from {', '.join(CONTROLS)}")
    console = Console(stderr=True)
    with Bar(console=console, transient=True, disable=not console.is_terminal) as bar:
        line = bar.add_task("layers")

        def report(doing: str, done: int, of: int) -> None:
            bar.update(line, description=doing, completed=done, total=of)
            if not console.is_terminal:
                click.echo(f"{done} of {of} layers: {doing}", err=True)
            if job:
                progress = Progress(phase=doing, fraction=done / of)
                write_atomically(RunFolder(Path(job)).progress_file, progress.model_dump_json())

        mapping = map_run(
            folder, data.absolute(), name=name, layers=_listed(layers), controls=chosen,
            others=[RunFolder(other.absolute()) for other in beside], response=response, report=report,
        )  # fmt: skip
    drawn = _draw(folder, mapping) if figures else []
    if job:
        _hand_over(RunFolder(Path(job)), folder, mapping, drawn)
    if not quiet:
        click.echo(mapping.model_dump_json(indent=1))


@brain.command()
@click.argument("run_folder", type=PATH)
@click.argument("data", type=PATH)
@click.option("--contrast", required=True)
@_figures
def glm(run_folder: Path, data: Path, contrast: str, *, figures: bool) -> None:
    """Fits the classic GLM to runs with events, and leaves one contrast in RUN_FOLDER."""
    from models.brain.contrast import make_contrast, write_result  # noqa: PLC0415

    folder = RunFolder(run_folder.absolute())
    found = make_contrast(folder, data.absolute(), contrast)
    try:
        if figures:
            from models.figures.brain_glm import draw  # noqa: PLC0415

            draw(folder, found)
    except Exception as error:  # noqa: BLE001 - a picture must never cost a result
        click.echo(f"note: the pictures could not be drawn ({error})", err=True)
    write_result(folder, found)


@brain.command()
@click.argument("a", type=PATH)
@click.argument("b", type=PATH)
@click.option("--name", default="")
def compare(a: Path, b: Path, name: str) -> None:
    """Compares two runs that were mapped to the same data, and prints JSON."""
    from models.brain.compare import compare as compare_runs  # noqa: PLC0415

    click.echo(compare_runs(a.absolute(), b.absolute(), name).model_dump_json(indent=1))


def _draw(folder: RunFolder, mapping: Mapping) -> list[Path]:
    """A picture must never cost a result."""
    try:
        from models.figures.brain import draw  # noqa: PLC0415

        return draw(folder, mapping)
    except Exception as error:  # noqa: BLE001
        click.echo(f"note: the pictures could not be drawn ({error})", err=True)
        return []


def _hand_over(job: RunFolder, folder: RunFolder, mapping: Mapping, drawn: list[Path]) -> None:
    """Leaves the mapping and its pictures in the folder of the job too: they come back from other servers with it."""
    metrics: dict[str, object] = {f"best layer, {each.title}": each.best for each in mapping.profiles}
    metrics |= {f"finding {number}": finding for number, finding in enumerate(mapping.findings, start=1)}
    metrics |= {"mapped run": mapping.run, "data": mapping.data, "measure": mapping.measure}
    job.brain.mkdir(exist_ok=True)
    job.figures.mkdir(exist_ok=True)
    for file in (folder.brain / f"{mapping.name}{MAPPING_SUFFIX}", *drawn):
        shutil.copyfile(file, job.path / file.relative_to(folder.path))
    write_atomically(job.result_file, json.dumps({"metrics": metrics}, ensure_ascii=False))


def _listed(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]
