"""Requests that are too large, and connections that say nothing, against a real socket."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from flask import Flask, request

from backend.api import http_server
from backend.api.http_server import HttpServer

MIB = 1024 * 1024


@pytest.fixture
def reached() -> list[int]:
    """The sizes of the bodies that the application was given."""
    return []


@pytest.fixture
def address(reached: list[int], monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, int]]:
    """Of a server that keeps at most 20 connections, and one second those that say nothing."""
    monkeypatch.setattr(http_server, "SILENT_SECONDS", 1.0)
    app = Flask(__name__)

    @app.route("/", methods=["GET", "POST"])
    def size() -> str:
        reached.append(len(request.data))
        return "here"

    listener = socket.create_server(("127.0.0.1", 0))
    server = HttpServer(app, listener, threads=2, largest_body_bytes=MIB, most_connections=20)
    server.start()
    yield "127.0.0.1", server.port
    server.close()


def base(address: tuple[str, int]) -> str:
    return f"http://{address[0]}:{address[1]}/"


@pytest.mark.parametrize("is_chunked", [False, True])
def test_a_body_that_is_too_large_is_refused_before_it_is_kept(
    address: tuple[str, int], reached: list[int], is_chunked: bool
) -> None:
    length = b"Transfer-Encoding: chunked" if is_chunked else b"Content-Length: 104857600"
    with socket.create_connection(address, timeout=60) as client:
        client.sendall(b"POST / HTTP/1.1\r\nHost: x\r\n" + length + b"\r\n\r\n")
        sent = 0
        with suppress(ConnectionError):
            while is_chunked and sent < 100 * MIB:
                client.sendall(b"10000\r\n" + bytes(0x10000) + b"\r\n")
                sent += 0x10000
        assert sent < 50 * MIB
        answer = b""
        with suppress(ConnectionError):
            while part := client.recv(MIB):
                answer += part
    if not is_chunked:  # the answer to a client that goes on sending may be lost
        head, body = answer.split(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 413 ")
        assert b"frame-ancestors 'none'" in head
        assert json.loads(body)["error"]["code"] == "too_large"
    assert reached == []
    assert httpx.get(base(address), timeout=60).text == "here"


def test_a_body_of_the_largest_size_stays_in_memory(address: tuple[str, int], reached: list[int]) -> None:
    content = bytes(MIB - 1)
    assert httpx.post(base(address), content=content, timeout=60).text == "here"
    assert reached == [MIB - 1]


@pytest.mark.parametrize("silence", [b"", b"GET / HT", b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\n1"])
def test_connections_that_say_nothing_keep_nobody_out(address: tuple[str, int], silence: bytes) -> None:
    with ExitStack() as stack, httpx.Client(timeout=60) as known:
        assert known.get(base(address)).text == "here"
        for _ in range(100):
            client = stack.enter_context(socket.create_connection(address, timeout=60))
            with suppress(ConnectionError):
                client.sendall(silence)
        assert httpx.get(base(address), timeout=60).text == "here"
        assert known.get(base(address)).text == "here"


@pytest.mark.parametrize("drop", [b"", b"a"])
def test_a_connection_is_closed_that_sends_no_whole_request(address: tuple[str, int], drop: bytes) -> None:
    with socket.create_connection(address, timeout=60) as client:
        ended = threading.Event()

        def drip() -> None:
            with suppress(ConnectionError):
                while drop and not ended.wait(0.05):
                    client.sendall(drop)

        thread = threading.Thread(target=drip)
        thread.start()
        try:
            with suppress(ConnectionError):
                assert client.recv(1) == b""
        finally:
            ended.set()
            thread.join()


def test_a_connection_with_an_answer_is_kept(address: tuple[str, int]) -> None:
    with socket.create_connection(address, timeout=60) as client:
        for _ in range(2):
            client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            answer = b""
            while not answer.endswith(b"here"):
                part = client.recv(MIB)
                assert part
                answer += part
            time.sleep(2.5)  # more than a new connection may say nothing


def test_a_header_that_is_too_large_is_refused(address: tuple[str, int]) -> None:
    answer = httpx.get(base(address), headers={"X": "x" * 100_000}, timeout=60)
    assert answer.status_code == 431
    assert answer.json()["error"]["code"] == "too_large"


def test_what_is_not_http_is_refused(address: tuple[str, int]) -> None:
    with socket.create_connection(address, timeout=60) as client:
        client.sendall(b"hello\r\n\r\n")
        assert client.recv(MIB).startswith(b"HTTP/1.0 400 ")


def test_a_server_that_ends_closes_the_file_that_it_sends(tmp_path: Path) -> None:
    large = tmp_path / "large"
    large.write_bytes(bytes(16 * MIB))
    file = large.open("rb")

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        start_response("200 OK", [])
        return environ["wsgi.file_wrapper"](file) if environ["PATH_INFO"] == "/large" else [b"here"]

    listener = socket.create_server(("127.0.0.1", 0))
    server = HttpServer(app, listener, threads=1, largest_body_bytes=MIB, most_connections=20)
    server.start()
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as client:
        client.sendall(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
        assert client.recv(1)  # and reads no further
        # The one thread answers others: the rest of the file is sent by the loop.
        assert httpx.get(f"http://127.0.0.1:{server.port}/", timeout=60).text == "here"
        server.close()
    assert file.closed
