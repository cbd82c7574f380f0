"""HTTP requests to another machine, bounded in time and size; after a failure it is not asked for a while."""

import re
import time
from collections.abc import Callable
from typing import Any, TypeVar

import httpx

from backend.errors import InvalidError
from backend.jobs.engines import LogPart, LostError

Answer = TypeVar("Answer")

_RANGE = re.compile(r"bytes (?:(?P<first>\d{1,18})-\d{1,18}|\*)/(?P<size>\d{1,18})")
_CONNECT_SECONDS = 1.0
_SILENCE_SECONDS = 4.0
"""The longest silence in the middle of an answer."""
_ANSWER_SECONDS = 10.0
_SHORTEST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 1.0, 30.0
_ADVICE = "Sheetrack tries it again."


def open_client() -> httpx.Client:
    """A client for all services; the caller closes it."""
    return httpx.Client(
        timeout=httpx.Timeout(_SILENCE_SECONDS, connect=_CONNECT_SECONDS),
        # A hundred servers that do not answer would keep all others from being asked.
        limits=httpx.Limits(max_connections=None),
        trust_env=False,  # a proxy for the web is none for the lab's servers
    )


class Remote:
    """One service. Safe to use from several threads."""

    def __init__(self, client: httpx.Client, what: str, address: str, token: Callable[[], str]) -> None:
        """`what` names the service in messages: `Ray at http://...`."""
        self._client = client
        self._what = what
        self._address = address.rstrip("/")
        self._token = token
        self._pause_seconds = 0.0
        self._asked_again_at = 0.0
        self._message = ""

    def ask(
        self, path: str, most_bytes: int, *, post: Any = None, headers: dict[str, str] | None = None
    ) -> bytes | None:
        """The content of the answer; None: not found. `post` is sent as JSON.

        Raises:
            LostError: no usable answer, now or a moment ago.
        """
        return self._tried(lambda: self._answer(path, most_bytes, post, headers or {}))

    def part(self, path: str, start: int, most_bytes: int) -> LogPart | None:
        """At most so many bytes of a file from `start` on, or the last ones where it is negative; None: not found.

        Raises:
            LostError: no usable answer, now or a moment ago.
        """
        return self._tried(lambda: self._part(path, start, most_bytes))

    def _tried(self, attempt: Callable[[], Answer]) -> Answer:
        if time.monotonic() < self._asked_again_at:
            raise LostError(self._message, _ADVICE)
        try:
            content = attempt()
        except InvalidError as error:
            self._fail(error.message)
        except httpx.HTTPStatusError as error:
            code = error.response.status_code
            refused = code in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN)
            self._fail(f"{self._what} {'refuses our token' if refused else f'answers HTTP {code}'}.")
        except httpx.DecodingError as error:
            self._fail(f"{self._what} gives an answer that cannot be used: {error}.")
        except (httpx.HTTPError, httpx.InvalidURL):
            self._fail(f"{self._what} does not answer.")
        self._pause_seconds = 0
        return content

    def _answer(self, path: str, most_bytes: int, post: Any, headers: dict[str, str]) -> bytes | None:
        until = time.monotonic() + _ANSWER_SECONDS
        method = "GET" if post is None else "POST"
        url = f"{self._address}{path}"
        with self._client.stream(method, url, json=post, headers=self._headers(headers)) as answer:
            if answer.status_code == httpx.codes.NOT_FOUND:
                return None
            answer.raise_for_status()
            return _content(answer, most_bytes, until)

    def _part(self, path: str, start: int, most_bytes: int) -> LogPart | None:
        until = time.monotonic() + _ANSWER_SECONDS
        wanted = f"bytes={start}" if start < 0 else f"bytes={start}-{start + most_bytes - 1}"
        headers = self._headers({"Range": wanted})
        with self._client.stream("GET", f"{self._address}{path}", headers=headers) as answer:
            if answer.status_code == httpx.codes.NOT_FOUND:
                return None
            given = _RANGE.fullmatch(answer.headers.get("Content-Range", ""))
            if answer.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:  # nothing is there yet
                size = int(given["size"]) if given else 0
                return LogPart(b"", min(max(0, start), size), size)
            answer.raise_for_status()
            content = _content(answer, most_bytes, until)
            first = int(given["first"] or 0) if given else 0
            return LogPart(content, first, int(given["size"]) if given else len(content))

    def _headers(self, more: dict[str, str]) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._token()}", "Accept-Encoding": "identity", **more}

    def _fail(self, message: str) -> None:
        self._message = message
        longer = max(2 * self._pause_seconds, _SHORTEST_PAUSE_SECONDS)
        self._pause_seconds = min(longer, _LONGEST_PAUSE_SECONDS)
        self._asked_again_at = time.monotonic() + self._pause_seconds
        raise LostError(message, _ADVICE) from None


def _content(answer: httpx.Response, most_bytes: int, until: float) -> bytes:
    parts, size = [], 0
    for part in answer.iter_raw():
        parts.append(part)
        size += len(part)
        if size > most_bytes:
            raise httpx.DecodingError("it is too long")
        if time.monotonic() > until:
            raise httpx.ReadTimeout("it takes too long")
    return b"".join(parts)
