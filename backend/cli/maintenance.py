"""Commands that tell Sheetrack about a server: its maintenance, and GPUs that are gone."""

from datetime import datetime, time, timedelta

import click

from backend.cli.show import say
from backend.errors import NotFoundError, UnavailableError
from backend.service.wiring import Sheetrack
from backend.settings import this_user


def moment_of(text: str, here: datetime) -> datetime:
    """`18:00` (the next one after `here`), `2026-11-22` (to its end) or `2026-11-22 18:00`, in local time.

    Raises:
        ValueError: it is not a time of this kind.
    """
    try:
        if text[2:3] == ":":
            moment = datetime.combine(here, time.fromisoformat(text))
            is_past = moment <= here.replace(tzinfo=None)
        else:
            moment, is_past = datetime.fromisoformat(text), len(text) <= len("2026-11-22")
        return (moment + timedelta(days=is_past)).astimezone()
    except (ValueError, OverflowError, TypeError):  # also a time with a zone, and the ends of the calendar
        raise ValueError(f"{text!r} is not like 18:00 nor like 2026-11-22 18:00.") from None


def _until(_context: click.Context, _option: click.Parameter, text: str | None) -> datetime | None:
    try:
        return None if text is None else moment_of(text, datetime.now().astimezone())
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


@click.command("confirm-gpus")
@click.argument("server")
def confirm_gpus(*, server: str) -> None:
    """Confirms that GPUs of SERVER that are missing are gone: they are no fault any more."""
    sheetrack = Sheetrack()
    with sheetrack.status as current:
        found = next((status for status in current.look() if status.name == server), None)
    if found is None:
        raise NotFoundError(f"There is no server {server!r}.", "`sheetrack status` lists them.")
    if not found.missing_gpus and (found.snapshot is None or found.snapshot.gpus is None):
        raise UnavailableError(
            f"The GPUs of {server} cannot be read now, so it is not known which of them are missing.",
            "Try again once `sheetrack status` shows them.",
        )
    sheetrack.known_gpus.forget(server, found.missing_gpus)
    names = ", ".join(f"GPU {gpu.index} ({gpu.uuid})" for gpu in found.missing_gpus)
    say(f"{server}: {names} confirmed as gone." if names else f"No GPU of {server} is missing.")


@click.command()
@click.argument("server")
@click.argument("reason", required=False)
@click.option("--until", metavar="TIME", callback=_until, help="18:00, 2026-11-22 or '2026-11-22 18:00'.")
@click.option("--end", "is_end", is_flag=True, help="End the maintenance.")
def maintenance(*, server: str, reason: str | None, until: datetime | None, is_end: bool) -> None:
    """Puts SERVER in maintenance for a REASON: no job starts there, and no notification is sent."""
    sheetrack = Sheetrack()
    if is_end:
        if reason or until:
            raise click.UsageError("--end takes no reason and no --until.")
        sheetrack.maintenances.end(server)
        say(f"The maintenance of {server} has ended.")
        return
    if not reason or not reason.strip():
        raise click.UsageError("Give a reason, such as: sheetrack maintenance gpu1 'new disks' --until 18:00")
    sheetrack.maintenances.begin(server, reason.strip(), this_user(), until)
    verdict = sheetrack.status.verdict_of(server)
    say(f"{server} is in maintenance: {verdict.reason if verdict else ''}")
