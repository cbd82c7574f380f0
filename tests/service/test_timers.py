"""Calls at intervals, whatever they raise and whatever is done to the wall clock."""

import logging
import threading
import time

import httpx
import pytest

from backend.service.timers import Timers
from backend.settings import Home
from tests.patience import PATIENCE_SECONDS, wait_until
from tests.service.backends import backend
from tests.service.wall_clock import WallClock


def test_a_call_that_fails_comes_again_and_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    calls = {"broken": 0, "sound": 0}

    def broken() -> None:
        calls["broken"] += 1
        raise RuntimeError("no disk" if calls["broken"] < 4 else "no network")

    def sound() -> None:
        calls["sound"] += 1

    timers = Timers()
    timers.every(0.01, broken, name="broken")
    timers.every(0.01, sound)
    with caplog.at_level(logging.ERROR):
        timers.start()
        wait_until(lambda: min(calls.values()) > 6)
        timers.stop()
    assert [record.getMessage() for record in caplog.records] == ["broken failed"] * 2
    ended = dict(calls)
    time.sleep(0.05)
    assert calls == ended


def test_the_next_call_can_be_sooner(monkeypatch: pytest.MonkeyPatch) -> None:
    called = threading.Semaphore(0)
    pauses = iter([0.01, 0.01, None])
    timers = Timers()
    timers.every(3600, called.release, after=0, pause=lambda: next(pauses))
    timers.start()
    for _ in range(3):
        assert called.acquire(timeout=PATIENCE_SECONDS)
    assert not called.acquire(timeout=0.1)
    timers.stop()


def test_a_wall_clock_that_is_wrong_for_seconds_stops_nothing(home: Home, wall_clock: WallClock) -> None:
    home.path.mkdir()
    home.settings_file.write_text("refresh_seconds = 2\n")

    def read_at(api: httpx.Client) -> str:
        try:
            answer = api.get("/api/servers")
        except httpx.TransportError:  # a kept connection may be closed when the clock moves
            answer = api.get("/api/servers")
        server = answer.json()["servers"][0]
        return str(server["snapshot"] and server["snapshot"]["at"])

    def goes_on(api: httpx.Client) -> None:
        seen = read_at(api)
        wait_until(lambda: read_at(api) > seen, "a newer reading")

    with backend(home, wall_clock.environment) as (api, _):
        wait_until(lambda: read_at(api) != "None")
        for seconds in (600, 0, -600, 0):
            wall_clock.set_ahead(seconds)
            for _ in range(2):
                goes_on(api)
        points = api.get("/api/servers").json()["servers"][0]
        assert points["verdict"]["state"] not in ("stale", "down")
