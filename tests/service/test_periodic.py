"""The periodic jobs: whatever one of them raises, the others run, and so does that one the next time."""

import json
from collections import Counter
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from backend.service.serving import serving
from backend.service.timers import Timers
from backend.service.wiring import Sheetrack
from backend.settings import Home
from tests.page.runs import a_result
from tests.patience import wait_until

FIRST = (
    ("status", "refresh"),
    ("results", "collect"),
    ("display", "show_jobs"),
    ("display", "show_results"),
    ("display", "show_usage"),
    ("queue", "advance"),
    ("reservations", "refresh"),
    ("publisher", "flush"),
    ("notifier", "send"),
)
"""What runs within ten seconds of the start: here a tenth of that."""
AGAIN = ("status.refresh", "queue.advance", "publisher.flush")
"""What runs once more within that time."""


def test_jobs_that_fail_stop_neither_others_nor_themselves(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    every = Timers.every

    def sooner(
        timers: Timers,
        seconds: float,
        call: Callable[[], object],
        *,
        after: float | None = None,
        **more: Any,
    ) -> None:
        every(timers, seconds / 10, call, after=None if after is None else after / 10, **more)

    monkeypatch.setattr(Timers, "every", sooner)
    home.path.mkdir()
    home.settings_file.write_text('refresh_seconds = 2\n[reservations]\ntab = "Reservations.csv"\n[notify]\n')
    sheetrack = Sheetrack(home)
    calls: Counter[str] = Counter()

    def failing(name: str) -> Callable[..., None]:
        def call(*_: object, **__: object) -> None:
            calls[name] += 1
            raise RuntimeError("made to fail")

        return call

    for part, method in FIRST:
        monkeypatch.setattr(getattr(sheetrack, part), method, failing(f"{part}.{method}"))
    wanted = Counter(".".join(name) for name in FIRST) + Counter(AGAIN)
    with serving(sheetrack, 0) as address:
        wait_until(lambda: calls >= wanted, f"what is missing in {calls}")
        assert httpx.get(address, timeout=60).status_code == 302


def test_pruning_one_thing_does_not_depend_on_another(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    sheetrack = Sheetrack(home)
    pruned = []

    def fail(*_: object) -> None:
        raise RuntimeError("made to fail")

    monkeypatch.setattr(sheetrack.history, "summarize", fail)
    monkeypatch.setattr(sheetrack.readings, "forget_before", lambda _: pruned.append("readings"))
    monkeypatch.setattr(sheetrack.history, "forget_before", lambda _: pruned.append("history"))
    monkeypatch.setattr(sheetrack.incidents, "forget_before", lambda _: pruned.append("incidents"))
    periodic = sheetrack.periodic
    with pytest.raises(RuntimeError):
        periodic.prune_readings()
    periodic.prune_history()
    periodic.prune_incidents()
    assert pruned == ["history", "incidents"]  # no reading goes that is in no mean
    sheetrack.close()


def google_without_a_key(home: Home) -> None:
    home.settings_file.write_text('[google]\nspreadsheet = "lab"\n')


def google_away(home: Home) -> None:
    home.settings_file.write_text(
        '[google]\nspreadsheet = "lab"\napi_endpoint = "http://127.0.0.1:9"\n[reservations]\ntab = "Lab"\n'
    )


def reservations_unreadable(home: Home) -> None:
    home.settings_file.write_text('[reservations]\ntab = "Lab.csv"\n')
    home.peoples_tabs.mkdir()
    (home.peoples_tabs / "Lab.csv").write_bytes(b"\xff\xfe\x00")


def nowhere_to_send(home: Home) -> None:
    home.settings_file.write_text("[notify]\n")


def servers_without_tokens(home: Home) -> None:
    home.servers_file.write_text(
        '[[server]]\nname = "a"\n[[server]]\nname = "b"\nagent = "http://127.0.0.1:9"\ntoken_file = "gone"\n'
    )


def broken_runs(home: Home) -> None:
    result = a_result("r222222").content.model_dump_json()
    broken: dict[str, dict[str, bytes]] = {
        "r222222": {
            "result.json": result.encode(),
            "recipe.json": b"{",
            "history.jsonl": b'{"epoch": 1}\n{',
            "predictions.csv": b"clip,frames,ac",
            "filters.json": b"",
            "progress.json": b"[]",
        },
        "r333333": {"result.json": result.encode()[:100]},
        "r444444": {"result.json": b"\xff\xfe"},
        "r555555": {"result.json": json.dumps([1]).encode()},
    }
    for run, files in broken.items():
        (home.runs / run).mkdir(parents=True)
        for name, content in files.items():
            (home.runs / run / name).write_bytes(content)
    (home.runs / "r666666").write_text("a file where a folder belongs")
    (home.runs / "r777777" / "result.json").mkdir(parents=True)


def stored_nonsense(home: Home) -> None:
    parts = Sheetrack(home)
    with parts.database.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO outbox (tab, content, version, put_at) VALUES ('Jobs', '{bad', 'x', 1)"
        )
        connection.exec_driver_sql(
            "INSERT INTO results (run, server, requested_by, finished_at, content)"
            " VALUES ('r999999', 'gpu1', 'kim', 1, '{bad')"
        )
    parts.close()


def files_for_folders(home: Home) -> None:
    for folder in (home.runs, home.data, home.peoples_tabs):
        folder.write_text("a file where a folder belongs")


def log_unwritable(home: Home) -> None:
    home.log_file.mkdir()


@pytest.mark.parametrize(
    "breaks",
    [
        google_without_a_key,
        google_away,
        reservations_unreadable,
        nowhere_to_send,
        servers_without_tokens,
        broken_runs,
        stored_nonsense,
        files_for_folders,
        log_unwritable,
    ],
)
def test_the_backend_serves_although_one_thing_is_broken(home: Home, breaks: Callable[[Home], None]) -> None:
    home.path.mkdir()
    breaks(home)
    with serving(Sheetrack(home), 0) as address:
        base, token = address.split("/?token=")
        headers = {"Authorization": f"Bearer {token}"}
        with httpx.Client(base_url=base, headers=headers, timeout=60) as api:

            def tabs() -> set[str]:
                return {tab["name"] for tab in api.get("/api/tables").json()["tables"]}

            wait_until(lambda: {"Servers", "Jobs", "Results", "Leaderboard", "Usage"} <= tabs(), "the tabs")
            assert api.get("/api/servers").json()["servers"][0]["verdict"]["state"]
            for path in ("/api/jobs", "/api/sweeps", "/api/runs", "/api/data", "/metrics", "/sidebar"):
                assert api.get(path).status_code == 200, path
