"""One backend that serves: its lock, its token, its port, its log."""

import errno
import logging
import logging.handlers
import os
import platform
import secrets
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from backend.api.app import LARGEST_BODY_BYTES, create_app
from backend.api.http_server import HttpServer
from backend.errors import ConflictError, InvalidError, SheetrackError
from backend.jobs.architectures import architectures
from backend.service.file_system import network_file_system, network_sentence
from backend.service.lock import only_backend
from backend.service.wiring import Sheetrack
from backend.settings import Home, private_text

log = logging.getLogger(__name__)

ADDRESS = "127.0.0.1"
_MOST_CONNECTIONS = 250


class Port:
    """A port of this machine, which stays open from its first use on: requests between two `serving` wait."""

    def __init__(self, number: int, host: str = ADDRESS) -> None:
        """0: any that is free."""
        self._number, self._host = number, host
        self._listening: socket.socket | None = None

    def opened(self) -> socket.socket:
        """A socket of its own for each use. Raises: ConflictError: something else has the port."""
        if self._listening is None:
            self._listening = _listen(self._host, self._number)
        return self._listening.dup()

    def close(self) -> None:
        if self._listening:
            self._listening.close()


@contextmanager
def serving(sheetrack: Sheetrack, port: int | Port, host: str = ADDRESS) -> Iterator[str]:
    """Serves until the block ends; yields the page's address, token included.

    With another `host` than this machine's own address, other machines reach the page too.

    Raises:
        ConflictError: another backend serves this home, or something else has the port.
    """
    home = sheetrack.home
    with only_backend(home):
        sheetrack.serves = True
        _log_to_file(home)
        if not home.close_to_others():
            log.warning(
                "Other users of this machine may look into %s. Run: chmod 700 %s", home.path, home.path
            )
        if kind := network_file_system(home.path):
            log.warning("%s", network_sentence(home.path, kind))
        app = create_app(sheetrack, token := _token(home), is_open=host != ADDRESS)
        server = HttpServer(
            app,
            port.opened() if isinstance(port, Port) else _listen(host, port),
            threads=8,
            largest_body_bytes=2 * LARGEST_BODY_BYTES,  # the app explains what is a little too large
            most_connections=_MOST_CONNECTIONS,
            trusted_proxy=ADDRESS,  # requests from elsewhere come through a tunnel or proxy on this machine
        )
        server.start()
        # The first person to open the sidebar must not wait until a lab's own networks are measured.
        asking = threading.Thread(target=_ask_for_architectures, name="architectures")
        asking.start()
        try:
            sheetrack.periodic.start()
            shown = platform.node() if host == "0.0.0.0" else host  # noqa: S104 - told, not bound
            yield f"http://{shown}:{server.port}/?token={token}"
        finally:
            sheetrack.google.leave()
            sheetrack.periodic.stop()
            server.close()
            asking.join()
            sheetrack.close()
            sheetrack.serves = False


def _listen(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port))
    except (OSError, UnicodeError) as error:
        if isinstance(error, socket.gaierror | UnicodeError) or error.errno == errno.EADDRNOTAVAIL:
            raise InvalidError(
                f"{host!r} is no address of this machine.", "Give one, or 0.0.0.0 for all of them."
            ) from None
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
        if token := private_text(home.token_file, "token"):
            return token
        descriptor = os.open(home.token_file, os.O_WRONLY)
    token = secrets.token_urlsafe(24)
    os.write(descriptor, token.encode())
    os.close(descriptor)
    return token


def _log_to_file(home: Home) -> None:
    handler: logging.Handler = logging.StreamHandler()
    problem = None
    try:
        handler = logging.handlers.RotatingFileHandler(home.log_file, maxBytes=5_000_000, backupCount=3)
    except OSError as error:
        problem = error
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.raiseExceptions = False  # a full disk would fill the terminal instead
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    if problem:
        log.warning("%s cannot be written, so the log is here: %s", home.log_file, problem.strerror)
    logging.getLogger("httpx").setLevel(logging.WARNING)  # it logs each request with its whole address
