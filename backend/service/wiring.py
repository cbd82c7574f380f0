"""The one place where real parts are chosen and joined. Each is imported when it is first used."""

from __future__ import annotations

import weakref
from collections.abc import Mapping, Sequence
from functools import cached_property, partial
from typing import TYPE_CHECKING

import sqlalchemy as sa

from backend.database import open_database
from backend.errors import InvalidError
from backend.servers.server import Server
from backend.servers.server_list import Servers
from backend.service.google import google_identity, open_google
from backend.service.lab_sheet import LabSheet
from backend.service.lock import is_served
from backend.settings import Home
from backend.tabs.names import NOTES, SERVERS
from backend.times import now

if TYPE_CHECKING:
    from backend.api.identity import Identify
    from backend.api.pairing import Pairing
    from backend.jobs.logs import Logs
    from backend.jobs.marks import Marks
    from backend.jobs.queue import Queue
    from backend.jobs.results import Results
    from backend.jobs.run_bin import RunBin
    from backend.jobs.standings import Standings
    from backend.jobs.store import JobStore
    from backend.jobs.sweeps import Sweeps
    from backend.notifications.notifier import Notifier
    from backend.servers.history import History
    from backend.servers.incidents import Incidents
    from backend.servers.known_gpus import KnownGpus
    from backend.servers.maintenance import Maintenances
    from backend.servers.readings import Readings
    from backend.servers.reservations import Reservations
    from backend.servers.state import ServerStatus
    from backend.servers.status import Status
    from backend.service.disk_watch import DiskWatch
    from backend.service.engines import Engines
    from backend.service.periodic import Periodic
    from backend.sheets.workbook import Workbook
    from backend.tabs.display import Display
    from backend.tabs.outbox import Outbox
    from backend.tabs.publisher import Publisher
    from backend.tabs.refresh import Refresh
    from backend.tabs.sheet_notes import SheetNotes


