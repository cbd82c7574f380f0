"""The dialogue that connects the lab's spreadsheet. Each step is tried before the next, settings are written last."""

from pathlib import Path
from typing import TYPE_CHECKING

import click
from pydantic import BaseModel

from backend.cli.ask import ask, choose, confirm, done, failed, is_person
from backend.cli.connect_addon import connect_addon
from backend.cli.connect_reservations import choose_reservations
from backend.cli.show import say
from backend.errors import InvalidError, SheetrackError
from backend.servers.reservations import annotated
from backend.servers.server import read_servers
from backend.service.google import open_google
from backend.service.google_addresses import spreadsheet_id, web_app_address
from backend.service.lock import is_served
from backend.service.relay_script import make_script
from backend.service.settings_file import change_settings
from backend.service.wiring import Sheetrack
from backend.settings import GoogleSettings, Home, ReservationSettings, write_private
from backend.tabs.servers import servers_table

if TYPE_CHECKING:
    from backend.sheets.google.sheet import GoogleSheet

_WAYS = (
    "a script in your own Google account (recommended: no key, nothing in Google's cloud console)",
    "a service account with a key (many organisations forbid such keys)",
)
_STEPS = """
  1. Open https://script.google.com/create in the browser, with an account that may edit the spreadsheet.
  2. Replace the code there with the content of {file}, and save.
  3. Choose + beside Services, then Google Sheets API, Add.
  4. Choose Deploy > New deployment > Web app. Execute as: Me. Who has access: Anyone. Deploy.
  5. Authorize access. Where Google says that it has not verified this app: Advanced, Go to ..., Allow.
  6. Copy the address of the web app. It ends in /exec.
Once a relay is deployed already, paste over its code and choose Deploy > Manage deployments > Edit > New version.
"""


def connect_google(
    home: Home, address: str | None, relay: str | None, key: Path | None, reservations: str | None
) -> None:
    """Asks for what is not given, tries everything, fills the first tabs and writes the settings.

    Raises:
        SheetrackError: a step does not work, and there is no terminal to try it again.
    """
    settings = home.settings()
    known = settings.google
    google = _chosen_spreadsheet(known, address)
    if relay:
        google = google.model_copy(update={"relay": web_app_address(relay)})
        make_script(home.path, google)
    elif key:
        google = google.model_copy(update={"relay": None, "key_file": kept_key(home, google, key)})
    elif is_person() and not google.api_endpoint:
        google = _chosen_way(home, google, known)
    elif (
        google != known
        and not google.api_endpoint
        and not google.relay
        and not (home.path / google.key_file).exists()
    ):
        file = _written_script(home, google)
        say(_STEPS.format(file=file))
        raise InvalidError(
            "The spreadsheet is not connected yet.",
            f"Then run: sheetrack connect google {google.spreadsheet} --relay ADDRESS",
        )
    google, sheet = _opened(home, google)
    try:
        kept = choose_reservations(sheet, settings.reservations, reservations, read_servers(home))
        _fill(home, sheet, kept)
    finally:
        sheet.close()
    _write_settings(home, google, kept)
    if is_person() and confirm("Set up the sidebar inside Google now?", default=False):
        connect_addon(home, None, (), port=8000)
    else:
        say("  For the sidebar inside Google run: sheetrack connect addon")


def _chosen_spreadsheet(known: GoogleSettings | None, address: str | None) -> GoogleSettings:
    """The settings with the spreadsheet that `address` or the person names."""
    if known and (known.api_endpoint or not is_person()) and address is None:
        return known

    def understand(answer: str) -> str:
        return answer if known and answer == known.spreadsheet else spreadsheet_id(answer)

    if address is None:
        default = known.spreadsheet if known else ""
        chosen = ask("Address of the spreadsheet", "the spreadsheet's ADDRESS", understand, default)
    else:
        chosen = understand(address.strip())
    if known is None:
        return GoogleSettings(spreadsheet=chosen)
    if chosen != known.spreadsheet:
        say(
            f"  Sheetrack's tabs stay in the spreadsheet used before, {known.spreadsheet}. "
            "`sheetrack connect google --undo` removes them, as long as it is connected."
        )
        if not confirm("Use the other spreadsheet from now on?", default=True):
            raise click.Abort
    return known.model_copy(update={"spreadsheet": chosen})


