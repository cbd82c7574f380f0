"""What happens by itself. Started by the serving command alone, in its one process."""

import logging
import math
import threading
import time
from datetime import datetime, timedelta

from apscheduler.schedulers.background import BackgroundScheduler

from backend.display import SHOWN_FINISHED_JOBS
from backend.history import KEPT, History
from backend.notifier import Notifier
from backend.publisher import Publisher
from backend.reservations import Reservations
from backend.settings import Settings
from backend.sheets.tabs import servers_table, usage_table
from backend.snapshot import now
from backend.status import Status
from backend.store import Store
from backend.training import Training
from backend.troubles import Troubles


class Schedule:
    def __init__(
        self,
        settings: Settings,
        *,
        store: Store,
        status: Status,
        history: History,
        troubles: Troubles,
        training: Training,
        publisher: Publisher,
        reservations: Reservations | None,
        notifier: Notifier | None,
    ) -> None:
        self._store = store
        self._status = status
        self._history = history
        self._troubles = troubles
        self._training = training
        self._publisher = publisher
        self._reservations = reservations
        self._notifier = notifier
        self._refreshing = threading.Lock()
        self._refreshed_seconds = -math.inf
        self._interval = timedelta(seconds=settings.refresh_seconds)
        self._readings_kept = timedelta(days=settings.history_days)
        # A tick that is late is done once, not once for each one that was missed.
        defaults = {"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
        self._scheduler = BackgroundScheduler(timezone="UTC", job_defaults=defaults)
        add = self._scheduler.add_job
        add(self.refresh, "interval", seconds=settings.refresh_seconds, next_run_time=now())
        add(training.advance, "interval", seconds=1)
        add(training.collect, "interval", seconds=30)
        add(publisher.flush, "interval", seconds=5)
        if reservations:
            add(reservations.refresh, "interval", seconds=60, next_run_time=now())
        if notifier:
            add(lambda: notifier.send(datetime.now().astimezone()), "interval", seconds=10)
        # The first round brings what the agents read while no backend asked, and means are made of all of it.
        add(self.summarize, "interval", minutes=1)
        add(self.show_usage, "interval", hours=1, next_run_time=now())
        add(self.prune, "interval", hours=6, next_run_time=now() + timedelta(minutes=1))

    def refresh(self, fresh_seconds: float = 0) -> None:
        """Reads every server and shows what was read, unless a round ended less than `fresh_seconds` ago.

        Whoever comes while a round runs waits for its end.
        """
        with self._refreshing:
            if time.monotonic() - self._refreshed_seconds < fresh_seconds:
                return
            servers = self._status.refresh()
            self._troubles.note(servers, now())
            if self._reservations:
                servers = self._reservations.shown_on(servers)
            self._publisher.publish([servers_table(servers, reservations=bool(self._reservations))])
            if self._notifier:
                self._notifier.follow(servers, self._store.finished_jobs(SHOWN_FINISHED_JOBS), now())
            self._refreshed_seconds = time.monotonic()
        if self._status.is_in_doubt():
            # Half an interval earlier, or a server that went down would be told of after three whole ones.
            again = {"id": "refresh again", "replace_existing": True}
            self._scheduler.add_job(self.refresh, "date", run_date=now() + self._interval / 2, **again)

    def summarize(self) -> None:
        self._history.summarize(now())

    def show_usage(self) -> None:
        self._publisher.publish([usage_table(self._history.weekly_usage())])

    def prune(self) -> None:
        self.summarize()  # what goes is in the means first
        self._store.forget_snapshots_before(now() - self._readings_kept)
        self._history.forget_before(now() - KEPT)
        self._troubles.forget_before(now() - KEPT)

    def start(self) -> None:
        """Takes up what an earlier backend left, then lets things happen by themselves."""
        # The scheduler tells of every tick; only failures are news.
        logging.getLogger("apscheduler").setLevel(logging.ERROR)
        self._training.recover()
        self._scheduler.start()

    def stop(self) -> None:
        """Waits for the step that is under way. Trainings go on."""
        if self._scheduler.running:
            self._scheduler.shutdown(wait=True)
