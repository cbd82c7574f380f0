"""The dialogue that connects the sidebar inside Google: an address for the backend, then the add-on's files."""

import shlex
from collections.abc import Sequence

import click

from backend.cli.ask import ask, choose, confirm, done, failed, is_person
from backend.cli.show import say
from backend.errors import InvalidError, SheetrackError
from backend.service import connections
from backend.service.add_on import write_bundle
from backend.service.google_addresses import public_address
from backend.service.lock import is_served
from backend.service.settings_file import change_settings
from backend.settings import Home

_WAYS = (
    "Tailscale Funnel (recommended: free, no domain, no open port)",
    "Cloudflare Tunnel, with a domain of yours at Cloudflare",
    "a machine that the internet reaches, with a public name",
)
_STEPS = (
    """
  1. Install Tailscale (https://tailscale.com/download) and sign in: sudo tailscale up
  2. tailscale funnel --bg {port}
     The first time it shows a page on which you allow Funnel. Then it prints the address.""",
    """
  1. cloudflared tunnel login
  2. cloudflared tunnel create sheetrack
     It writes the credentials to ~/.cloudflared/<tunnel's ID>.json and prints that path.
  3. cloudflared tunnel route dns sheetrack sheetrack.<your domain>
  4. cloudflared tunnel run --url http://127.0.0.1:{port} sheetrack
     To have it started with the machine, see deploy/cloudflared.yml.""",
    """
  1. Point a DNS name at the machine and open ports 80 and 443.
  2. caddy run --config deploy/Caddyfile, with that name in the file.""",
)
_PASTE = """
The add-on is three files in {folder}. Paste them (the page {page} has a button that copies each):
  1. In the spreadsheet choose Extensions > Apps Script.
     Is code of yours there already? Then leave it, and make a separate project as below.
  2. Under Project Settings tick 'Show "appsscript.json" manifest file in editor'.
  3. Paste Code.js over the code in Code.gs, appsscript.json over the manifest, and Sidebar.html into a new HTML file
     called Sidebar (+ > HTML). Save.
  4. Reload the spreadsheet. Menu Sheetrack > Settings: enter {address}
  5. Menu Sheetrack > Open sidebar. Google asks once for permission. The backend refuses the first call and shows it
     here in the terminal of `sheetrack up` and on its page: let it in there.

With Node, as a separate project (switch the Apps Script API on at https://script.google.com/home/usersettings first):
  cd {quoted} && npx @google/clasp login
  npx @google/clasp create-script --title Sheetrack --parentId {spreadsheet}
  sheetrack connect addon      # writes the files once more, as create-script fetches an empty manifest
  npx @google/clasp push --force
"""


def connect_addon(home: Home, address: str | None, launch: Sequence[str], port: int) -> None:
    """Asks for the public address and the people, writes the add-on's files and says where to paste them.

    Raises:
        SheetrackError: an address or the settings cannot be used, and no person is here to correct them.
    """
    settings = home.settings()
    if settings.google is None:
        raise InvalidError("No spreadsheet is connected yet.", "Run: sheetrack connect google")
    known = settings.people
    if address:
        chosen = public_address(address)
    elif known and (not is_person() or confirm(f"Keep the address {known.public_address}?", default=True)):
        chosen = known.public_address
    else:
        chosen = _asked_address(port)
    people = list(launch) or list(known.launch if known else ())
    if not people and not (known and known.see) and is_person():
        question = "Google addresses of those who may launch, or Enter for the first who opens the sidebar"
        people = ask(question, "--launch ADDRESS", _addresses)
    changes: dict[str, object] = {"public_address": chosen}
    if people and (known is None or people != list(known.launch)):
        changes["launch"] = people
    change_settings(home, people=changes)
    done(f"Written to {home.settings_file}")
    _try_out(home)
    folder = write_bundle(home)[0].parent
    done(f"The add-on is in {folder}")
    page = f"http://127.0.0.1:{port}/add-on"
    quoted, spreadsheet = shlex.quote(str(folder)), settings.google.spreadsheet
    say(_PASTE.format(folder=folder, page=page, address=chosen, quoted=quoted, spreadsheet=spreadsheet))


def _asked_address(port: int) -> str:
    say(
        "Google's servers call the backend for the sidebar, so it needs an address on the internet. By which way?"
    )
    way = choose("Number", "the backend's ADDRESS", _WAYS, 1)
    if way == 0:
        raise click.Abort
    say(_STEPS[way - 1].format(port=port))
    return ask("Address that it has now", "the backend's ADDRESS", public_address)


def _addresses(answer: str) -> list[str]:
    found = [part.strip() for part in answer.replace(";", ",").split(",") if part.strip()]
    for part in found:
        if "@" not in part or " " in part:
            raise InvalidError(f"{part[:100]!r} is not a mail address.", "Write it like kim@lab.example.")
    return found


def _try_out(home: Home) -> None:
    """Asks the backend by the public way, where one runs; what does not work yet is told."""
    if not is_served(home):
        say("  Start `sheetrack up`; then `sheetrack doctor` tries the address.")
        return
    try:
        done(connections.public_address(home))
    except SheetrackError as error:
        failed(error)
        say("  `sheetrack doctor` tries it again at any time.")
