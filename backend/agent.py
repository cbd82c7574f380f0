"""The small service on every server: its snapshot, its last hour, its run files."""

import errno
import hmac
import json
import logging
import socket
import stat
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Self

from flask import Flask, Response, request, send_file
from werkzeug.exceptions import HTTPException
from werkzeug.security import safe_join

from backend.api.http_server import HttpServer
from backend.errors import (
    ConflictError,
    InvalidError,
    NotFoundError,
    RefusedError,
    SheetrackError,
    UnavailableError,
)
from backend.jobs.run_files import RunFile, RunFiles
from backend.probe.prometheus import METRICS_TYPE, metrics_text
from backend.probe.sampler import Sampler
from backend.probe.snapshot import Snapshot
from backend.reply import PLAIN_POLICY, ErrorContent, ErrorReply, reply
from backend.servers.server import read_agent_token, this_machine
from backend.settings import Home
from models.run_folder import RunFolder, is_run_id

log = logging.getLogger(__name__)

PORT = 8765
INTERVAL_SECONDS = 10.0
_KEPT_SECONDS = 3600
_THREADS = 8
_FILES_AT_ONCE = 4
_LARGEST_BODY_BYTES = 16 * 1024  # no request to an agent has a body
_MOST_CONNECTIONS = 60


class Recorder:
    """Takes a snapshot every `interval_seconds` and keeps one hour, for a backend that was away."""

    def __init__(self, sampler: Sampler, interval_seconds: float = INTERVAL_SECONDS) -> None:
        self._sampler = sampler
        self._interval_seconds = interval_seconds
        # As JSON: a tenth of the memory of the objects, and the form in which they are sent.
        self._kept: deque[tuple[datetime, str]] = deque(maxlen=int(_KEPT_SECONDS / interval_seconds))
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
        self._thread.start()

    def since(self, moment: datetime | None) -> list[str]:
        """The snapshots from `moment` on as JSON, oldest first; None: all."""
        return [content for at, content in self._kept.copy() if moment is None or at >= moment]

    def close(self) -> None:
        self._stopped.set()
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self) -> None:
        failed = False
        while not self._stopped.wait(self._interval_seconds):
            try:
                snapshot = self._sampler.sample()
            except Exception:
                if not failed:
                    log.exception("this machine cannot be read")
                failed = True
            else:
                failed = False
                self._kept.append((snapshot.at, snapshot.model_dump_json()))


def create_agent(
    sample: Callable[[], Snapshot], since: Callable[[datetime | None], list[str]], runs: Path, token: str
) -> Flask:
    """The agent's HTTP interface. Every request needs `token` as a bearer token.

    Args:
        sample: returns a snapshot taken now.
        since: returns earlier snapshots as JSON, oldest first.
        runs: the folder whose files can be read.
        token: the secret of this agent.
    """
    app = Flask(__name__, static_folder=None)
    app.after_request(_hardened)
    disk = threading.BoundedSemaphore(_FILES_AT_ONCE)
    expected = f"Bearer {token}".encode()

    @app.before_request
    def identify() -> None:
        given = request.headers.get("Authorization", "").encode()
        if not hmac.compare_digest(given, expected):
            error = RefusedError("This agent needs its token.", "Send it as `Authorization: Bearer ...`.")
            error.status = 401
            raise error

    @app.get("/snapshot")
    def snapshot() -> Response:
        return reply(sample())

    @app.get("/history")
    def history() -> Response:
        content = f'{{"snapshots": [{", ".join(since(_moment(request.args.get("since"))))}]}}'
        return Response(content, mimetype="application/json")

    @app.get("/metrics")
    def metrics() -> Response:
        return Response(metrics_text([sample()]), content_type=METRICS_TYPE)

    @app.get("/runs/<run>")
    def run_files(run: str) -> Response:
        with _from_disk(disk):
            return reply(_run_files(runs, run))

    @app.get("/runs/<run>/<path:name>")
    def run_file(run: str, name: str) -> Response:
        with ExitStack() as reading:
            reading.enter_context(_from_disk(disk))
            answer = _sent(_run_file(runs, run, name))
            answer.call_on_close(reading.pop_all().close)
        return answer

    @app.errorhandler(SheetrackError)
    def explain(error: SheetrackError) -> Response:
        fault = ErrorContent(code=error.code, message=error.message, hint=error.hint)
        return reply(ErrorReply(error=fault), error.status)

    @app.errorhandler(HTTPException)
    def explain_http(error: HTTPException) -> Response:
        fault = ErrorContent(
            code="invalid", message=f"{error.name}: {request.method} {request.path}.", hint=""
        )
        return reply(ErrorReply(error=fault), error.code or 500)

    return app


