"""All commands; each module is thin."""

import os
import sys
from difflib import get_close_matches
from importlib import import_module

import click

from backend.errors import SheetrackError, full_disk, is_full_disk, note_failure
from backend.settings import Home
from backend.text import visible

COMMANDS = {
    "demo": "serve",
    "up": "serve",
    "agent": "agent",
    "status": "look",
    "maintenance": "maintenance",
    "confirm-gpus": "maintenance",
    "architectures": "architectures",
    "data": "train",
    "train": "train",
    "launch": "train",
    "jobs": "look",
    "logs": "logs",
    "cancel": "train",
    "first": "train",
    "override": "train",
    "resume": "train",
    "sweep": "sweep",
    "results": "results",
    "leaderboard": "results",
    "runs": "runs",
    "fetch": "fetch",
    "record": "record",
    "evaluate": "network",
    "predict": "network",
    "compare": "compare",
    "explain": "explain",
    "figures": "train",
    "brain": "brain",
    "export": "export",
    "doctor": "look",
    "connect": "connect",
}
"""Every command and the module that holds it, in the order in which help lists them."""


PREFIX = "error: "
"""Begins every sentence that says why a command failed, as those of the models do."""


class Commands(click.Group):
    """Imports a command when it is called: an agent has no memory for what the backend needs."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            near = get_close_matches(cmd_name, COMMANDS, 3)
            hint = (
                f" Did you mean {' or '.join(near)}?" if near else " `sheetrack --help` lists the commands."
            )
            raise click.UsageError(f"There is no command {cmd_name!r}.{hint}", ctx)
        command: click.Command = getattr(
            import_module(f"backend.cli.{COMMANDS[cmd_name]}"), cmd_name.replace("-", "_")
        )
        return command


@click.command(
    cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(package_name="sheetrack")
def sheetrack() -> None:
    """A lab's GPU servers and trainings, live in the spreadsheet the lab already uses.

    SHEETRACK_HOME is the folder that holds everything: store, runs, data, settings.
    """


def main() -> None:
    """Exit codes: 0 done, 1 it failed (one sentence says why), 2 wrong usage."""
    try:
        sys.exit(sheetrack.main(prog_name="sheetrack", standalone_mode=False))
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        sys.exit(error.exit_code)
    except click.ClickException as error:
        if isinstance(error, click.UsageError) and error.ctx:
            click.echo(f"{error.ctx.get_usage()}\n", err=True)
        _fail(error.format_message(), error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("Stopped.", err=True)
        sys.exit(130)
    except SheetrackError as error:
        _fail(str(error))
    except BrokenPipeError:
        # The reader has gone: end without Python's own message at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:
        where = f": {error.filename}" if error.filename else ""
        _fail(str(full_disk()) if is_full_disk(error) else f"{error.strerror or error}{where}.")
    except Exception as error:  # noqa: BLE001 - people get a sentence, the file gets the traceback
        _fail(_sentence(error))


def _sentence(error: Exception) -> str:
    from sqlalchemy.exc import DatabaseError  # noqa: PLC0415  # costs memory that the agent does not have

    if isinstance(error, DatabaseError):
        from backend.database import database_error  # noqa: PLC0415

        return str(database_error(error))
    return f"{note_failure(error, Home().failure_file)} Please report it."


def _fail(sentence: str, code: int = 1) -> None:
    click.echo(f"{PREFIX}{visible(sentence)}", err=True)
    sys.exit(code)
