"""Another machine, read through its agent."""

import asyncio
import errno
import socket
import ssl
from collections.abc import Iterator, Mapping
from concurrent.futures import Executor
from datetime import datetime
from functools import cached_property
from typing import Any

import httpx
from pydantic import BaseModel, ValidationError

from backend.errors import InvalidError
from backend.probe.snapshot import Failure, Snapshot
from backend.servers.server import Server, read_agent_token
from backend.times import now

_WRONG_CLOCK_SECONDS = 60
ATTEMPT_SECONDS = 1.5
_CONNECT_SECONDS = 1.2  # less, so that a machine that is off is not taken for an agent that hangs
_KEPT_SECONDS = 60  # connections are kept between rounds
_LARGEST_BYTES = 256 << 10
_HISTORY_SECONDS = 5
_LARGEST_HISTORY_BYTES = 16 << 20
_MOST_MISSED = 1000  # an agent keeps 360


class _History(BaseModel):
    snapshots: list[Any]


class RemoteAgent:
    """Belongs to one event loop. Each server has its own client: pools of many connections are slow."""

    def __init__(self, server: Server, certificates: ssl.SSLContext, threads: Executor) -> None:
        """`threads` do what takes long, and wait for nothing."""
        self._server = server
        self._threads = threads
        self._certificates = certificates

    @cached_property
    def _client(self) -> httpx.AsyncClient:
        # Made at the first request: an address that httpx refuses is a failure of that request.
        return httpx.AsyncClient(
            base_url=self._server.agent or "",
            verify=self._certificates,
            trust_env=False,  # a proxy for the web does not lead to the lab's servers
            timeout=httpx.Timeout(None, connect=_CONNECT_SECONDS),
            limits=httpx.Limits(keepalive_expiry=_KEPT_SECONDS),
            headers={"Accept-Encoding": "identity"},  # a small answer must not unpack to a large one
        )

    async def sample(self) -> Snapshot:
        """The server's snapshot, with our name for it and the time of its arrival, or why there is none.

        Asks a second time where the first answer does not come.
        """
        snapshot = await self._attempt()
        if snapshot.failure in (Failure.UNREACHABLE, Failure.AGENT_DOWN):
            snapshot = await self._attempt()
        return snapshot

    async def history(self, since: datetime) -> list[Snapshot]:
        """What the agent read after `since`, by its own clock, oldest first; empty if it cannot be read."""
        try:
            token = read_agent_token(self._server.token_file)
            async with asyncio.timeout(_HISTORY_SECONDS):
                body = await self._get(
                    "/history", token, {"since": since.isoformat()}, _LARGEST_HISTORY_BYTES
                )
            # An hour of a large server takes longer to read than other agents may be kept waiting.
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._threads, self._missed, body, since)
        except (TimeoutError, httpx.HTTPError):
            await self.close()
            return []
        except (InvalidError, ValidationError):
            return []

    def _missed(self, body: bytes, since: datetime) -> list[Snapshot]:
        until, found = now(), {}
        for content in _History.model_validate_json(body).snapshots[-_MOST_MISSED:]:
            try:
                snapshot = Snapshot.model_validate(content)
            except ValidationError:
                continue
            if since < snapshot.at <= until and not snapshot.failure:
                found[snapshot.at] = snapshot.model_copy(update={"server": self._server.name})
        return [found[at] for at in sorted(found)]

    async def close(self) -> None:
        """Closes all connections. The next request opens a new one."""
        client: httpx.AsyncClient | None = self.__dict__.pop("_client", None)
        if client:
            await client.aclose()

    async def _attempt(self) -> Snapshot:
        try:
            token = read_agent_token(self._server.token_file)
            async with asyncio.timeout(ATTEMPT_SECONDS):
                body = await self._get("/snapshot", token)
            snapshot = Snapshot.model_validate_json(body)
        except InvalidError as error:
            return self._failed(Failure.REFUSED, error.message.rstrip("."))
        except httpx.HTTPStatusError as error:
            code = error.response.status_code
            if code in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
                return self._failed(Failure.REFUSED, "agent refuses our token")
            return self._broken(f" (HTTP {code})")
        except ValidationError:
            return self._broken()
        except httpx.DecodingError:
            return self._broken(" (too large)")
        except httpx.ConnectTimeout:
            return self._failed(Failure.UNREACHABLE, "not reachable")
        except httpx.ConnectError as error:
            return self._not_connected(error)
        except (TimeoutError, httpx.HTTPError):
            # httpcore loses some connections of requests that are cut off: they would stay open for ever.
            await self.close()
            return self._failed(Failure.AGENT_DOWN, "agent not answering")
        at = now()
        ahead = (snapshot.at - at).total_seconds()
        told = {"clock_ahead_seconds": round(ahead) if abs(ahead) > _WRONG_CLOCK_SECONDS else None}
        return snapshot.model_copy(
            update={"server": self._server.name, "at": at, "failure": None, "failure_text": None, **told}
        )

    async def _get(
        self, path: str, token: str, query: Mapping[str, str] | None = None, most_bytes: int = _LARGEST_BYTES
    ) -> bytes:
        headers = {"Authorization": f"Bearer {token}"}
        async with self._client.stream("GET", path, params=query, headers=headers) as answer:
            answer.raise_for_status()
            body = bytearray()
            async for part in answer.aiter_raw():
                body += part
                if len(body) > most_bytes:
                    raise httpx.DecodingError(f"too much for {path}")
            return bytes(body)

    def _broken(self, why: str = "") -> Snapshot:
        return self._failed(Failure.BROKEN, f"agent's answer cannot be read{why}")

    def _not_connected(self, error: httpx.ConnectError) -> Snapshot:
        for cause in _causes(error):
            if isinstance(cause, socket.gaierror):
                return self._failed(Failure.UNREACHABLE, "not reachable (unknown host name)")
            if isinstance(cause, ssl.SSLError):
                return self._failed(Failure.BROKEN, "agent's certificate is not trusted")
            if isinstance(cause, OSError) and cause.errno == errno.ECONNREFUSED:
                return self._failed(Failure.AGENT_DOWN, "agent not answering (connection refused)")
        return self._failed(Failure.UNREACHABLE, "not reachable")

    def _failed(self, failure: Failure, text: str) -> Snapshot:
        return Snapshot(server=self._server.name, at=now(), failure=failure, failure_text=text)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        if isinstance(error, BaseExceptionGroup):
            for part in error.exceptions:
                yield from _causes(part)
        error = error.__cause__ or error.__context__
