"""The pictures of a run, drawn again."""

import re

import click

from backend.cli.train import run_folder, run_models
from backend.service.wiring import Sheetrack


def _millimetres(_context: click.Context, _option: click.Parameter, text: str | None) -> float | None:
    """`84mm`, `8.4cm` or `84` as millimetres."""
    if text is None:
        return None
    found = re.fullmatch(r"(\d+(?:\.\d+)?) ?(mm|cm)?", text.strip())
    width = float(found[1]) * (10 if found[2] == "cm" else 1) if found else 0
    if not 20 <= width <= 1000:
        raise click.BadParameter(f"{text!r} is no width from 20mm to 1000mm.")
    return width


@click.command()
@click.argument("run")
@click.option("--clip", metavar="WORD/FILE.wav", help="Show this clip's way through the network.")
@click.option("--format", "shape", type=click.Choice(["png", "pdf", "svg"]), help="For print, into --to.")
@click.option("--no-title", is_flag=True, help="For print: without title and explanation.")
@click.option("--width", metavar="84mm", callback=_millimetres, help="For print: the width on paper.")
@click.option("--to", "into", metavar="DIR", type=click.Path(file_okay=False), help="For print. [default: .]")
def figures(
    *, run: str, clip: str | None, shape: str | None, no_title: bool, width: float | None, into: str | None
) -> None:
    """Draws the pictures of RUN again; with --format, --width or --no-title for print, beside you.

    Needs its folder alone, neither torch nor a GPU; with --clip its data and torch too.
    """
    sheetrack = Sheetrack()
    chosen = ["--clip", clip] if clip else []
    folder = str(run_folder(sheetrack.home, run).path)
    if shape or no_title or width or into:
        chosen += ["--to", into or ".", "--format", shape or "pdf", *(["--no-title"] if no_title else [])]
        run_models("figures", folder, *chosen, *(["--width-mm", str(width)] if width else []))
        return
    run_models("figures", folder, *chosen)
    sheetrack.display.show_results(changed={run})
