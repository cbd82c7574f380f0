"""A server on this machine that speaks the part of Google's Sheets API that Sheetrack uses.

Every request is held to Google's own discovery document: path, parameters, and a body without one field
that Google does not know. It counts, enforces the quota, and fails as networks do when asked to.

    python -m tests.google.server           serves an empty spreadsheet called `lab`
"""

import json
import pickle
import re
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qs, unquote, urlsplit

import googleapiclient.discovery_cache
import jsonschema_rs

from tests.google import requests as sheets_requests
from tests.google import views
from tests.google.state import RefusedError, Spreadsheet

QUOTA = 60
_FILE = Path(googleapiclient.discovery_cache.__file__).parent / "documents" / "sheets.v4.json"
_DISCOVERY = json.loads(_FILE.read_text(encoding="utf-8"))
_COMMON = set(_DISCOVERY["parameters"])


def _strict(schema: dict[str, Any]) -> dict[str, Any]:
    """A schema of the discovery document as JSON Schema without unknown properties."""
    if "$ref" in schema:
        return {"$ref": f"#/$defs/{schema['$ref']}"}
    kind = schema.get("type")
    if kind == "any":
        return {}
    if kind == "string" and schema.get("format") in ("int64", "uint64"):
        return {"type": ["string", "integer"]}
    strict: dict[str, Any] = {"type": kind}
    if "enum" in schema:
        strict["enum"] = schema["enum"]
    if "items" in schema:
        strict["items"] = _strict(schema["items"])
    if kind == "object":
        strict["properties"] = {name: _strict(part) for name, part in schema.get("properties", {}).items()}
        others = schema.get("additionalProperties")
        strict["additionalProperties"] = _strict(others) if others else False
    return strict


_DEFINITIONS = {name: _strict(schema) for name, schema in _DISCOVERY["schemas"].items()}


def _validator(name: str) -> Any:
    return jsonschema_rs.validator_for({"$ref": f"#/$defs/{name}", "$defs": _DEFINITIONS})


@dataclass(frozen=True)
class Method:
    id: str
    verb: str
    path: re.Pattern[str]
    parameters: set[str]
    body: Any
    answer: Any


def _methods(resources: dict[str, Any]) -> list[Method]:
    found = []
    for resource in resources.values():
        for entry in resource.get("methods", {}).values():
            path = re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/:]+)", re.escape(entry["flatPath"]))
            queries = {n for n, p in entry["parameters"].items() if p["location"] == "query"}
            body = _validator(entry["request"]["$ref"]) if "request" in entry else None
            answer = _validator(entry["response"]["$ref"])
            found.append(Method(entry["id"], entry["httpMethod"], re.compile(path), queries, body, answer))
        found += _methods(resource.get("resources", {}))
    return found


_METHODS = _methods(_DISCOVERY["resources"])


@dataclass(frozen=True)
class Fault:
    """How a call goes wrong. `done`: it was carried out all the same."""

    status: int | None = None
    retry_after: int | str | None = None
    message: str = "The service is currently unavailable."
    done: bool = False
    """Without a status, the connection is cut, before or after the work."""
    seconds: float = 0
    """Seconds of silence before that."""
    content: str | None = None
    """Sent in place of an error's JSON."""
    cut: int | None = None
    """After how many bytes the right answer is cut off."""


@dataclass
class Call:
    method: str
    status: int
    requests: int
    bytes: int


