"""`sheetrack connect google --undo`: the spreadsheet without anything of Sheetrack's, then the settings."""

import tomllib
from pathlib import Path

from pydantic import ValidationError

from backend.cli.ask import done
from backend.cli.connect_google import kept_key
from backend.cli.show import say
from backend.errors import ConflictError, InvalidError, UnavailableError
from backend.service.google import open_google
from backend.service.google_addresses import spreadsheet_id, web_app_address
from backend.service.lock import only_backend
from backend.service.settings_file import change_settings
from backend.settings import GoogleSettings, Home, sentence


def disconnect_google(home: Home, address: str | None, relay: str | None, key: Path | None) -> None:
    """Removes all that Sheetrack added to the spreadsheet, then the connection from settings.toml.

    Works without `[google]` in settings.toml where the options say what it said.

    Raises:
        ConflictError: `sheetrack up` runs on this home, and would bring everything back.
        UnavailableError: the spreadsheet cannot be written.
    """
    try:
        with only_backend(home):
            _disconnect(home, _last_known(home, address, relay, key))
    except ConflictError:
        raise ConflictError(
            f"`sheetrack up` runs on {home.path} and would bring everything back.", "Stop it, then try again."
        ) from None


def _disconnect(home: Home, google: GoogleSettings) -> None:
    sheet = open_google(home, google)
    try:
        left = sheet.disconnect()
    except UnavailableError as error:
        raise UnavailableError(
            error.message,
            f"{error.hint} To leave the spreadsheet as it is, take [google] out of settings.toml.",
        ) from None
    finally:
        sheet.close()
    done("All that Sheetrack added is removed from the spreadsheet")
    for remark in left:
        say(f"  {remark}")
    _forget(home)
    secret = home.path / (google.relay_secret_file if google.relay else google.key_file)
    if secret.exists():
        say(f"  {secret} stays. Delete it if you do not connect again, and the relay's script with it.")


def _forget(home: Home) -> None:
    reservations = home.settings().reservations
    sections: dict[str, None] = {"google": None}
    if reservations and not reservations.tab.endswith(".csv"):
        sections["reservations"] = None
    change_settings(home, **sections)
    done(f"{', '.join(f'[{name}]' for name in sections)} taken out of {home.settings_file}")


def _last_known(home: Home, address: str | None, relay: str | None, key: Path | None) -> GoogleSettings:
    """How to reach the spreadsheet: as the options say, else `[google]` alone, whatever else the file says."""
    try:
        content = tomllib.loads(home.settings_file.read_text(encoding="utf-8"))
        known = GoogleSettings.model_validate(content["google"]) if "google" in content else None
    except FileNotFoundError:
        known = None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidError(
            f"{home.settings_file} is not a TOML file: {error}.", "Correct it first."
        ) from None
    except ValidationError as error:
        raise InvalidError(f"{home.settings_file}: google.{sentence(error)}.", "Correct it first.") from None
    if known is None and address is None:
        raise InvalidError(
            "No spreadsheet is connected.",
            "Name it: sheetrack connect google --undo ADDRESS, with --relay ADDRESS or --key FILE.",
        )
    google = known or GoogleSettings(spreadsheet=spreadsheet_id(address or ""))
    if address and known and address.strip() != known.spreadsheet:
        google = google.model_copy(update={"spreadsheet": spreadsheet_id(address)})
    if relay:
        return google.model_copy(update={"relay": web_app_address(relay)})
    if key:
        return google.model_copy(update={"relay": None, "key_file": kept_key(home, google, key)})
    return google
