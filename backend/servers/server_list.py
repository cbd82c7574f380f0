"""The lab's servers as `servers.toml` names them now, read again when the file changes."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping

from backend.errors import InvalidError
from backend.servers.server import Server, read_servers
from backend.settings import Home

_STAY = "Until that is done the servers stay as they were."
_SETTLED_SECONDS = 1.0
"""A file that changed later than that may still be written."""


class Servers(Mapping[str, Server]):
    """Servers by name, in the order of the file. Safe to use from several threads."""

    def __init__(self, home: Home, check: Callable[[Mapping[str, Server]], None] = lambda _: None) -> None:
        """`check` raises InvalidError where the servers contradict other settings.

        Raises:
            InvalidError: the file cannot be understood, or `check` refuses it.
        """
        self._home = home
        self._check = check
        self._refreshing = threading.Lock()
        self._stamp = self._stamp_now()
        self._known = self._read()
        self.error = ""
        """Why the file is not followed now, empty if it is."""

    def __getitem__(self, name: str) -> Server:
        return self._known[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)

    def refresh(self) -> bool:
        """Reads the file again if it has changed; returns whether any server changed.

        A file that cannot be understood changes nothing, and `error` has the reason.
        """
        with self._refreshing:
            stamp = self._stamp_now()
            if stamp == self._stamp or (stamp and abs(time.time() - stamp[0] / 1e9) < _SETTLED_SECONDS):
                return False
            before, self._stamp = self._known, stamp
            if stamp is None:
                self.error = f"{self._home.servers_file} is gone. {_STAY}"
                return False
            try:
                self._known = self._read()
            except InvalidError as error:
                self.error = f"{error} {_STAY}"
            else:
                self.error = ""
            return self._known != before

    def _read(self) -> dict[str, Server]:
        servers = read_servers(self._home)
        self._check(servers)
        return servers

    def _stamp_now(self) -> tuple[int, int, int] | None:
        """Differs after each change of the file; None without a file."""
        try:
            facts = self._home.servers_file.stat()
        except OSError:
            return None
        return facts.st_mtime_ns, facts.st_size, facts.st_ino
