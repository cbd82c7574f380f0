"""The commands that run on a server, such as `python -m models train RUN_FOLDER`. Thin."""

import atexit
import errno
import os
import sys
import traceback
from pathlib import Path
from typing import NoReturn

import click
from pydantic import TypeAdapter

from models.analyses import WHAT
from models.architecture_table import NetworkSize
from models.brain.commands import brain
from models.brain.errors import BrainError
from models.command import Command
from models.compare import CompareError
from models.compare import compare as compare_sides
from models.data.commands import data
from models.data.errors import DataError
from models.limits import LimitError, keep_limits, keep_to_processors
from models.own_files import unpacked
from models.places import data_sets, home
from models.process import OPENMP, command, end_with_parent, lower_priority
from models.progress_bar import ProgressLines, progress_bar
from models.recipe import Recipe
from models.result import Heard
from models.run_folder import ForeignRunError, RunFolder
from models.run_lock import VARIABLE, AlreadyTrainingError, RunLock
from models.run_reader import BrokenRunError, read_history, read_recipe, read_result
from models.training.errors import Stopped, TimedOut, TrainingError, stop_on_signals

PATH = click.Path(path_type=Path)


@click.group()
def main() -> None:
    """Trains networks that recognise words, and prepares data for them."""
    if not OPENMP.keys() & os.environ.keys():
        os.environ.update(OPENMP)
    keep_limits()


@main.command()
@click.argument("run_folder", type=PATH)
@click.option("--progress", is_flag=True, help="Show a progress bar instead of a line an epoch.")
@click.option(
    "--figures/--no-figures", default=True, envvar="SHEETRACK_FIGURES", help="Draw the pictures at the end."
)
@click.option(
    "--processes",
    default=1,
    show_default=True,
    type=click.IntRange(1, 64),
    envvar="SHEETRACK_PROCESSES",
    help="How many train together, one a GPU.",
)
def train(run_folder: Path, *, progress: bool, figures: bool, processes: int) -> None:
    """Trains the recipe in RUN_FOLDER, from its checkpoint where it has one.

    A run that has its result already does not change.
    """
    _say_where()
    folder = RunFolder(run_folder.absolute())
    if not folder.recipe_file.exists():
        raise TrainingError(f"{folder.path} is no run folder: it has no recipe.json")
    stop_on_signals()
    try:
        # Before torch is imported, which takes seconds: until then a second start would train beside this one.
        with folder.lock():
            if read_result(folder) is not None:
                return
            from models.data.speech_commands import find  # noqa: PLC0415 - imports numpy

            if recipe := read_recipe(folder):
                find(recipe.data)  # what is not there is told at once, too
            from models.training.train import train as train_run  # noqa: PLC0415

            train_run(folder, bar=progress, figures=figures, processes=processes)
    except (Stopped, TimedOut) as stopped:
        epochs = len(read_history(folder))
        why = "its time limit is over" if isinstance(stopped, TimedOut) else "stopped"
        step = "resume" if os.environ.get("SHEETRACK_RUN") else "train --resume"  # a job's, or a person's
        click.echo(f"{why} after epoch {epochs}; go on with: sheetrack {step} {folder.id}", err=True)
        sys.exit(stopped.exit_code)


def _say_where() -> None:
    """The first line of a job's log names the GPUs that were chosen for it."""
    if gpus := os.environ.get("SHEETRACK_GPUS"):
        click.echo(f"runs on {gpus}")


@main.command(hidden=True)
@click.argument("run_folder", type=PATH)
@click.argument("rank", type=int)
@click.argument("size", type=int)
@click.argument("meeting", type=PATH)
def train_part(run_folder: Path, rank: int, size: int, meeting: Path) -> None:
    """Trains as process RANK of SIZE, which meet by the file MEETING. `train` starts it."""
    end_with_parent()
    from models.training.team import Team  # noqa: PLC0415
    from models.training.train import take_part  # noqa: PLC0415

    take_part(RunFolder(run_folder), Team(rank, size), meeting)


@main.command("run")
@click.argument("run_folder", type=PATH)
@click.option("--prefix", default="", help="The folder of the Python or conda environment.")
def run_program(run_folder: Path, *, prefix: str) -> None:
    """Runs the program of RUN_FOLDER, and notes there how it ended."""
    from models.program import run as run_command  # noqa: PLC0415 - a training needs it not

    _say_where()
    keep_to_processors()
    sys.exit(run_command(RunFolder(run_folder.absolute()), prefix))


