"""This machine, read at each call."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from backend.probe.machine import Machine
from backend.probe.snapshot import Snapshot
from backend.times import now


class Sampler:
    """One for the whole process, safe to use from several threads; costs as `Machine` says."""

    def __init__(self, server: str, home: Path) -> None:
        """`home` is Sheetrack's own folder, whose disk counts."""
        self._server = server
        self._machine = Machine(home, home / "data", _host_without_proc())

    def sample(self) -> Snapshot:
        """The machine as it is now. Takes about half a second at worst."""
        return Snapshot.model_validate({"server": self._server, "at": now(), **self._machine.read()})

    def close(self) -> None:
        self._machine.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _host_without_proc() -> Callable[[], dict[str, Any]] | None:
    """What reads the host where there is no /proc; None: there is one."""
    if Path("/proc/meminfo").exists():
        return None
    from backend.probe.without_proc import read_host  # noqa: PLC0415 - psutil costs memory that others keep

    return read_host
