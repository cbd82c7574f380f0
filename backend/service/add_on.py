"""The add-on of this home: its files, ready to paste, and the client IDs that are let in."""

from pathlib import Path

from backend.api.add_on_files import bundle
from backend.api.pairing import AddOn
from backend.errors import InvalidError
from backend.service.settings_file import change_settings
from backend.settings import Home


def write_bundle(home: Home) -> list[Path]:
    """Writes the files of the add-on into a folder of the home; returns them."""
    folder = home.path / "add-on"
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, text in bundle().items():
        file = folder / name
        file.write_text(text, encoding="utf-8")
        written.append(file)
    return written


def let_in(home: Home, add_on: AddOn) -> None:
    """Adds the client ID to settings.toml; where no person is listed yet, its user may launch from now on.

    Raises:
        InvalidError: there is no public address, or the file cannot be changed.
    """
    people = home.settings().people
    if people is None:
        raise InvalidError("No public address is set.", "Run: sheetrack connect addon")
    changes: dict[str, object] = {}
    if add_on.client_id not in people.audiences:
        changes["audiences"] = [*people.audiences, add_on.client_id]
    if not people.see and not people.launch:
        changes["launch"] = [add_on.person]
    change_settings(home, people=changes)
