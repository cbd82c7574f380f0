"""All GPUs that each server ever had, so that one that is missing is told as missing."""

from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from backend.probe.snapshot import GpuReading, Snapshot
from backend.servers.state import KnownGpu

_MOST = 128
"""Of one server: an agent that names others each time fills no store."""

_KNOWN_GPUS = sa.table(
    "known_gpus",
    sa.column("server", sa.Text),
    sa.column("uuid", sa.Text),
    sa.column("index", sa.Integer),
    sa.column("name", sa.Text),
)


class KnownGpus:
    """Safe to use from several threads and processes."""

    def __init__(self, database: sa.Engine) -> None:
        self._database = database
        self._reading = database.execution_options(reading=True)
        self.changes = 0
        """How often this object changed them; what another process changes shows in `by_server` alone."""
        self._read: tuple[Sequence[sa.Row[Any]], dict[str, list[KnownGpu]]] = ([], {})

    def by_server(self) -> dict[str, list[KnownGpu]]:
        """The GPUs of each server that had any, by their index. Not to be changed."""
        query = sa.select(_KNOWN_GPUS).order_by(_KNOWN_GPUS.c.index)
        with self._reading.connect() as connection:
            rows = connection.execute(query).all()
        before, found = self._read
        if rows != before:  # they seldom change, and are asked for at every request
            found = {}
            for row in rows:
                gpu = KnownGpu(index=row.index, uuid=row.uuid, name=row.name)
                found.setdefault(row.server, []).append(gpu)
            self._read = rows, found
        return found

    def note(self, snapshots: Iterable[Snapshot]) -> None:
        """Adds GPUs that were not known. Without a change it writes nothing."""
        known, rows = self.by_server(), []
        for snapshot in snapshots:
            ours = {gpu.uuid: gpu for gpu in known.get(snapshot.server, ())}
            new = [row for gpu in snapshot.gpus or () if (row := _row(snapshot.server, gpu, ours))]
            rows += new[: max(0, _MOST - len(ours))]
        if not rows:
            return
        added = insert(_KNOWN_GPUS)
        newest = {"index": added.excluded.index, "name": added.excluded.name}
        with self._database.begin() as connection:
            connection.execute(added.on_conflict_do_update(["server", "uuid"], set_=newest), rows)
        self.changes += 1

    def forget(self, server: str, gpus: Sequence[KnownGpu]) -> None:
        """Forgets GPUs that a person confirmed to be gone."""
        uuids = [gpu.uuid for gpu in gpus]
        with self._database.begin() as connection:
            connection.execute(
                sa.delete(_KNOWN_GPUS).where(_KNOWN_GPUS.c.server == server, _KNOWN_GPUS.c.uuid.in_(uuids))
            )
        self.changes += 1


def _row(server: str, gpu: GpuReading, known: dict[str, KnownGpu]) -> dict[str, object] | None:
    """What to store of a GPU; None: it is known as it is, or has no UUID now."""
    before = known.get(gpu.uuid or "")
    if not gpu.uuid or (before and before.index == gpu.index and before.name == (gpu.name or before.name)):
        return None
    return {"server": server, "uuid": gpu.uuid, "index": gpu.index, "name": gpu.name}
