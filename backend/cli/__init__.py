"""All commands; each module is thin."""

import gc
import os
import sys
from importlib import import_module
from types import ModuleType

import click

from backend.errors import SheetrackError, full_disk, is_full_disk, note_failure
from backend.text import visible

COMMANDS = {
    "demo": ("serve", "Shows the whole path, on synthetic speech."),
    "up": ("serve", "Serves the page, reads the servers, runs the queue."),
    "agent": ("agent", "Serves the readings of this server to the backend."),
    "status": ("look", "Shows every server as it is now, the best to take first."),
    "maintenance": ("maintenance", "Closes a server, or opens it again."),
    "confirm-gpus": ("maintenance", "Confirms that missing GPUs of a server are gone."),
    "architectures": ("architectures", "Lists the networks with their parameters."),
    "data": ("data", "Prepares data sets and tells what is in a folder."),
    "train": ("train", "Trains here, in the foreground."),
    "launch": ("launch", "Queues a training, or a program of your own."),
    "jobs": ("look", "Shows which jobs run, which wait and why, which ended."),
    "logs": ("logs", "Shows what a job writes, wherever it runs."),
    "cancel": ("launch", "Ends a job and all its processes."),
    "first": ("launch", "Lets a job overtake all jobs that wait."),
    "override": ("launch", "Lets a job run in spite of reservations."),
    "resume": ("launch", "Queues a job again, from its checkpoint."),
    "sweep": ("sweep", "Queues a grid of trainings, or draws them at random."),
    "results": ("results", "Shows the finished runs, the newest first."),
    "leaderboard": ("results", "Shows published and measured accuracies, the best first."),
    "runs": ("runs", "Stars, names, notes; the archive and the bin."),
    "fetch": ("fetch", "Brings the checkpoint of a run from its server."),
    "record": ("record", "Puts a result from anywhere into the sheet."),
    "evaluate": ("network", "Tests the network of a run on other data."),
    "predict": ("network", "Tells which words the network of a run hears."),
    "compare": ("compare", "Compares two runs, or several, or published results."),
    "explain": ("explain", "Says what the network of a run hears, keeps and needs."),
    "figures": ("figures", "Draws the pictures of a run again, also for print."),
    "brain": ("brain", "Maps networks to brain data."),
    "export": ("export", "Writes all tabs into an .xlsx file, or a network as ONNX."),
    "doctor": ("look", "Checks everything that is needed, and names what to do."),
    "connect": ("connect", "Connects Sheetrack with what the lab uses already."),
}
"""Every command with the module that holds it and what it does, in the order in which help lists them."""


_YOUNG_OBJECTS = 30_000
"""How many objects are made before the collector looks for garbage among them."""
PREFIX = "error: "
"""Begins every sentence that says why a command failed, as those of the models do."""


class Commands(click.Group):
    """Imports a command when it is called: an agent has no memory for what the backend needs."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            from difflib import get_close_matches  # noqa: PLC0415 - only mistakes pay for it

            near = get_close_matches(cmd_name, COMMANDS, 3)
            hint = (
                f" Did you mean {' or '.join(near)}?" if near else " `sheetrack --help` lists the commands."
            )
            raise click.UsageError(f"There is no command {cmd_name!r}.{hint}", ctx)
        module = _imported(COMMANDS[cmd_name][0])
        command: click.Command = getattr(module, cmd_name.replace("-", "_"))
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Imports no command, which would take a second."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


def _imported(name: str) -> ModuleType:
    """The module of a command. What it imports stays: no collection looks at it, not even the one at the end."""
    gc.disable()
    try:
        return import_module(f"backend.cli.{name}")
    finally:
        gc.enable()
        gc.freeze()


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
    # Imports make a hundred thousand objects that stay: to look for garbage among them takes a tenth of the time.
    gc.set_threshold(_YOUNG_OBJECTS)
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
    from backend.settings import Home  # noqa: PLC0415 - `--help` does not pay for it

    return f"{note_failure(error, Home().failure_file)} Please report it."


def _fail(sentence: str, code: int = 1) -> None:
    click.echo(f"{PREFIX}{visible(sentence)}", err=True)
    sys.exit(code)
