"""The command on every server. Imports little: it has 60 MB to live in."""

from pathlib import Path

import click

from backend.agent import PORT, serve_agent
from backend.settings import Home


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to answer at.")
@click.option("--port", default=PORT, show_default=True, type=click.IntRange(1, 65535))
@click.option(
    "--token-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Holds the token that callers must show; readable by its owner alone.",
)
def agent(*, host: str, port: int, token_file: Path | None) -> None:
    """Serves the readings of this server, its last hour and its run files over HTTP."""
    serve_agent(Home(), host=host, port=port, token_file=token_file, say=click.echo)
