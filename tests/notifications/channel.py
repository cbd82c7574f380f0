"""A real server that notifications arrive at."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from backend.settings import Home


class Channel:
    """What arrived at a real server, which may refuse it."""

    def __init__(self) -> None:
        self.messages: list[str] = []
        self.paths: list[str] = []
        self.status = 200


@contextmanager
def channel(port: int = 0) -> Iterator[tuple[Channel, int]]:
    arrived = Channel()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if arrived.status == 200:
                arrived.messages.append(body["message"])
                arrived.paths.append(self.path)
            self.send_response(arrived.status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", port), Handler) as listening:
        thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield arrived, listening.server_port
        finally:
            listening.shutdown()
            thread.join()


def write_addresses(home: Home, *addresses: str) -> None:
    file = home.path / "notify-urls"
    file.touch(mode=0o600)
    file.write_text("# the lab's channel\n\n" + "\n".join(addresses))
