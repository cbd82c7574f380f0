"""Connects the lab's own Google spreadsheet and its sidebar, and disconnects them again."""

from pathlib import Path

import click

from backend.cli.connect_addon import connect_addon
from backend.cli.connect_google import connect_google
from backend.cli.connect_undo import disconnect_google
from backend.cli.serve import port_option
from backend.settings import Home

file_option = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group()
def connect() -> None:
    """Connects Sheetrack with what the lab uses already."""


@connect.command()
@click.argument("address", required=False)
@click.option("--relay", metavar="ADDRESS", help="Reach it through this web app, the relay in your account.")
@click.option("--key", type=file_option, help="Reach it with this key of a service account.")
@click.option("--reservations", metavar="TAB", help="Your tab that says who has which server; '' for none.")
@click.option("--undo", is_flag=True, help="Remove from the spreadsheet all that Sheetrack added.")
def google(
    *, address: str | None, relay: str | None, key: Path | None, reservations: str | None, undo: bool
) -> None:
    """Connects the Google spreadsheet at ADDRESS, and asks for what the options leave open.

    Run again, it shows what is set and lets you change it. settings.toml is written last.
    """
    if relay and key:
        raise click.UsageError("Choose one of --relay and --key.")
    if undo:
        disconnect_google(Home(), address, relay, key)
    else:
        connect_google(Home(), address, relay, key, reservations)


@connect.command()
@click.argument("address", required=False)
@click.option("--launch", multiple=True, metavar="MAIL", help="A Google account that may launch and cancel.")
@port_option
def addon(*, address: str | None, launch: tuple[str, ...], port: int) -> None:
    """Connects the sidebar in Google: makes the add-on's files, and sets the ADDRESS at which Google finds this machine."""
    connect_addon(Home(), address, launch, port)