class Sheetrack:
    """All parts, each made when it is first used. Nothing runs before `periodic` is started.

    Raises:
        InvalidError: the settings or the servers cannot be read, or contradict each other.
    """

    def __init__(self, home: Home | None = None) -> None:
        self.home = home or Home()
        self.settings_text = self.home.settings_text()  # before they are read: a later change is noticed
        self.settings = self.home.settings()
        self.home.make()
        self.serves = False
        """Whether this process holds the lock of the home."""
        self.servers = Servers(self.home, self._check)
        known = self.settings.google
        self.google = LabSheet(partial(open_google, self.home, known) if known else None)
        self.settings_error = ""
        """Why settings.toml as it is now is not used."""

    def _check(self, servers: Mapping[str, Server]) -> None:
        through_ray = [server.name for server in servers.values() if server.ray]
        if through_ray and self.settings.ray is None:
            raise InvalidError(
                f"{through_ray[0]} trains through Ray, and {self.home.settings_file} names no Ray.",
                "Add [ray] with its address there, as deploy/settings.toml shows.",
            )

    @cached_property
    def database(self) -> sa.Engine:
        database = open_database(
            self.home.store_file, is_served=lambda: not self.serves and is_served(self.home)
        )
        # A command does not close it; the end of a process needs no help.
        weakref.finalize(self, database.dispose).atexit = False
        return database

    @cached_property
    def pairing(self) -> Pairing:
        from backend.api.pairing import Pairing
        from backend.service.add_on import let_in

        return Pairing(partial(let_in, self.home))

    @cached_property
    def readings(self) -> Readings:
        from backend.servers.readings import Readings

        return Readings(self.database)

    @cached_property
    def jobs(self) -> JobStore:
        from backend.jobs.store import JobStore

        return JobStore(self.database)

    @cached_property
    def standings(self) -> Standings:
        from backend.jobs.standings import Standings

        return Standings(self.database, self.jobs)

    @cached_property
    def outbox(self) -> Outbox:
        from backend.tabs.outbox import Outbox

        return Outbox(self.database)

    @cached_property
    def workbook(self) -> Workbook:
        from backend.sheets.workbook import Workbook

        return Workbook(self.database, self.home.peoples_tabs, SERVERS)

    @cached_property
    def publisher(self) -> Publisher:
        from backend.tabs.publisher import Publisher

        return Publisher(self.outbox, self.workbook, self.google if self.settings.google else None)

    @cached_property
    def maintenances(self) -> Maintenances:
        from backend.servers.maintenance import Maintenances

        return Maintenances(self.database, self.servers)

    @cached_property
    def known_gpus(self) -> KnownGpus:
        from backend.servers.known_gpus import KnownGpus

        return KnownGpus(self.database)

    @cached_property
    def status(self) -> Status:
        from backend.probe.sampler import Sampler
        from backend.servers.status import Status

        return Status(
            list(self.servers.values()),
            self.readings,
            interval_seconds=self.settings.refresh_seconds,
            sampler=lambda name: Sampler(name, self.home.path),
            maintenance=self.maintenances.known,
            known_gpus=self.known_gpus,
            held=lambda: self.history.gpus.held(now()),
        )

    @cached_property
    def history(self) -> History:
        from backend.servers.history import History

        reserved = [self.reservations.of] if self.reservations else []
        return History(self.database, self.readings, self.servers, self.settings.refresh_seconds, *reserved)

    @cached_property
    def incidents(self) -> Incidents:
        from backend.servers.incidents import Incidents

        return Incidents(self.database)

    @cached_property
    def reservations(self) -> Reservations | None:
        if self.settings.reservations is None:
            return None
        from backend.servers.reservations import Reservations

        return Reservations(
            self.google if self.settings.google else lambda: self.workbook,
            self.settings.reservations,
            self.servers,
        )

    @cached_property
    def notifier(self) -> Notifier | None:
        if self.settings.notify is None:
            return None
        from backend.notifications.notifier import Notifier

        return Notifier(self.database, self.settings.notify, self.home.path)

    @cached_property
    def disk_watch(self) -> DiskWatch:
        from backend.service.disk_watch import DiskWatch

        warn = self.notifier.warn if self.notifier else None
        return DiskWatch(
            self.home, self.database, warn, self.settings.notify.hold_seconds if self.settings.notify else 0
        )

    @cached_property
    def engines(self) -> Engines:
        """By the server's name; a server without one is only watched."""
        from backend.service.engines import Engines

        return Engines(self.home, self.settings.ray, self.servers)

    @cached_property
    def display(self) -> Display:
        from backend.tabs.display import Display

        return Display(
            self.home,
            self.jobs,
            self.publisher,
            self.workbook,
            self.settings.run_tabs,
            unreadable=lambda: self.results.broken(),  # noqa: PLW0108 - the results need the display first
            sweeps=self.standings.views,
            marks=self.sheet_notes.marks,
            takes_jobs=self.takes_jobs,
        )

    def takes_jobs(self) -> list[str]:
        """The servers that jobs can run on."""
        return [server.name for server in self.servers.values() if server.trains]

    @cached_property
    def sheet_notes(self) -> SheetNotes:
        from backend.tabs.sheet_notes import SheetNotes

        return SheetNotes(
            self.database,
            self.google if self.settings.google else lambda: self.workbook,
            NOTES if self.settings.google else f"{NOTES}.csv",
            self.marks.all,
            lambda changed: self.display.show_results(changed),  # noqa: PLW0108 - the display needs the notes first
        )

    @cached_property
    def marks(self) -> Marks:
        from backend.jobs.marks import Marks

        return Marks(self.database, lambda changed: self.display.show_results(changed))  # noqa: PLW0108 - as above

    @cached_property
    def run_bin(self) -> RunBin:
        from backend.jobs.run_bin import RunBin

        return RunBin(
            self.home,
            self.jobs,
            self.results,
            lambda changed: self.display.show_results(changed),  # noqa: PLW0108 - imported then
        )

    @cached_property
    def results(self) -> Results:
        from backend.jobs.results import Results

        return Results(
            self.home,
            self.servers,
            self.jobs,
            on_results_changed=lambda changed: self.display.show_results(changed),  # noqa: PLW0108 - imported then
        )

    @cached_property
    def queue(self) -> Queue:
        from backend.jobs.queue import Queue

        return Queue(
            home=self.home,
            servers=self.servers,
            engines=self.engines,
            store=self.jobs,
            results=self.results,
            status_of=self.status.status_of,
            on_jobs_changed=self.display.show_jobs,
            look_at=self.status.look_at,
            others_hold=self.reservations.others_hold if self.reservations else None,
        )

    @cached_property
    def logs(self) -> Logs:
        from backend.jobs.logs import Logs

        return Logs(self.home, self.engines, self.jobs)

    @cached_property
    def sweeps(self) -> Sweeps:
        from backend.jobs.sweeps import Sweeps

        return Sweeps(
            self.servers,
            store=self.jobs,
            queue=self.queue,
            results=self.results,
            standings=self.standings,
            on_jobs_changed=self.display.show_jobs,
        )

    @cached_property
    def refresh(self) -> Refresh:
        from backend.tabs.refresh import Refresh

        return Refresh(
            self.servers,
            self.status,
            self.incidents,
            self.reservations,
            self.publisher,
            on_refreshed=self._notify if self.notifier else None,
            settings_error=lambda: self.settings_error,
            faults=lambda: [self.disk_watch.fault, self.engines.ray_fault],
        )

    def _notify(self, servers: Sequence[ServerStatus]) -> None:
        from backend.tabs.display import SHOWN_FINISHED_JOBS

        if self.notifier:
            jobs = [*self.jobs.unfinished_jobs(), *self.jobs.finished_jobs(SHOWN_FINISHED_JOBS)]
            self.notifier.follow(servers, jobs, ray_fault=self.engines.ray_fault, sweeps=self.jobs.sweeps())

    @cached_property
    def periodic(self) -> Periodic:
        from backend.service.periodic import Periodic

        return Periodic(
            self.settings,
            refresh=self.refresh,
            readings=self.readings,
            history=self.history,
            incidents=self.incidents,
            queue=self.queue,
            sweeps=self.sweeps,
            results=self.results,
            display=self.display,
            publisher=self.publisher,
            reservations=self.reservations,
            sheet_notes=self.sheet_notes,
            notifier=self.notifier,
            copy_store=self.copy_store,
            ask_ray=self.engines.ask_ray,
            disk_watch=self.disk_watch,
        )

    def copy_store(self) -> None:
        """Copies the store, once a day."""
        from backend.service.store_copies import keep_daily_copy

        keep_daily_copy(self.database, self.home.store_file, now().date())

    @cached_property
    def identify(self) -> Identify | None:
        """Who sent a token to the public address; None: there is no such address."""
        return google_identity(self.settings.people) if self.settings.people else None

    def close(self) -> None:
        """Closes the database and the sensors. Jobs continue."""
        self.google.leave()
        self.status.close()
        self.engines.close()
        self.database.dispose()
