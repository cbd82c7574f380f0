"""The periodic jobs and their intervals. One that fails is logged and runs again; it stops no other."""

import logging
from datetime import datetime, timedelta
from functools import partial

from apscheduler.schedulers.background import BackgroundScheduler

from backend.jobs.queue import Queue
from backend.jobs.results import Results
from backend.jobs.sweeps import Sweeps
from backend.notifications.notifier import Notifier
from backend.servers.history import KEPT, History
from backend.servers.incidents import Incidents
from backend.servers.readings import Readings
from backend.servers.reservations import Reservations
from backend.settings import Settings
from backend.tabs.display import Display
from backend.tabs.publisher import Publisher
from backend.tabs.refresh import Refresh
from backend.times import now


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
        notifier: Notifier | None,
    ) -> None:
        self._refresh = refresh
        self._readings = readings
        self._history = history
        self._incidents = incidents
        self._queue = queue
        self._sweeps = sweeps
        self._display = display
        self._interval = timedelta(seconds=settings.refresh_seconds)
        self._readings_kept = timedelta(days=settings.history_days)
        # A job that is late runs once, not once for each time that was missed.
        defaults = {"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
        self._scheduler = BackgroundScheduler(timezone="UTC", job_defaults=defaults)
        add = self._scheduler.add_job
        add(self.refresh, "interval", seconds=settings.refresh_seconds, next_run_time=now())
        add(partial(queue.advance, wait_seconds=0.5), "interval", seconds=1)
        add(sweeps.advance, "interval", seconds=1)
        add(results.collect, "interval", seconds=30, next_run_time=now())
        add(publisher.flush, "interval", seconds=5)
        # At first, the tabs show what an earlier backend left; later this draws again what could not be drawn.
        add(display.show_jobs, "interval", hours=1, next_run_time=now())
        add(display.show_results, "interval", hours=1, next_run_time=now())
        if reservations:
            add(reservations.refresh, "interval", seconds=60, next_run_time=now())
        if notifier:
            add(lambda: notifier.send(datetime.now().astimezone()), "interval", seconds=10)
        # The first refresh brings what the agents read while no backend ran; means are made of all of it.
        add(self.summarize, "interval", minutes=1)
        add(self.show_usage, "interval", hours=1, next_run_time=now())
        for prune in (self.prune_readings, self.prune_history, self.prune_incidents):
            add(prune, "interval", hours=6, next_run_time=now() + timedelta(minutes=1))

    def refresh(self) -> None:
        try:
            self._refresh()
        finally:
            if self._refresh.is_in_doubt():
                # Half an interval earlier, or people would hear of a server that went down after three whole ones.
                again = {"id": "refresh again", "replace_existing": True}
                self._scheduler.add_job(self.refresh, "date", run_date=now() + self._interval / 2, **again)

    def summarize(self) -> None:
        self._history.summarize(now())

    def show_usage(self) -> None:
        self._display.show_usage(self._history.weekly_usage())

    def prune_readings(self) -> None:
        self.summarize()  # the means hold what is deleted
        self._readings.forget_before(now() - self._readings_kept)

    def prune_history(self) -> None:
        self._history.forget_before(now() - KEPT)

    def prune_incidents(self) -> None:
        self._incidents.forget_before(now() - KEPT)

    def start(self) -> None:
        """Starts the periodic jobs; they continue what an earlier backend left unfinished."""
        # The scheduler logs every run; only failures are news.
        logging.getLogger("apscheduler").setLevel(logging.ERROR)
        self._scheduler.start()

    def stop(self) -> None:
        """Waits for the step in progress. Trainings continue."""
        if self._scheduler.running:
            self._scheduler.shutdown(wait=True)
        self._sweeps.close()
        self._queue.close()
