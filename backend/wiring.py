"""The one place where real parts are chosen and joined."""

from dataclasses import dataclass

import sqlalchemy as sa

from backend.app import Parts
from backend.database import open_database
from backend.engines import Engine
from backend.engines.local import LocalEngine
from backend.probe.sampler import Sampler
from backend.publisher import Publisher
from backend.schedule import Schedule
from backend.server import Server, read_servers
from backend.settings import Home, Settings
from backend.sheets.workbook import Workbook
from backend.status import Status
from backend.store import Store
from backend.training import Training


@dataclass(frozen=True)
class Sheetrack:
    """All parts, joined. Nothing runs by itself before `schedule` is started."""

    home: Home
    settings: Settings
    servers: dict[str, Server]
    database: sa.Engine
    store: Store
    workbook: Workbook
    publisher: Publisher
    status: Status
    engines: dict[str, Engine]
    training: Training
    schedule: Schedule

    def close(self) -> None:
        """Lets go of the store and the sensors. Trainings go on."""
        self.status.close()
        self.database.dispose()

    @property
    def parts(self) -> Parts:
        return Parts(
            home=self.home,
            settings=self.settings,
            store=self.store,
            training=self.training,
            tabs=self.workbook,
            current_servers=self.status.current,
        )


def build(home: Home | None = None) -> Sheetrack:
    """Raises: SheetrackError: the settings, the servers or the store cannot be read."""
    home = home or Home()
    settings = home.settings()
    servers = read_servers(home)
    database = open_database(home.store_file)
    store = Store(database)
    workbook = Workbook(database)
    publisher = Publisher(store, workbook)
    status = Status(
        list(servers.values()),
        store,
        interval_seconds=settings.refresh_seconds,
        sampler=lambda name: Sampler(name, home.path),
    )
    local = LocalEngine(home.runs)
    engines: dict[str, Engine] = {server.name: local for server in servers.values() if server.is_here}
    training = Training(
        home=home,
        servers=servers,
        engines=engines,
        store=store,
        publisher=publisher,
        verdict_of=status.verdict_of,
        run_tabs=settings.run_tabs,
    )
    return Sheetrack(
        home=home,
        settings=settings,
        servers=servers,
        database=database,
        store=store,
        workbook=workbook,
        publisher=publisher,
        status=status,
        engines=engines,
        training=training,
        schedule=Schedule(settings, store, status, training, publisher),
    )
