"""Commands that put the network of a finished run to use."""

from pathlib import Path

import click
from pydantic import TypeAdapter

from backend.cli.show import as_json, say, show_json, show_table
from backend.cli.train import run_folder, run_models
from backend.errors import InvalidError
from backend.jobs.models_cli import ask
from backend.service.wiring import Sheetrack
from backend.settings import Home
from backend.sheets.table import Column, Section, Spark, Table, Text
from backend.tabs.run_sections import matrix_section
from models.result import Heard
from models.run_reader import read_evaluations

_HEARD = TypeAdapter(list[Heard])
_SHOWN_WORDS = 3


@click.command()
@click.argument("run")
@click.option("--data", required=True, help="A folder of words, or the name of a data set.")
@as_json
def evaluate(*, run: str, data: str, is_json: bool) -> None:
    """Tests the network of RUN on other data: accuracy and confusion matrix.

    Every clip is tested whose word the network knows; of the run's own data, the test clips. The run's tab
    gets a row in "Tested on".
    """
    sheetrack = Sheetrack()
    folder = run_folder(sheetrack.home, run)
    say(f"Testing {run} on {data}", err=True)
    run_models("evaluate", str(folder.path), data)
    evaluation = read_evaluations(folder)[-1]
    sheetrack.display.show_results(changed={run})
    if is_json:
        show_json(evaluation)
        return
    kind = "synthetic " if evaluation.data.synthetic else ""
    note = f"{evaluation.clips:,} clips of {kind}{evaluation.data.name}; rows are the labels, columns the predictions."
    matrix = matrix_section("", note, evaluation.words, evaluation.confusion_matrix)
    show_table(Table(name="Tested on", rank=0, sections=(matrix,)))
    for notice in evaluation.data.notices:
        say(f"Note: {notice}")
    say(f"Accuracy {evaluation.accuracy:.2%} of {evaluation.clips:,} clips of {kind}{evaluation.data.name}")


@click.command()
@click.argument("run")
@click.argument("files", metavar="FILE...", nargs=-1, required=True)
@as_json
def predict(*, run: str, files: tuple[str, ...], is_json: bool) -> None:
    """Tells which words the network of RUN hears in recordings, with probabilities and the waveform."""
    folder = run_folder(Home(), run)
    say(f"Asking the network of {run} about {len(files)} recording{'' if len(files) == 1 else 's'}", err=True)
    heard = _HEARD.validate_json(ask("predict", str(folder.path), "--", *files))
    if is_json:
        show_json(heard)
    else:
        show_table(Table(name="Predictions", rank=0, sections=(_heard(heard),)))
    if any(each.error for each in heard):
        raise click.exceptions.Exit(1)


def _heard(heard: list[Heard]) -> Section:
    return Section(
        columns=(
            Column(title="File"),
            Column(title="Words"),
            Column(title="Seconds", format="decimal"),
            Column(title="Waveform"),
        ),
        rows=tuple(
            (Path(each.file).name, Text(text=each.error, tone="bad"), None, None)
            if each.error
            else (
                Path(each.file).name,
                ", ".join(
                    f"{word} {share:.1%}" for word, share in list(each.probabilities.items())[:_SHOWN_WORDS]
                ),
                each.seconds,
                Spark(values=each.waveform, low=0, high=1, label="waveform"),
            )
            for each in heard
        ),
        empty="",
    )


def write_network(run: str, file: Path) -> None:
    """Writes the network of a run as ONNX.

    Raises:
        NotFoundError: there is no such run.
        InvalidError: it is not finished, has no checkpoint here, or no form in ONNX; there is no folder for it.
        UnavailableError: the exporter is not installed.
    """
    if not (parent := file.absolute().parent).is_dir():
        raise InvalidError(f"There is no folder {parent}.", "Make it first.")
    folder = run_folder(Home(), run)
    say(f"Writing the network of {run}", err=True)
    ask("onnx", str(folder.path), str(file.absolute()))
    say(
        f"{file}: clips (batch, samples) in, scores (batch, words) out; words and sample_rate are in its metadata",
        err=True,
    )