@main.command()
@click.argument("run")
@click.argument("content")
@click.option("--prefix", default="", help="The folder of the Python or conda environment.")
@click.option("--source", default="", help="The file of a lab's own network, as `packed` gives it.")
@click.option("--again", is_flag=True, help="Run a program again that has ended.")
def job(run: str, content: str, *, prefix: str, source: str, again: bool) -> NoReturn:
    """Runs CONTENT, a recipe or a command (JSON), in the run folder RUN of this machine's home.

    For a backend on another machine.
    """
    work = TypeAdapter[Recipe | Command](Recipe | Command).validate_json(content)
    folder = RunFolder.receive(home() / "runs", run, work, unpacked(source))
    lock = RunLock(folder.lock_file)
    lock.note(os.getpid())
    if again:
        folder.exit_file.unlink(missing_ok=True)
    log = os.open(folder.log_file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    for stream in (sys.stdout, sys.stderr):
        os.dup2(log, stream.fileno())
    lower_priority(os.getpid())
    os.environ.pop("OMP_NUM_THREADS", None)  # Ray sets 1 where a job reserves no processors
    # Data that is not in the home is not looked for where Ray happens to run.
    data_sets(home()).mkdir(exist_ok=True)
    os.chdir(data_sets(home()))
    step = ["train"] if isinstance(work, Recipe) else ["run", f"--prefix={prefix}"]
    os.set_inheritable(lock.descriptor, True)
    os.environ[VARIABLE] = str(lock.descriptor)
    # In place of this process: the one that Ray knows, and ends with its job, is the one that trains.
    os.execv(sys.executable, command(*step, str(folder.path)))  # noqa: S606 - a shell is not wanted


main.add_command(brain)
main.add_command(data)


@main.command()
def architectures() -> None:
    """Prints every network with its size, as JSON."""
    from models.architectures.cost import table  # noqa: PLC0415 - imports torch

    click.echo(table().model_dump_json(indent=1))


@main.command()
@click.argument("file", type=PATH)
def architecture(file: Path) -> None:
    """Prints the networks of FILE, the lab's own, with their sizes, as JSON."""
    from models.architectures.cost import own_networks  # noqa: PLC0415 - imports torch

    click.echo(TypeAdapter(list[NetworkSize]).dump_json(own_networks(file.absolute())))


@main.command()
@click.argument("run_folder", type=PATH)
@click.option("--clip", help="Show this clip in the network; needs the data and torch.")
@click.option("--to", "into", type=PATH, help="Draw for print into this folder.")
@click.option("--format", "shape", type=click.Choice(["png", "pdf", "svg"]), default="pdf")
@click.option("--title/--no-title", "with_title", default=True)
@click.option("--width-mm", type=click.FloatRange(20, 1000))
def figures(
    run_folder: Path,
    clip: str | None,
    *,
    into: Path | None,
    shape: str,
    with_title: bool,
    width_mm: float | None,
) -> None:
    """Draws the pictures of a run from its folder."""
    from models.figures import draw, draw_for_print  # noqa: PLC0415

    if clip:
        from models.training.trace_clip import trace_clip  # noqa: PLC0415

        trace_clip(RunFolder(run_folder.absolute()), clip)
    folder = RunFolder(run_folder.absolute())
    files = (
        draw_for_print(folder, into, shape, width_mm=width_mm, with_title=with_title)
        if into
        else draw(folder)
    )
    for file in files:
        click.echo(file)


@main.command()
@click.argument("run_folder", type=PATH)
@click.argument("data")
def evaluate(run_folder: Path, data: str) -> None:
    """Tests a finished run on the folder of words DATA, and keeps that with the run."""
    with progress_bar() as progress:
        bar, lines = progress.add_task("testing", total=None), ProgressLines()

        def report(done: int, of: int) -> None:
            progress.update(bar, description="reading clips", completed=done, total=of)
            lines.tell(f"{done:,} of {of:,} clips read")
            if done == of:
                progress.update(bar, description="asking the network", total=None)

        from models.training.trained import evaluate_on  # noqa: PLC0415

        evaluate_on(RunFolder(run_folder.absolute()), data, report)


@main.command()
@click.argument("run_folder", type=PATH)
@click.argument("files", type=PATH, nargs=-1, required=True)
def predict(run_folder: Path, files: tuple[Path, ...]) -> None:
    """Prints the words that a finished run hears in FILES, as JSON."""
    from models.training.trained import hear, load  # noqa: PLC0415

    heard = hear(load(RunFolder(run_folder.absolute())), list(files))
    click.echo(TypeAdapter(list[Heard]).dump_json(heard))


@main.command()
@click.argument("run_folder", type=PATH)
@click.argument("file", type=PATH)
def onnx(run_folder: Path, file: Path) -> None:
    """Writes the network of a finished run as ONNX."""
    from models.training.onnx_file import write  # noqa: PLC0415
    from models.training.trained import load  # noqa: PLC0415

    write(load(RunFolder(run_folder.absolute())), file)


@main.command()
@click.argument("run_folder", type=PATH)
@click.argument("what", nargs=-1, required=True, type=click.Choice(list(WHAT)))
@click.option("--with", "other", type=PATH, help="The folder of a second run, for `same`.")
@click.option("--words", nargs=2, help="Two words to tell apart.")
@click.option("--clip", help="The clip to show, `word/file.wav`.")
def explain(
    run_folder: Path,
    what: tuple[str, ...],
    *,
    other: Path | None,
    words: tuple[str, str] | None,
    clip: str | None,
) -> None:
    """Makes the analyses WHAT of a finished run and leaves them in its folder."""
    from models.explain.run import explain as explain_run  # noqa: PLC0415

    with progress_bar() as progress:
        line, lines = progress.add_task("reading the run"), ProgressLines()

        def report(doing: str, fraction: float) -> None:
            progress.update(line, description=doing, completed=round(100 * fraction))
            lines.tell(f"{doing} {fraction:.0%}")

        made, refused = explain_run(
            RunFolder(run_folder.absolute()),
            what,
            other=RunFolder(other.absolute()) if other else None,
            pair=words,
            clip=clip,
            report=report,
        )
    for sentence in refused:
        click.echo(f"note: {sentence}", err=True)
    if not made:
        raise TrainingError(refused[0])


@main.command()
@click.argument("a")
@click.argument("b")
@click.option("--picture", type=PATH, help="Draw the comparison into this PNG file too.")
def compare(a: str, b: str, picture: Path | None) -> None:
    """Compares A with B, each a run folder or published:base or published:ch32, and prints JSON."""
    comparison = compare_sides(a, b)
    if picture:
        from models.figures.comparison import draw  # noqa: PLC0415
        from models.figures.style import write  # noqa: PLC0415

        write(draw(comparison), picture)
    click.echo(comparison.model_dump_json(indent=1))


def _fail(sentence: str) -> NoReturn:
    click.echo(f"error: {sentence}", err=True)
    sys.exit(1)


def _flush() -> None:
    """A closed pipe is no failure: without this, Python ends with code 120."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def run() -> None:
    """Runs the command line; a failure that a person can correct is one sentence and exit code 1."""
    atexit.register(_flush)
    try:
        main(prog_name="python -m models")
    except (
        DataError,
        TrainingError,
        AlreadyTrainingError,
        ForeignRunError,
        BrokenRunError,
        CompareError,
        LimitError,
        BrainError,
    ) as error:
        _fail(str(error))
    except ModuleNotFoundError as error:
        what = "onnx" if error.name == "onnxscript" else "train"
        what = "train,brain" if "brain" in sys.argv[1:2] else what
        _fail(
            f"the package '{error.name}' is missing; install what this needs: pip install 'sheetrack[{what}]'"
        )
    except OSError as error:
        if error.errno == errno.ENOSPC:
            _fail(f"the disk is full ({error.filename or 'while writing'}); free some space and run it again")
        _fail(f"{error.strerror or error}: {error.filename or ''}")
    except Exception as error:
        # What goes wrong in the file of a lab's own network, for example in training only, is for its author.
        lines = [
            f"{place.filename} line {place.lineno}"
            for place in traceback.extract_tb(error.__traceback__)
            if Path(place.filename).name == RunFolder.ARCHITECTURE
        ]
        if not lines:
            raise
        what = f"{type(error).__name__}: {error}".strip(": ")
        _fail(f"{lines[-1]}: {what[:500]}; correct your network and start a new run")


if __name__ == "__main__":
    run()
