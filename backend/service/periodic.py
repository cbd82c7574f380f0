"""The periodic jobs and their intervals. One that fails is logged and runs again; it stops no other."""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

from backend.jobs.queue import Queue
from backend.jobs.results import Results
from backend.jobs.sweeps import Sweeps
from backend.notifications.holders import held_texts
from backend.notifications.notifier import Notifier
from backend.servers.history import KEPT, History
from backend.servers.incidents import Incidents
from backend.servers.readings import Readings
from backend.servers.reservations import Reservations
from backend.servers.week import WEEK
from backend.service.disk_watch import DiskWatch
from backend.service.timers import Timers
from backend.settings import Settings
from backend.tabs.display import Display
from backend.tabs.publisher import Publisher
from backend.tabs.refresh import Refresh
from backend.tabs.report import report_text
from backend.tabs.sheet_notes import SheetNotes
from backend.times import floor, iso, now

_HOUR = 3600
_WEEKS = 8
"""How many the report shows."""
_FIRST_MONDAY = timedelta(days=4)  # of 1970


class Periodic:
    def __init__(
        self,
        settings: Settings,
        *,
        refresh: Refresh,
        readings: Readings,
        history: History,
        incidents: Incidents,
        queue: Queue,
        sweeps: Sweeps,
        results: Results,
        display: Display,
        publisher: Publisher,
        reservations: Reservations | None,
        sheet_notes: SheetNotes,
        notifier: Notifier | None,
        copy_store: Callable[[], None],
        ask_ray: Callable[[], None],
        disk_watch: DiskWatch,
    ) -> None:
        self._refresh = refresh
        self._readings = readings
        self._history = history
        self._incidents = incidents
        self._queue = queue
        self._sweeps = sweeps
        self._display = display
        self._half_interval = settings.refresh_seconds / 2
        self._notifier = notifier
        self._events = settings.notify.events if settings.notify else ()
        self._readings_kept = timedelta(days=settings.history_days)
        self._timers = Timers()
        every = self._timers.every
        every(settings.refresh_seconds, refresh, after=0, pause=self.until_refresh, name="Refresh")
        every(1, partial(queue.advance, wait_seconds=0.5), name="Queue.advance")
        every(1, sweeps.advance)
        every(30, results.collect, after=0)
        every(5, publisher.flush)
        every(15, ask_ray, after=0)
        every(15, disk_watch.look, after=0)
        # At first, the tabs show what an earlier backend left; later this draws again what could not be drawn.
        every(_HOUR, display.show_jobs, after=0)
        every(_HOUR, display.show_results, after=0)
        if reservations:
            every(60, reservations.refresh, after=0)
        every(60, sheet_notes.refresh, after=0)
        if notifier:
            every(10, lambda: notifier.send(now().astimezone()), name="Notifier.send")
            if reservations and settings.notify and settings.notify.held_idle_hours:
                hours = settings.notify.held_idle_hours
                every(600, lambda: self._tell_holders(notifier, reservations, hours), name="Tell holders")
        # The first refresh brings what the agents read while no backend ran; means are made of all of it.
        every(60, self.summarize)
        every(_HOUR, self.show_usage, after=0)
        # Looked for every hour: a machine that sleeps at night has its copy too.
        every(_HOUR, copy_store, after=120)
        for prune in (self.prune_readings, self.prune_history, self.prune_incidents):
            every(_HOUR, prune, after=60)

    def until_refresh(self) -> float | None:
        """After how many seconds servers are read again, where that is sooner than usual."""
        # Half an interval earlier, or people would hear of a server that went down after three whole ones.
        return self._half_interval if self._refresh.is_in_doubt() else None

    def summarize(self) -> None:
        self._history.summarize(now())

    def _tell_holders(self, notifier: Notifier, reservations: Reservations, hours: float) -> None:
        at = now().astimezone()
        texts = held_texts(self._refresh.servers(), self._history.gpus.held(at), hours, at)
        notifier.tell_people(texts, reservations.address_of, at)

    def show_usage(self) -> None:
        self._display.show_usage(self._history.weekly_usage())
        self._report(now())

    def _report(self, at: datetime) -> None:
        """Shows the last weeks, and notifies of each one when it is over."""
        monday = floor(at - _FIRST_MONDAY, WEEK) + _FIRST_MONDAY
        weeks = [self._history.week(monday - place * WEEK) for place in range(_WEEKS)]
        known = [week for week in weeks if week.known]
        if known:
            self._display.show_report(known)
        last = weeks[1]
        if self._notifier and last.known and "weekly_report" in self._events:
            text = report_text(last, self._display.waits_seconds(last))
            self._notifier.report("week", iso(last.since), text, at)

    def prune_readings(self) -> None:
        self.summarize()  # the means hold what is deleted
        self._readings.forget_before(now() - self._readings_kept)

    def prune_history(self) -> None:
        self._history.forget_before(now() - KEPT)

    def prune_incidents(self) -> None:
        self._incidents.forget_before(now() - KEPT)

    def start(self) -> None:
        """Starts the periodic jobs; they continue what an earlier backend left unfinished."""
        self._timers.start()

    def stop(self) -> None:
        """Waits for the step in progress. Trainings continue."""
        self._timers.stop()
        self._sweeps.close()
        self._queue.close()
