"""One backend, serving: its lock, its token, its port."""

import errno
import logging
import logging.handlers
import os
import secrets
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from waitress import wasyncore
from waitress.server import create_server

from backend.api.app import create_app
from backend.errors import ConflictError, SheetrackError, UnavailableError
from backend.jobs.architectures import architectures
from backend.service.lock import only_backend
from backend.service.wiring import Sheetrack
from backend.settings import Home

ADDRESS = "127.0.0.1"


@contextmanager
def serving(sheetrack: Sheetrack, port: int) -> Iterator[str]:
    """Serves until the block ends; yields the page's address, token included.

    Raises:
        ConflictError: another backend serves this home, or something else has the port.
    """
    home = sheetrack.home
    with only_backend(home):
        _log_to_file(home)
        app = create_app(sheetrack, token := _token(home))
        sockets: dict[int, object] = {}
        server = create_server(
            app,
            map=sockets,
            sockets=[_listen(port)],
            threads=8,
            ident="Sheetrack",
            # Whatever calls from elsewhere comes through a tunnel or proxy on this machine.
            trusted_proxy=ADDRESS,
            trusted_proxy_headers={"x-forwarded-for"},
        )
        thread = threading.Thread(target=server.run, name="http", daemon=True)
        thread.start()
        # Whoever opens the sidebar first shall not have to wait for the list of networks.
        asking = threading.Thread(target=_ask_for_architectures, name="architectures")
        asking.start()
        sheetrack.periodic.start()
        try:
            yield f"http://{ADDRESS}:{server.effective_port}/?token={token}"
        finally:
            sheetrack.periodic.stop()
            # In the thread that waits on them, or it would wait on sockets that are gone.
            server.trigger.pull_trigger(lambda: wasyncore.close_all(sockets))
            thread.join()
            server.task_dispatcher.shutdown()
            asking.join()
            sheetrack.close()


def _listen(port: int) -> socket.socket:
    try:
        return socket.create_server((ADDRESS, port))
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        raise ConflictError(f"Port {port} is in use.", "Choose another with --port.") from None


def _ask_for_architectures() -> None:
    with suppress(SheetrackError):
        architectures()


def _token(home: Home) -> str:
    """The home's own random token, readable by its owner alone."""
    try:
        descriptor = os.open(home.token_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        if home.token_file.stat().st_mode & 0o077:
            raise UnavailableError(
                f"Others can read {home.token_file}.", f"Run: chmod 600 {home.token_file}"
            ) from None
        if token := home.token_file.read_text().strip():
            return token
        descriptor = os.open(home.token_file, os.O_WRONLY)
    token = secrets.token_urlsafe(24)
    os.write(descriptor, token.encode())
    os.close(descriptor)
    return token


def _log_to_file(home: Home) -> None:
    handler = logging.handlers.RotatingFileHandler(home.log_file, maxBytes=5_000_000, backupCount=3)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    logging.getLogger("httpx").setLevel(logging.WARNING)  # it logs each request with its whole address