@dataclass
class SheetsServer:
    """Serves while the block lasts; `state` may be changed meanwhile, as people do, under `lock`."""

    clock: Callable[[], float] = time.monotonic
    spreadsheet: str = "lab"
    """Its ID."""
    state: Spreadsheet = field(default_factory=Spreadsheet)
    before_call: Callable[[], object] = lambda: None
    """What another user does between any two calls."""
    faults_ahead: deque[Fault] = field(default_factory=deque)
    """Of the next calls, one each."""
    away: Fault | None = None
    """Of every call, for as long as it is set."""
    calls: list[Call] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    """What no correct client sends."""
    lock: threading.RLock = field(default_factory=threading.RLock)
    _writes: deque[float] = field(default_factory=lambda: deque(maxlen=QUOTA))

    def __enter__(self) -> Self:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def writes(self) -> list[Call]:
        """The batches that were carried out."""
        return [call for call in self.calls if call.method.endswith(".batchUpdate") and call.status == 200]

    def answer(self, verb: str, target: str, content: bytes) -> tuple[int, bytes, dict[str, str]] | None:
        """Status, content and headers; None: the connection is cut."""
        with self.lock:
            self.before_call()
            error = self.faults_ahead.popleft() if self.faults_ahead else self.away
        if error and error.seconds:
            time.sleep(error.seconds)
        with self.lock:
            if error and not error.done:
                self.calls.append(Call("error", error.status or 0, 0, len(content)))
                return _explained(error)
            status, body, headers = self._dispatch(verb, target, content)
        whole = json.dumps(body).encode()
        if error and error.cut is not None:
            return status, whole[: error.cut], {"Content-Length": str(len(whole))} | headers
        return _explained(error) if error else (status, whole, headers)

    def _dispatch(self, verb: str, target: str, content: bytes) -> tuple[int, dict[str, Any], dict[str, str]]:
        parts = urlsplit(target)
        path, query = unquote(parts.path).removeprefix("/"), parse_qs(parts.query)
        for method in _METHODS:
            match = method.path.fullmatch(path) if method.verb == verb else None
            if match is None:
                continue
            body = json.loads(content) if content else None
            if unknown := set(query) - method.parameters - _COMMON:
                self.faults.append(f"{method.id}: unknown parameters {unknown}")
            if method.body is not None:
                self.faults += [f"{method.id}: {error}" for error in method.body.iter_errors(body)]
            headers: dict[str, str] = {}
            try:
                if match["spreadsheetId"] != self.spreadsheet:
                    status, answer = 404, _error(404, "Requested entity was not found.")
                else:
                    status, answer, headers = self._do(method, match, query, body)
            except RefusedError as error:
                status, answer = 400, _error(400, str(error))
            if status == 200:
                answer = views.masked(answer, query["fields"][0]) if "fields" in query else answer
                self.faults += [
                    f"answer of {method.id}: {error}" for error in method.answer.iter_errors(answer)
                ]
            requests = len(body.get("requests", [])) if body else 0
            self.calls.append(Call(method.id, status, requests, len(content)))
            return status, answer, headers
        self.faults.append(f"{verb} {path} is not in the discovery document")
        return 404, _error(404, path), {}

    def _do(
        self, method: Method, match: re.Match[str], query: dict[str, list[str]], body: Any
    ) -> tuple[int, dict[str, Any], dict[str, str]]:
        match method.id:
            case "sheets.spreadsheets.get":
                mask = query.get("fields", ["data"])[0]
                grid_data = re.search(r"\bdata\b", mask) is not None
                ranges = query.get("ranges", [])
                return 200, views.whole(self.state, ranges, grid_data=grid_data), {}
            case "sheets.spreadsheets.values.get":
                return 200, views.values(self.state, match["range"]), {}
            case "sheets.spreadsheets.developerMetadata.search":
                return 200, self._search(body), {}
            case "sheets.spreadsheets.batchUpdate":
                return self._batch(body["requests"])
            case _:
                raise RefusedError(f"{method.id} is not spoken here")

    def _search(self, body: Any) -> dict[str, Any]:
        (lookup,) = (entry["developerMetadataLookup"] for entry in body["dataFilters"])
        marks = [self.state.mark_of(number) for number in self.state.marks]
        found = [mark for mark in marks if mark["metadataKey"] == lookup["metadataKey"]]
        return {"matchedDeveloperMetadata": [{"developerMetadata": mark} for mark in found]} if found else {}

    def _batch(self, requests: list[dict[str, Any]]) -> tuple[int, dict[str, Any], dict[str, str]]:
        now = self.clock()
        if len(self._writes) == QUOTA and now - self._writes[0] < 60:
            wait = int(60 - (now - self._writes[0])) + 1
            self.faults.append(f"more than {QUOTA} writes a minute")
            return (
                429,
                _error(429, "Quota exceeded for quota metric 'Write requests'"),
                {"Retry-After": str(wait)},
            )
        self._writes.append(now)
        before = pickle.dumps(self.state)
        try:
            for request in requests:
                sheets_requests.apply(self.state, request)
        except (RefusedError, KeyError) as error:
            self.state = pickle.loads(before)
            raise RefusedError(f"Invalid requests: {error}") from error
        return 200, {"spreadsheetId": "lab", "replies": [{} for _ in requests]}, {}


def _error(status: int, message: str) -> dict[str, Any]:
    return {"error": {"code": status, "message": message, "status": "FAILED"}}


def _explained(error: Fault) -> tuple[int, bytes, dict[str, str]] | None:
    if error.status is None:
        return None
    headers = {} if error.retry_after is None else {"Retry-After": str(error.retry_after)}
    content = error.content
    if content is None:
        content = json.dumps(_error(error.status, error.message))
    return error.status, content.encode(), headers


def _handler(server: SheetsServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # headers and body in one packet, or the client's kernel waits

        def _answer(self) -> None:
            content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            answer = server.answer(self.command, self.path, content)
            if answer is None:
                self.close_connection = True
                return
            status, text, headers = answer
            size = {"Content-Type": "application/json", "Content-Length": str(len(text))}
            self.send_response(status)
            for name, value in (size | headers).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(text)
            if len(text) < int((size | headers)["Content-Length"]):
                self.close_connection = True

        do_GET = do_POST = do_PUT = _answer  # noqa: N815 - the names are http.server's

        def log_message(self, *_: object) -> None:
            pass

    return Handler


if __name__ == "__main__":
    with SheetsServer() as serving:
        print(f'[google]\nspreadsheet = "lab"\napi_endpoint = "{serving.address}"', flush=True)  # noqa: T201
        threading.Event().wait()
