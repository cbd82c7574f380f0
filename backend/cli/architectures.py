"""The networks that can be trained."""

from collections.abc import Iterator, Sequence

import click

from backend.cli.show import as_json, show_json, show_table
from backend.jobs import architectures as networks
from backend.sheets.table import Cell, Column, Section, Table, Text
from models.architecture_table import NetworkSize


@click.command()
@click.option("--all", "shows_all", is_flag=True, help="Every depth, with batch norm and without.")
@as_json
def architectures(*, shows_all: bool, is_json: bool) -> None:
    """Lists the networks, with their parameters, at the depth that is trained where none is chosen."""
    known = networks.architectures()
    if is_json:
        show_json(known)
        return
    columns = (
        Column(title="Network"),
        Column(title="Depth"),
        Column(title="Batch norm"),
        Column(title="Parameters", format="integer"),
        Column(title="Published", format="integer"),
        Column(title="Mflop a clip", format="decimal"),
    )
    usable = [network for network in known if not network.error]
    shown = usable if shows_all else list(_typical(usable))
    sections = [
        Section(
            columns=columns,
            rows=tuple(_network_row(each, usable, shows_all) for each in shown),
            empty="",
            note="" if shows_all else "Other depths: sheetrack architectures --all",
        )
    ]
    # Not by name: a file of the lab's own may bear the name of a network of ours.
    if faulty := tuple(
        dict.fromkeys(
            (network.architecture, Text(text=network.error, tone="bad")) for network in known if network.error
        )
    ):
        sections.append(
            Section(
                title="Cannot be used",
                columns=(Column(title="Network"), Column(title="Why")),
                rows=faulty,
                empty="",
            )
        )
    show_table(Table(name="Networks", rank=0, sections=tuple(sections)))


def _typical(known: Sequence[NetworkSize]) -> Iterator[NetworkSize]:
    """The network of each architecture at its default depth: the published one, if any."""
    for name in dict.fromkeys(network.architecture for network in known):
        depths = [network for network in known if network.architecture == name]
        ours = [network for network in depths if network.default] or depths
        yield next((network for network in ours if network.published_parameters), ours[-1])


def _network_row(network: NetworkSize, known: Sequence[NetworkSize], shows_all: bool) -> tuple[Cell, ...]:
    depths = sorted({each.depth for each in known if each.architecture == network.architecture})
    offered = f" of {depths[0]} to {depths[-1]}" if len(depths) > 1 and not shows_all else ""
    mflop = None if network.mflop_per_clip is None else round(network.mflop_per_clip, 1)
    return (
        network.architecture,
        f"{network.depth}{offered}",
        "yes" if network.batch_norm else "no",
        network.parameters,
        network.published_parameters,
        Text(text=f"{mflop:,}") if mflop is not None else None,
    )
