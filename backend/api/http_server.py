"""The HTTP server of backend and agent: waitress, with limits on what a request and a connection may hold."""

import logging
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from waitress import wasyncore
from waitress.adjustments import Adjustments
from waitress.channel import HTTPChannel
from waitress.server import TcpWSGIServer
from waitress.task import ErrorTask, ThreadedTaskDispatcher

from backend.reply import PLAIN_POLICY, ErrorContent, ErrorReply

SILENT_SECONDS = 10.0
"""How long a whole request may take to arrive, and how long a new connection may say nothing."""
_KEPT_SECONDS = 120.0
"""How long a connection is kept after an answer: agents are asked again within that time."""
_LONGEST_HEADER_BYTES = 32 * 1024
_SENTENCES = {
    400: ("invalid", "The request is not HTTP as this server understands it."),
    413: ("too_large", "The request is larger than this server takes."),
    431: ("too_large", "The header of the request is larger than this server takes."),
}


class HttpServer:
    """Serves `app` on `listener` until it is closed, or the process is interrupted."""

    def __init__(
        self,
        app: Callable[..., Any],
        listener: socket.socket,
        *,
        threads: int,
        largest_body_bytes: int,
        most_connections: int,
        trusted_proxy: str | None = None,
    ) -> None:
        """Nothing is answered before `run`.

        Args:
            app: the WSGI application.
            listener: a bound socket.
            threads: how many requests are answered at once.
            largest_body_bytes: a larger request is refused before its body is read.
            most_connections: one more closes the connection whose client has been silent for longest.
            trusted_proxy: the address whose `X-Forwarded-For` is believed.
        """
        proxy = {"trusted_proxy": trusted_proxy, "trusted_proxy_headers": {"x-forwarded-for"}}
        adjustments = Adjustments(
            sockets=[listener],
            ident="Sheetrack",
            max_request_body_size=largest_body_bytes,
            outbuf_overflow=16 * 1024 * 1024,  # an answer waits in memory, not in a file
            inbuf_overflow=2 * largest_body_bytes,  # no body of a stranger is written to the disk
            max_request_header_size=_LONGEST_HEADER_BYTES,
            channel_timeout=SILENT_SECONDS,
            cleanup_interval=1,
            connection_limit=2**31,  # the channels close others instead: newcomers are always let in
            asyncore_use_poll=True,  # select cannot watch descriptors above 1,023
            **(proxy if trusted_proxy else {}),
        )
        self._sockets: dict[int, Any] = {}
        self._dispatcher = ThreadedTaskDispatcher()
        self._dispatcher.set_thread_count(threads)
        self._server = _Server(
            app,
            self._sockets,
            True,
            listener,
            self._dispatcher,
            adjustments,
            (listener.family, listener.type, listener.proto, listener.getsockname()),
            bind_socket=False,
        )
        self._server.most_connections = most_connections
        self._thread: threading.Thread | None = None
        # It warns of every request that waits for a thread.
        logging.getLogger("waitress.queue").setLevel(logging.ERROR)

    @property
    def port(self) -> int:
        return int(self._server.effective_port)

    def run(self) -> None:
        """Serves in this thread."""
        self._server.run()

    def start(self) -> None:
        """Serves in a separate thread."""
        self._thread = threading.Thread(target=self.run, name="http", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Ends the thread that `start` began, after the answers in progress."""
        # In the thread that waits on the sockets: another would close them while it waits on them.
        trigger = self._server.trigger
        # Both at once: a thread that wakes the loop between the two would have the trigger closed before the second.
        with trigger.lock:
            trigger.thunks.append(self._close_all)
            trigger._physical_pull()  # noqa: SLF001 - `pull_trigger` does not hold the lock
        if self._thread:
            self._thread.join()
        self._dispatcher.shutdown()

    def _close_all(self) -> None:
        for each in list(self._sockets.values()):
            if isinstance(each, HTTPChannel):
                each.handle_close()  # closes the file that is being sent, too
        wasyncore.close_all(self._sockets)


class _ErrorTask(ErrorTask):  # type: ignore[misc]  # waitress has no types
    """The answer to a request that waitress refuses, in the one shape of every error."""

    def execute(self) -> None:
        error = self.request.error
        code, message = _SENTENCES.get(error.code, ("failed", f"{error.reason}."))
        fault = ErrorContent(
            code=code, message=message, hint="Send less at once." if code == "too_large" else ""
        )
        body = ErrorReply(error=fault).model_dump_json().encode()
        self.status = f"{error.code} {error.reason}"
        self.response_headers = [
            ("Content-Type", "application/json"),
            ("Content-Security-Policy", PLAIN_POLICY),
            ("X-Content-Type-Options", "nosniff"),
        ]
        self.set_close_on_finish()
        self.content_length = len(body)
        self.write(body)


class _Channel(HTTPChannel):  # type: ignore[misc]  # waitress has no types
    """A connection whose time runs from the beginning of a request, however slowly that arrives."""

    error_task_class = _ErrorTask
    is_known = False
    """Whether a whole request came over it."""
    last_activity: float
    """In seconds since 1970, as waitress counts."""
    _began = 0.0

    def __init__(self, server: "_Server", *given: Any, **named: Any) -> None:
        super().__init__(server, *given, **named)
        server.make_room(self)

    def handle_read(self) -> None:
        was_between = self.request is None
        super().handle_read()
        if self.request is None:
            self.is_known = True
            return
        if was_between:
            self._began = self.last_activity
        self.last_activity = self._began

    def is_silent(self, at: float) -> bool:
        """Whether it is to be closed at that time; never while a request is answered."""
        seconds = _KEPT_SECONDS if self.is_known and self.request is None else SILENT_SECONDS
        return not self.requests and at - self.last_activity > seconds


class _Server(TcpWSGIServer):  # type: ignore[misc]  # waitress has no types
    channel_class = _Channel
    most_connections = 100

    def maintenance(self, now: float) -> None:
        for channel in self.active_channels.values():
            if channel.is_silent(now):
                channel.will_close = True

    def make_room(self, newcomer: _Channel) -> None:
        """Closes the connection that is needed least, where there are too many."""
        if len(self.active_channels) <= self.most_connections:
            return
        waiting = [
            channel
            for channel in list(self.active_channels.values())
            if channel is not newcomer and not channel.requests
        ]
        if waiting:
            least = min(waiting, key=lambda channel: (channel.is_known, channel.last_activity))
            with suppress(OSError):
                least.handle_close()
