"""All tabs, or one network, as a file."""

from pathlib import Path

import click

from backend.cli.show import say
from backend.service.wiring import Sheetrack


@click.command()
@click.argument("names", metavar="[RUN] FILE", nargs=-1, required=True)
def export(*, names: tuple[str, ...]) -> None:
    """Writes all tabs into an .xlsx FILE, or the network of RUN into an .onnx FILE."""
    *runs, name = names
    file = Path(name)
    if file.is_dir():
        raise click.BadParameter(f"{name} is a directory.", param_hint="FILE")
    is_network = file.suffix == ".onnx"
    if len(runs) != is_network:
        usage = "sheetrack export RUN model.onnx" if is_network or runs else "sheetrack export lab.xlsx"
        raise click.UsageError(f"A network is one run's, and a workbook has all of them: {usage}")
    if is_network:
        from backend.cli.network import write_network  # noqa: PLC0415 - a workbook does not pay for it

        write_network(runs[0], file)
        return
    from backend.sheets.xlsx import write_workbook  # noqa: PLC0415 - a network does not pay for it

    sheetrack = Sheetrack()
    sheetrack.results.collect()
    sheetrack.display.show_jobs()
    tables = sheetrack.workbook.tables()
    write_workbook(file, tables, sheetrack.display.picture_file)
    say(f"{file}: {len(tables)} tabs", err=True)
