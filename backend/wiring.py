"""The one place where real parts are chosen and joined."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import _lru_cache_wrapper, cache
from typing import TYPE_CHECKING

import sqlalchemy as sa

from backend.app import Parts
from backend.database import open_database
from backend.display import Display
from backend.engines import Engine
from backend.engines.local import LocalEngine
from backend.errors import InvalidError
from backend.fine_tuning import FineTuning
from backend.history import History
from backend.identity import Identify
from backend.maintenance import Maintenances
from backend.notifier import Notifier
from backend.probe.sampler import Sampler
from backend.publisher import Publisher
from backend.reservations import Reservations
from backend.schedule import Schedule
from backend.server import Server, read_servers
from backend.settings import GoogleSettings, Home, PeopleSettings, Settings
from backend.sheets.workbook import Workbook
from backend.snapshot import ServerStatus
from backend.status import Status
from backend.store import Store
from backend.training import Training
from backend.troubles import Troubles

if TYPE_CHECKING:
    from backend.sheets.google.sheet import GoogleSheet


@dataclass(frozen=True)
class Sheetrack:
    """All parts, joined. Nothing runs by itself before `schedule` is started."""

    home: Home
    settings: Settings
    servers: dict[str, Server]
    database: sa.Engine
    store: Store
    workbook: Workbook
    google: "_lru_cache_wrapper[GoogleSheet] | None"
    """Opens the lab's Google sheet, once."""
    publisher: Publisher
    maintenances: Maintenances
    status: Status
    history: History
    troubles: Troubles
    reservations: Reservations | None
    notifier: Notifier | None
    engines: dict[str, Engine]
    display: Display
    training: Training
    fine_tuning: FineTuning
    schedule: Schedule

    def close(self) -> None:
        """Lets go of the store and the sensors. Trainings go on."""
        self.status.close()
        for engine in self.engines.values():
            engine.close()
        if self.google and self.google.cache_info().currsize:
            self.google().close()
        self.database.dispose()

    def current_servers(self) -> Sequence[ServerStatus]:
        """Every server as it is now, with who has reserved it."""
        servers = self.status.current()
        return self.reservations.shown_on(servers) if self.reservations else servers

    def sheet_troubles(self) -> list[str]:
        """What keeps the sheets from showing all that is known, in sentences."""
        troubles = [self.publisher.trouble, self.reservations.trouble if self.reservations else ""]
        return [trouble for trouble in dict.fromkeys(troubles) if trouble]

    @property
    def parts(self) -> Parts:
        return Parts(
            home=self.home,
            settings=self.settings,
            store=self.store,
            history=self.history,
            troubles=self.troubles,
            training=self.training,
            fine_tuning=self.fine_tuning,
            tabs=self.workbook,
            maintenances=self.maintenances,
            notifier=self.notifier,
            current_servers=self.current_servers,
            sheet_troubles=self.sheet_troubles,
            identify=_identity(self.settings.people) if self.settings.people else None,
            refresh=self.schedule.refresh,
        )


def build(home: Home | None = None) -> Sheetrack:
    """Raises: SheetrackError: the settings, the servers or the store cannot be read."""
    home = home or Home()
    settings = home.settings()
    servers = read_servers(home)
    database = open_database(home.store_file)
    store = Store(database)
    workbook = Workbook(database, home.peoples_tabs)
    chosen = settings.google
    google = cache(lambda: open_google(home, chosen)) if chosen else None
    publisher = Publisher(store, workbook, google)
    reservations = None
    if settings.reservations:
        reservations = Reservations(google or (lambda: workbook), settings.reservations)
    maintenances = Maintenances(database, servers)
    status = Status(
        list(servers.values()),
        store,
        interval_seconds=settings.refresh_seconds,
        sampler=lambda name: Sampler(name, home.path),
        maintenance=maintenances.known,
    )
    history = History(database, store, list(servers), settings.refresh_seconds)
    troubles = Troubles(database)
    notifier = Notifier(database, settings.notify, home.path) if settings.notify else None
    engines = _engines(home, settings, servers)
    display = Display(home, store, publisher, settings.run_tabs)
    training = Training(
        home=home,
        servers=servers,
        engines=engines,
        store=store,
        display=display,
        verdict_of=status.verdict_of,
        reserved_against=reservations.against if reservations else None,
    )
    return Sheetrack(
        home=home,
        settings=settings,
        servers=servers,
        database=database,
        store=store,
        workbook=workbook,
        google=google,
        publisher=publisher,
        maintenances=maintenances,
        status=status,
        history=history,
        troubles=troubles,
        reservations=reservations,
        notifier=notifier,
        engines=engines,
        display=display,
        training=training,
        fine_tuning=FineTuning(servers, store, training, display),
        schedule=Schedule(
            settings,
            store=store,
            status=status,
            history=history,
            troubles=troubles,
            training=training,
            publisher=publisher,
            reservations=reservations,
            notifier=notifier,
        ),
    )


def _engines(home: Home, settings: Settings, servers: dict[str, Server]) -> dict[str, Engine]:
    """By the server's name; a server without one is only watched.

    Raises:
        InvalidError: a server trains through Ray, and there is no Ray.
    """
    local = LocalEngine(home.runs)
    engines: dict[str, Engine] = {server.name: local for server in servers.values() if server.is_here}
    if far := [server for server in servers.values() if server.ray]:
        if settings.ray is None:
            raise InvalidError(
                f"{far[0].name} trains through Ray, and {home.settings_file} names no Ray.",
                "Add [ray] with its address there, as deploy/settings.toml shows.",
            )
        from backend.engines.ray import RayEngine  # noqa: PLC0415 - httpx takes 0.2 s to import

        ray = RayEngine(settings.ray, home.path, home.runs, far)
        engines |= dict.fromkeys((server.name for server in far), ray)
    return engines


def open_google(home: Home, settings: GoogleSettings) -> "GoogleSheet":
    """The lab's Google sheet. Nothing is sent yet.

    Raises:
        InvalidError: Google's libraries or the service account's key are missing.
    """
    # Half a second of imports that only labs with Google need, and only some have installed.
    with _googles_packages():
        from backend.sheets.google.api import GoogleApi  # noqa: PLC0415
        from backend.sheets.google.sheet import GoogleSheet  # noqa: PLC0415
    return GoogleSheet(GoogleApi(settings, home.path))


def _identity(people: PeopleSettings) -> Identify:
    with _googles_packages():
        from backend.google_identity import GoogleIdentity  # noqa: PLC0415
    return GoogleIdentity(people).person


@contextmanager
def _googles_packages() -> Iterator[None]:
    try:
        yield
    except ModuleNotFoundError as error:
        raise InvalidError(
            f"Google needs a package that is not installed: {error.name}.",
            "Run: pip install 'sheetrack[google]'",
        ) from None
