"""Connects the lab's own Google spreadsheet, step by step, and disconnects it again."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click
from pydantic import ValidationError

from backend.cli.show import say
from backend.errors import InvalidError, SheetrackError
from backend.service import connections as connection
from backend.service.wiring import Sheetrack, open_google
from backend.settings import GoogleSettings, Home, sentence
from backend.tabs.servers import servers_table

if TYPE_CHECKING:
    from backend.sheets.google.sheet import GoogleSheet


@click.group()
def connect() -> None:
    """Connects Sheetrack with what the lab uses already."""


@connect.command()
@click.argument("address", required=False)
@click.option(
    "--key", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="A key to keep in the home."
)
@click.option("--undo", is_flag=True, help="Remove from the spreadsheet all that Sheetrack added.")
def google(*, address: str | None, key: Path | None, undo: bool) -> None:
    """Connects the spreadsheet at ADDRESS; without ADDRESS, looks again at the one in settings.toml.

    Needs the key of a service account, made at console.cloud.google.com (IAM, Service accounts, Keys, JSON)
    in a project where the Google Sheets API is enabled.
    """
    home = Home()
    settings = _settings(home, address)
    if key:
        _keep(key, home.path / settings.key_file)
    sheet = open_google(home, settings)
    try:
        say(f"Whom to share the spreadsheet with, as Editor: {sheet.account}")
        say(f"✓ {sheet.try_out()!r} can be read and written")
        if undo:
            sheet.disconnect()
            say("✓ All that Sheetrack added is removed. Take [google] out of settings.toml as well.")
        else:
            _fill(home, sheet)
    finally:
        sheet.close()


def _settings(home: Home, address: str | None) -> GoogleSettings:
    """What settings.toml says, with `address` written into it where it says nothing yet."""
    known = home.settings().google
    if address is None:
        if known is None:
            raise InvalidError(
                "No spreadsheet is named yet.",
                "Run: sheetrack connect google https://docs.google.com/spreadsheets/d/...",
            )
        return known
    try:
        named = GoogleSettings(spreadsheet=address)
    except ValidationError as error:
        raise InvalidError(
            f"{address!r} is no address of a spreadsheet ({sentence(error)}).", "Copy it from the browser."
        ) from None
    if known is None:
        home.path.mkdir(parents=True, exist_ok=True)
        with home.settings_file.open("a", encoding="utf-8") as file:
            file.write(f'\n[google]\nspreadsheet = "{named.spreadsheet}"\n')
        return named
    if known.spreadsheet != named.spreadsheet:
        raise InvalidError(
            f"{home.settings_file} names another spreadsheet, {known.spreadsheet}.",
            "Disconnect that one with --undo and take it out of the file first.",
        )
    return known


def _keep(key: Path, place: Path) -> None:
    """Copies a key to where nobody else can read it."""
    content = key.read_bytes()
    place.parent.mkdir(parents=True, exist_ok=True)
    draft = place.with_name(f".{place.name}.new")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)
    draft.replace(place)


def _fill(home: Home, sheet: "GoogleSheet") -> None:
    sheetrack = Sheetrack(home)
    try:
        workbook, kept = sheetrack.workbook, sheetrack.settings.reservations
        tables = [workbook.table(name)[0] for name, _ in workbook.tabs() if not name.endswith(".csv")]
        sheet.publish(tables or [servers_table((), reservations=kept is not None)])
        say("✓ Its tabs are there; `sheetrack up` keeps them up to date")
        for remark in sheet.remarks():
            say(f"  {remark}")
        if kept:
            sheet.annotate(kept.tab, kept.server, kept.show)
            say(f"✓ {connection.reserved(home)}; beside them stand {', '.join(kept.show)}")
        else:
            say("  To see servers beside your own list, name its tab under [reservations] in settings.toml.")
    finally:
        sheetrack.close()
    people = sheetrack.settings.people
    if people is None:
        say("  For the sidebar inside Google, fill in [people] in settings.toml; deploy/ shows how.")
        return
    try:
        say(f"✓ {connection.public_address(home)}")
    except SheetrackError as error:
        say(f"✕ {error}")
    say(f"Paste into the spreadsheet, menu Sheetrack, Settings: {people.public_address}")
