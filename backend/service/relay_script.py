"""The relay's script, filled in for one spreadsheet and ready to paste."""

import secrets
from pathlib import Path

from backend.settings import GoogleSettings, write_private
from backend.sheets.google.relay import SECRET_BYTES, read_secret

RELAY = Path(__file__).parents[2] / "apps_script" / "relay"
"""The script and its manifest."""


def filled(spreadsheet: str, secret: str) -> str:
    """The text of the script for one spreadsheet."""
    text = (RELAY / "Relay.js").read_text(encoding="utf-8")
    return text.replace("{{spreadsheet}}", spreadsheet).replace("{{secret}}", secret)


def make_script(home: Path, settings: GoogleSettings) -> Path:
    """Writes the filled script into `home` and returns its path; a secret that is there already stays.

    Raises:
        InvalidError: others can read the secret.
    """
    secret_file = home / settings.relay_secret_file
    if not secret_file.exists():
        write_private(secret_file, secrets.token_hex(SECRET_BYTES).encode())
    file = home / "Relay.js"
    write_private(file, filled(settings.spreadsheet, read_secret(settings, home)).encode())
    return file
