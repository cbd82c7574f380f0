"""All servers read at once. What goes wrong with one of them is that server's failure."""

import asyncio
import logging
import ssl
import threading
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, TypeVar

from backend.probe.sampler import Sampler
from backend.probe.snapshot import Failure, Snapshot
from backend.servers.server import Server
from backend.servers.ssh_client import SshServer
from backend.times import now

if TYPE_CHECKING:
    from backend.servers.agent_client import RemoteAgent

Answer = TypeVar("Answer")

log = logging.getLogger(__name__)

_NAMES_OF_A_SERVER = 4  # look-ups that may hang together, so that no server waits for another one's
_LEAST_NAMES = 32
_SERVERS_AT_ONCE = 128  # more would wait for this processor, and that would count as their silence

_ROUNDS_TOGETHER = 2
"""Servers whose last answers lie in so many rounds have fallen silent together."""
_SILENT = (Failure.UNREACHABLE, Failure.AGENT_DOWN)
_NO_SERVER_ANSWERS = {
    "failure": Failure.MONITOR,
    "failure_text": "no server is reachable (probably our own network)",
}


class Poller:
    """Reads servers repeatedly, over connections that are kept, in its own event loop."""

    def __init__(self, servers: Sequence[Server], sampler: Callable[[str], Sampler]) -> None:
        self._loop = asyncio.new_event_loop()
        # The loop looks up names in its default threads. A name server may hang for minutes, so nothing else
        # runs there, and they are not waited for when a round is over.
        self._names = ThreadPoolExecutor(max(_LEAST_NAMES, _NAMES_OF_A_SERVER * len(servers)))
        self._loop.set_default_executor(self._names)
        self._threads = ThreadPoolExecutor()
        self._thread = threading.Thread(target=self._loop.run_forever, name="poller", daemon=True)
        self._thread.start()
        self._make_sampler = sampler
        self._samplers: dict[str, Sampler] = {}
        self._faults: dict[str, str] = {}
        """The unexpected exception of a server, as far as it is in the log."""
        self._round = 0
        self._answered_in: dict[str, int] = {}
        """The last round in which each server was no failure."""
        self._places = asyncio.Semaphore(_SERVERS_AT_ONCE)
        self._servers: dict[str, Server] = {}
        self._readers: dict[str, RemoteAgent | SshServer] = {}
        self.follow(servers)

    def start_here(self) -> bool:
        """Starts to measure this machine, whose CPU use is not known at once; False if it is not read."""
        for name in self._here():
            try:
                self._sampler_of(name)
            except Exception as error:  # noqa: BLE001 - the next poll makes it this machine's failure
                self._report(name, error)
        return bool(self._here())

    def follow(self, servers: Sequence[Server]) -> None:
        """Reads these servers from now on; connections to those that stay as they were are kept."""
        self._run(self._follow(servers))
        for name in self._samplers.keys() - set(self._here()):
            self._samplers.pop(name).close()

    def history(self, since: Mapping[str, datetime]) -> list[list[Snapshot]]:
        """What each agent in `since` read after that moment, oldest first."""
        return self._run(self._history(since))

    def poll(self, answered: Callable[[Snapshot], None]) -> list[Snapshot]:
        """A snapshot of every server; `answered` is called with each that is no failure as it arrives."""
        return self._run(self._poll(answered))

    def poll_one(self, name: str) -> Snapshot:
        """A snapshot of one server, whatever the other ones do."""
        return self._run(self._poll_one(name))

    def close(self) -> None:
        self._run(self._follow([]))
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._names.shutdown(wait=False, cancel_futures=True)
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._loop.close()
        for sampler in self._samplers.values():
            sampler.close()

    def _run(self, work: Coroutine[Any, Any, Answer]) -> Answer:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _follow(self, servers: Sequence[Server]) -> None:
        before, self._servers = self._servers, {server.name: server for server in servers}
        others = [name for name in self._readers if self._servers.get(name) != before[name]]
        await asyncio.gather(*(self._readers.pop(name).close() for name in others))
        for name, server in self._servers.items():
            if not server.is_here and name not in self._readers:
                self._readers[name] = self._reader(server)

    def _here(self) -> list[str]:
        return [name for name, server in self._servers.items() if server.is_here]

    def _reader(self, server: Server) -> "RemoteAgent | SshServer":
        if server.over_ssh:
            return SshServer(server)
        from backend.servers.agent_client import RemoteAgent  # noqa: PLC0415 - httpx takes 0.2 s to import

        return RemoteAgent(server, self._certificates, self._threads)

    @cached_property
    def _certificates(self) -> ssl.SSLContext:
        return ssl.create_default_context()

    async def _history(self, since: Mapping[str, datetime]) -> list[list[Snapshot]]:
        async def read(name: str, after: datetime) -> list[Snapshot]:
            async with self._places:
                try:
                    return await self._readers[name].history(after)
                except Exception as error:  # noqa: BLE001 - whatever one agent causes costs its history alone
                    self._report(name, error)
                    return []

        return await asyncio.gather(*(read(name, after) for name, after in since.items()))

    async def _poll_one(self, name: str) -> Snapshot:
        reader = self._readers.get(name)
        return await self._read(
            name, reader.sample if reader else partial(self._sample_here, name), lambda _: None
        )

    async def _read(
        self, name: str, ask: Callable[[], Awaitable[Snapshot]], answered: Callable[[Snapshot], None]
    ) -> Snapshot:
        async with self._places:
            try:
                snapshot = await ask()
                if not snapshot.failure:
                    answered(snapshot)
            except Exception as error:  # noqa: BLE001 - whatever one server causes costs its reading alone
                return self._report(name, error)
        return snapshot

    async def _sample_here(self, name: str) -> Snapshot:
        return await self._loop.run_in_executor(self._threads, lambda: self._sampler_of(name).sample())

    async def _poll(self, answered: Callable[[Snapshot], None]) -> list[Snapshot]:
        local = self._here()
        asked = [
            *(self._read(name, partial(self._sample_here, name), answered) for name in local),
            *(self._read(name, reader.sample, answered) for name, reader in self._readers.items()),
        ]
        snapshots = await asyncio.gather(*asked)
        here, remote = snapshots[: len(local)], snapshots[len(local) :]
        if self._is_our_own_network(remote):
            remote = [snapshot.model_copy(update=_NO_SERVER_ANSWERS) for snapshot in remote]
        return [*here, *remote]

    def _is_our_own_network(self, remote: Sequence[Snapshot]) -> bool:
        """Whether all other machines are silent since the same moment, in whatever way.

        A tunnel that has died refuses connections, though the agent behind it lives. Servers that never
        answered are no evidence, unless their machines cannot be reached either.
        """
        answering = [snapshot.server for snapshot in remote if snapshot.failure not in _SILENT]
        if answering or not remote:
            self._round += 1
            self._answered_in.update(dict.fromkeys(answering, self._round))
            return False
        together = sum(
            self._round - self._answered_in.get(snapshot.server, -_ROUNDS_TOGETHER) < _ROUNDS_TOGETHER
            for snapshot in remote
        )
        is_unreachable = all(snapshot.failure is Failure.UNREACHABLE for snapshot in remote)
        return together > 1 or (is_unreachable and len(remote) > 1 and not self._answered_in)

    def _sampler_of(self, name: str) -> Sampler:
        if name not in self._samplers:
            self._samplers[name] = self._make_sampler(name)
        return self._samplers[name]

    def _report(self, name: str, error: Exception) -> Snapshot:
        """The failure that an unexpected `error` is. It is logged when it is new, not in every round."""
        fault = type(error).__name__
        if self._faults.get(name) != fault:
            self._faults[name] = fault
            log.error("%s cannot be read", name, exc_info=error)
        return Snapshot(
            server=name,
            at=now(),
            failure=Failure.BROKEN,
            failure_text=f"cannot be read ({fault}, see the backend's log)",
        )