def _sent(file: Path) -> Response:
    """The file, or the part of it that is asked for."""
    # Without this, one thread sends all files, and every answer waits for the disk of one.
    request.environ.pop("wsgi.file_wrapper", None)
    wanted = request.range
    start, end = wanted.ranges[0] if wanted and wanted.ranges else (0, None)
    if end is None and start is not None and start < -file.stat().st_size:
        del request.environ["HTTP_RANGE"]  # more than there is means all of it, which Flask refuses
    return send_file(file, conditional=True, max_age=0)


def _hardened(answer: Response) -> Response:
    answer.headers["Content-Security-Policy"] = PLAIN_POLICY
    answer.headers["X-Content-Type-Options"] = "nosniff"
    return answer


@contextmanager
def _from_disk(places: threading.BoundedSemaphore) -> Iterator[None]:
    """A disk may hang for minutes: it keeps the threads of `places` then, and readings have others.

    Raises:
        UnavailableError: there is no place.
    """
    if not places.acquire(blocking=False):
        raise UnavailableError("The disk of the runs does not answer yet.", "Ask again in a minute.")
    try:
        yield
    finally:
        places.release()


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise InvalidError(f"since={json.dumps(text)} is no moment.", "Write it like 2026-11-22T14:02:00Z.")
    return moment


def _run_file(runs: Path, run: str, name: str) -> Path:
    """A file below the folder `run` of `runs`, and nothing that a link leads to elsewhere."""
    joined = safe_join(str(runs), run, name) if is_run_id(run) and "\0" not in name else None
    if joined is not None:
        file, folder = Path(joined).resolve(), (runs / run).resolve()
        if file.is_file() and file.is_relative_to(folder) and folder.parent == runs.resolve():
            return file
    raise NotFoundError(f"There is no file {name!r} of a run {run!r} here.", "")


def _run_files(runs: Path, run: str) -> RunFiles:
    """The files of a run that `_run_file` hands out, but for those that are being written."""
    folder = (runs / run).absolute()
    if not is_run_id(run) or folder.is_symlink() or not folder.is_dir():
        raise NotFoundError(f"There is no run {run!r} here.", "")
    # First: what is not listed now was not there when the training had ended.
    is_training = RunFolder(folder).is_locked()
    there, files = folder.resolve(), []
    for file in sorted([*there.iterdir(), *there.glob("figures/*"), *there.glob("brain/*.json")]):
        with suppress(FileNotFoundError):
            facts = file.lstat()
            if stat.S_ISREG(facts.st_mode) and file.resolve() == file and not file.name.startswith("."):
                name = str(file.relative_to(there))
                files.append(RunFile(name=name, size_bytes=facts.st_size, modified_ns=facts.st_mtime_ns))
    return RunFiles(is_training=is_training, files=tuple(files))


def serve_agent(
    home: Home, *, host: str, port: int, token_file: Path | None, say: Callable[[str], None] = log.info
) -> None:
    """Serves until interrupted; `say` hears when it begins.

    Raises:
        InvalidError: there is no token, or others may read it.
        ConflictError: something else has the port.
    """
    token = read_agent_token(token_file)
    with Sampler(this_machine(), home.path) as sampler, Recorder(sampler) as recorder:
        app = create_agent(sampler.sample, recorder.since, home.runs, token)
        server = HttpServer(
            app,
            _listener(host, port),
            threads=_THREADS,
            largest_body_bytes=_LARGEST_BODY_BYTES,
            most_connections=_MOST_CONNECTIONS,
        )
        say(f"Answers on port {port} of {host} until Ctrl-C.")
        server.run()


def _listener(host: str, port: int) -> socket.socket:
    """Raises: ConflictError: something else has the port."""
    family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    try:
        return socket.create_server(address[:2], family=family)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        raise ConflictError(f"Port {port} is in use.", "Choose another with --port.") from None
