"""All servers asked at once."""

import asyncio
import ssl
import threading
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from backend.probe.sampler import Sampler
from backend.probe.snapshot import Failure, Snapshot
from backend.servers.server import Server

if TYPE_CHECKING:
    from backend.servers.agent_client import RemoteAgent

Answer = TypeVar("Answer")

_NAMES_AT_ONCE = 32  # looked up while the name server hangs
_SERVERS_AT_ONCE = 128  # more would wait for this processor, and that would count as their silence

_NOBODY = {
    "failure": Failure.MONITOR,
    "failure_text": "no server can be reached, which is probably our own network's fault,",
}


class Poller:
    """Asks servers again and again, over connections that are kept, from an event loop of its own."""

    def __init__(self, servers: Sequence[Server], sampler: Callable[[str], Sampler]) -> None:
        self._loop = asyncio.new_event_loop()
        # Not waited for when a round is over: a name server may hang for minutes.
        self._threads = ThreadPoolExecutor(_NAMES_AT_ONCE)
        self._loop.set_default_executor(self._threads)
        self._thread = threading.Thread(target=self._loop.run_forever, name="poller", daemon=True)
        self._thread.start()
        self._samplers = [sampler(server.name) for server in servers if server.is_here]
        self._places = asyncio.Semaphore(_SERVERS_AT_ONCE)
        self._open = AsyncExitStack()
        self._agents = self._run(self._remote(servers))
        self._ask: list[Callable[[], Awaitable[Snapshot]]] = [
            *(partial(asyncio.to_thread, sampler.sample) for sampler in self._samplers),
            *(agent.sample for agent in self._agents.values()),
        ]

    def history(self, since: Mapping[str, datetime]) -> list[list[Snapshot]]:
        """What each agent in `since` read after that moment while nobody asked, oldest first."""
        return self._run(self._history(since))

    def poll(self, answered: Callable[[Snapshot], None]) -> list[Snapshot]:
        """A snapshot of every server; `answered` is told of each that is no failure as it arrives."""
        return self._run(self._poll(answered))

    def close(self) -> None:
        self._run(self._open.aclose())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._loop.close()
        for sampler in self._samplers:
            sampler.close()

    def _run(self, work: Coroutine[Any, Any, Answer]) -> Answer:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _remote(self, servers: Sequence[Server]) -> "dict[str, RemoteAgent]":
        remote = [server for server in servers if not server.is_here]
        if not remote:
            return {}
        from backend.servers.agent_client import RemoteAgent  # noqa: PLC0415 - httpx takes 0.2 s to import

        certificates = ssl.create_default_context()
        agents = {server.name: RemoteAgent(server, certificates) for server in remote}
        for agent in agents.values():
            self._open.push_async_callback(agent.close)
        return agents

    async def _history(self, since: Mapping[str, datetime]) -> list[list[Snapshot]]:
        async def read(agent: "RemoteAgent", after: datetime) -> list[Snapshot]:
            async with self._places:
                return await agent.history(after)

        return await asyncio.gather(*(read(self._agents[name], after) for name, after in since.items()))

    async def _poll(self, answered: Callable[[Snapshot], None]) -> list[Snapshot]:
        async def told(ask: Callable[[], Awaitable[Snapshot]]) -> Snapshot:
            async with self._places:
                snapshot = await ask()
            if not snapshot.failure:
                answered(snapshot)
            return snapshot

        snapshots = await asyncio.gather(*(told(ask) for ask in self._ask))
        here, remote = snapshots[: len(self._samplers)], snapshots[len(self._samplers) :]
        if len(remote) > 1 and all(snapshot.failure is Failure.UNREACHABLE for snapshot in remote):
            remote = [snapshot.model_copy(update=_NOBODY) for snapshot in remote]
        return [*here, *remote]
