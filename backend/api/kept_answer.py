"""A large answer that is made once and given to all who ask, until something changes."""

import gzip
import hashlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from flask import Response, request
from pydantic import BaseModel

from backend.api.packing import LEVEL, accepts_gzip


@dataclass(frozen=True)
class _Made:
    stamp: object
    until: float
    """By the monotonic clock."""
    tag: str
    plain: bytes
    packed: bytes


class KeptAnswer:
    """Safe to use from several threads; those that ask at the same time wait for one making."""

    def __init__(self, make: Callable[[], BaseModel], most_seconds: float) -> None:
        """`make` returns the content; it holds for at most `most_seconds`."""
        self._make = make
        self._most_seconds = most_seconds
        self._making = threading.Lock()
        self._made: _Made | None = None

    def response(self, stamp: object) -> Response:
        """The answer, without a body where the client has it already; made again for another `stamp` or None."""
        made = self._current(stamp)
        is_packed = accepts_gzip()
        answer = Response(made.packed if is_packed else made.plain, mimetype="application/json")
        if is_packed:
            answer.headers["Content-Encoding"] = "gzip"
        answer.headers["Vary"] = "Accept-Encoding"
        answer.headers["Cache-Control"] = "private, no-cache"
        answer.set_etag(f"{made.tag}-gzip" if is_packed else made.tag)
        if request.method in ("GET", "HEAD"):
            answer.make_conditional(request)
        return answer

    def _current(self, stamp: object) -> _Made:
        with self._making:
            made = self._made
            if made is None or stamp is None or made.stamp != stamp or time.monotonic() > made.until:
                made = self._made = self._new(stamp)
            return made

    def _new(self, stamp: object) -> _Made:
        plain = self._make().model_dump_json().encode()
        return _Made(
            stamp=stamp,
            until=time.monotonic() + self._most_seconds,
            tag=hashlib.blake2b(plain, digest_size=12).hexdigest(),
            plain=plain,
            packed=gzip.compress(plain, LEVEL),
        )