def _chosen_way(home: Home, google: GoogleSettings, known: GoogleSettings | None) -> GoogleSettings:
    """The settings with the way to the spreadsheet that the person chooses."""
    say("How does Sheetrack reach the spreadsheet?")
    has_key = known is not None and known.relay is None
    way = choose("Number", "--relay or --key", _WAYS, 2 if has_key else 1)
    if way == 2:
        return google.model_copy(update={"relay": None, "key_file": _asked_key(home, google)})
    is_same = known is not None and known.relay is not None and known.spreadsheet == google.spreadsheet
    if is_same and confirm(f"Keep the relay at {google.relay}?", default=True):
        return google
    file = _written_script(home, google)
    say(_STEPS.format(file=file))
    address = ask("Address of the web app", "--relay ADDRESS", web_app_address, google.relay or "")
    return google.model_copy(update={"relay": address})


def _written_script(home: Home, google: GoogleSettings) -> Path:
    file = make_script(home.path, google)
    done(f"Wrote {file}. It holds a secret: only you can read it, and it is for your own script alone")
    return file


def _asked_key(home: Home, google: GoogleSettings) -> Path:
    place = home.path / google.key_file

    def understand(answer: str) -> Path:
        file = Path(answer).expanduser()
        if not file.is_file():
            raise InvalidError(f"There is no file {file}.", "deploy/google.md says how to get a key.")
        return kept_key(home, google, file)

    default = str(place) if place.exists() else ""
    return ask("File of the service account's key (JSON)", "--key FILE", understand, default)


def kept_key(home: Home, google: GoogleSettings, key: Path) -> Path:
    """Copies a key to where only its owner reads it; returns the setting that names the copy."""
    from backend.sheets.google.service_account import parse_key  # noqa: PLC0415 - half a second of imports

    place = home.path / google.key_file
    content = key.read_bytes()
    parse_key(content, key)
    if not place.exists() or not place.samefile(key):
        write_private(place, content)
        done(f"The key is kept in {place}; delete {key}")
    return google.key_file


def _opened(home: Home, google: GoogleSettings) -> tuple[GoogleSettings, "GoogleSheet"]:
    """The sheet once it can be read and written; a person may correct the relay's address or the sharing."""
    while True:
        sheet = open_google(home, google)
        if not google.relay and not google.api_endpoint:
            say(f"Share the spreadsheet with {sheet.account} as Editor.")
            confirm("Is that done?", default=True)
        try:
            title = sheet.try_out()
        except SheetrackError as error:
            sheet.close()
            if not is_person():
                raise
            failed(error)
            if google.relay:
                say(f"  The script to paste is {make_script(home.path, google)}.")
                question = "Address of the web app, or Enter to try the same again"
                address = ask(question, "--relay ADDRESS", web_app_address, google.relay)
                google = google.model_copy(update={"relay": address})
            elif not confirm("Try again?", default=True):
                raise click.Abort from None
        else:
            done(f"{title!r} can be read and written by {sheet.account}")
            return google, sheet


def _fill(home: Home, sheet: "GoogleSheet", kept: ReservationSettings | None) -> None:
    """Publishes all tabs there are; where there are none yet, the servers as they are now."""
    sheetrack = Sheetrack(home)
    try:
        workbook = sheetrack.workbook
        tables = [workbook.table(name)[0] for name, _ in workbook.tabs() if not name.endswith(".csv")]
        if not tables:
            servers = [] if is_served(home) else sheetrack.status.look()
            tables = [servers_table(servers, reservations=kept is not None)]
        sheet.publish(tables)
        done(f"The spreadsheet has {', '.join(table.name for table in tables[:5])}")
        for remark in sheet.remarks():
            say(f"  {remark}")
        if kept and annotated(sheet, kept, read_servers(home)):
            done(f"Beside {kept.tab!r} stand {', '.join(kept.show)}")
    finally:
        sheetrack.close()


def _write_settings(home: Home, google: GoogleSettings, kept: ReservationSettings | None) -> None:
    before = home.settings()
    sections: dict[str, dict[str, object] | None] = {"google": _changes(before.google, google)}
    if kept is None and before.reservations and not before.reservations.tab.endswith(".csv"):
        sections["reservations"] = None
    elif kept is not None:
        sections["reservations"] = _changes(before.reservations, kept)
    change_settings(home, **sections)
    (home.path / "Relay.js").unlink(missing_ok=True)
    done(f"Written to {home.settings_file}")
    if is_served(home):
        say("  `sheetrack up` runs, and reads it within seconds.")
    else:
        say("  Start `sheetrack up`: it keeps the spreadsheet up to date.")


def _changes(before: BaseModel | None, after: BaseModel) -> dict[str, object]:
    """What to set so that `before` becomes `after`; None takes a value out, as for every default."""
    old = before.model_dump(mode="json") if before else {}
    new = after.model_dump(mode="json")
    fields = type(after).model_fields
    defaults = {name: field.default for name, field in fields.items() if not field.is_required()}
    return {
        name: None if name in defaults and getattr(after, name) == defaults[name] else value
        for name, value in new.items()
        if name not in old or old[name] != value
    }
