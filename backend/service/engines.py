"""The engine of each server that jobs run on."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from backend.jobs.engines import Engine
from backend.jobs.engines.local import LocalEngine
from backend.servers.server import Server
from backend.settings import Home, RaySettings

if TYPE_CHECKING:
    from backend.jobs.engines.ray import RayEngine


class Engines(Mapping[str, Engine]):
    """Engines by the name of the server, as servers.toml is now. Safe to use from several threads."""

    def __init__(self, home: Home, settings: RaySettings | None, servers: Mapping[str, Server]) -> None:
        self._home = home
        self._settings = settings
        self._servers = servers
        self._local = LocalEngine(home.runs, self._environments_here)
        self._making = threading.Lock()
        self.ray_fault = ""
        """Why Ray gave no usable answer when it was last asked; empty where it did."""
        self._rays: list[tuple[list[Server], RayEngine]] = []
        """Engines for the servers that were there at some time; what an older one does still ends well."""

    def __getitem__(self, name: str) -> Engine:
        server = self._servers[name]
        if server.is_here:
            return self._local
        if not server.ray or self._settings is None:
            raise KeyError(name)
        return self._ray(self._settings)

    def __iter__(self) -> Iterator[str]:
        return iter([server.name for server in self._servers.values() if server.trains])

    def __len__(self) -> int:
        return len(list(iter(self)))

    def ask_ray(self) -> None:
        """Notes whether Ray answers."""
        if self._settings and any(server.ray for server in self._servers.values()):
            self.ray_fault = self._ray(self._settings).ask_ray()

    def close(self) -> None:
        for _, engine in self._rays:
            engine.close()
        self._local.close()

    def _environments_here(self) -> Mapping[str, str]:
        return next((server.environments for server in self._servers.values() if server.is_here), {})

    def _ray(self, settings: RaySettings) -> RayEngine:
        from backend.jobs.engines.ray import RayEngine

        remote = [server for server in self._servers.values() if server.ray]
        with self._making:
            if not self._rays or self._rays[-1][0] != remote:
                self._rays.append((remote, RayEngine(settings, self._home.path, self._home.runs, remote)))
            return self._rays[-1][1]
