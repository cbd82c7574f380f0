"""Every command; thin."""

import os
import sys
import traceback

import click
from sqlalchemy.exc import DatabaseError

from backend.cli.compare import compare
from backend.cli.look import doctor, export, jobs, list_architectures, results, status
from backend.cli.serve import demo, up
from backend.cli.sweep import sweep
from backend.cli.train import cancel, data, figures, launch, train
from backend.database import database_error
from backend.errors import SheetrackError
from backend.settings import Home


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="sheetrack")
def sheetrack() -> None:
    """A lab's GPU servers and trainings, live in the spreadsheet the lab already uses.

    SHEETRACK_HOME is the folder that holds everything: store, runs, data, settings.
    """


for command in (
    demo, up, status, list_architectures, data, train, launch, jobs, cancel, sweep, results, compare, figures,
    export, doctor,
):  # fmt: skip
    sheetrack.add_command(command)


def main() -> None:
    """Exit codes: 0 done, 1 it failed (one sentence says why), 2 wrong usage."""
    try:
        sys.exit(sheetrack.main(standalone_mode=False))
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        _fail("Stopped.", 130)
    except SheetrackError as error:
        _fail(str(error))
    except DatabaseError as error:
        _fail(str(database_error(error)))
    except BrokenPipeError:
        # Nobody reads any more: leave quietly, without Python's own complaint at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:
        _fail(f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}.")
    except Exception:  # noqa: BLE001  # a person gets a sentence, whoever mends it the traceback
        file = Home().path / "failure.log"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(traceback.format_exc())
        _fail(f"Something in Sheetrack failed; {file} says what. Please report it.")


def _fail(sentence: str, code: int = 1) -> None:
    click.echo(f"sheetrack: {sentence}", err=True)
    sys.exit(code)
