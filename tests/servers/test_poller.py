"""Servers read together, of which one fails in an unforeseen way."""

import logging
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from backend.probe.sampler import Sampler
from backend.probe.snapshot import Failure, Snapshot
from backend.servers import agent_client
from backend.servers.poller import Poller
from backend.servers.server import Server
from backend.times import now
from tests.patience import PATIENCE_SECONDS, wait_until
from tests.servers.agents import answering, good_snapshot, token_file


def sampled(folder: Path) -> Callable[[str], Sampler]:
    return lambda name: Sampler(name, folder)


def test_an_address_that_nothing_can_ask_costs_its_own_server_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    token, threads = token_file(tmp_path), threading.active_count()
    with answering(good_snapshot) as address:
        good = Server(name="good", agent=address, token_file=token)
        # As servers.toml never gives them.
        bad = [
            good.model_copy(update={"name": f"bad{place}", "agent": agent})
            for place, agent in enumerate(
                [
                    "http://gpu2:8765x",
                    "http://[::1",
                    "http://gpu..2",
                    "ftp://gpu2",
                    "\x00",
                    "http://gpu2:99999",
                ]
            )
        ]
        poller = Poller([Server(name="here"), *bad, good], sampled(tmp_path))
        answered: list[Snapshot] = []
        rounds = [poller.poll(answered.append) for _ in range(2)]
        missed = poller.history({server.name: now() for server in [*bad, good]})
        poller.close()
    for snapshots in rounds:
        known = {snapshot.server: snapshot for snapshot in snapshots}
        assert list(known) == ["here", *(server.name for server in bad), "good"]
        assert [known[name].failure for name in ("here", "good")] == [None, None]
        for server in bad:
            assert known[server.name].failure
            assert known[server.name].failure_text
    assert [snapshot.server for snapshot in answered].count("good") == 2
    assert len(missed) == len(bad) + 1
    text = "cannot be read (InvalidURL, see the backend's log)"
    assert known["bad0"].failure_text == text
    reported = [record for record in caplog.records if record.getMessage() == "bad0 cannot be read"]
    assert len(reported) == 1
    assert threading.active_count() <= threads


def test_a_machine_whose_sampler_cannot_be_made(tmp_path: Path) -> None:
    made = []

    def sampler(name: str) -> Sampler:
        made.append(name)
        if len(made) <= 2:
            raise RuntimeError("can't start new thread")
        return Sampler(name, tmp_path)

    poller = Poller([Server(name="here")], sampler)
    assert poller.start_here()
    [first] = poller.poll(lambda _: None)
    [second] = poller.poll(lambda _: None)
    poller.close()
    assert (first.failure, first.failure_text) == (
        Failure.BROKEN,
        "cannot be read (RuntimeError, see the backend's log)",
    )
    assert second.failure is None


def test_a_snapshot_that_cannot_be_followed_is_its_servers_failure(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)
    token = token_file(tmp_path)

    def answered(snapshot: Snapshot) -> None:
        if snapshot.server == "odd":
            raise ZeroDivisionError

    with answering(good_snapshot) as address:
        servers = [Server(name=name, agent=address, token_file=token) for name in ("odd", "good")]
        poller = Poller(servers, sampled(tmp_path))
        odd, good = poller.poll(answered)
        poller.close()
    assert (odd.failure, good.failure) == (Failure.BROKEN, None)


def test_names_that_nobody_answers_for_delay_no_reading_of_this_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    released, look_up = threading.Event(), socket.getaddrinfo

    def hangs(host: Any, *arguments: Any, **options: Any) -> Any:
        if ".invalid" in str(host):
            released.wait(PATIENCE_SECONDS)
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        return look_up(host, *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", hangs)
    monkeypatch.setattr(agent_client, "ATTEMPT_SECONDS", 0.2)
    token = token_file(tmp_path)
    lost = [Server(name=f"s{i}", agent=f"http://s{i}.invalid:1", token_file=token) for i in range(60)]
    poller = Poller([Server(name="here"), *lost], sampled(tmp_path))
    seen: list[Snapshot] = []
    rounds = threading.Thread(target=lambda: [poller.poll(seen.append) for _ in range(3)], daemon=True)
    rounds.start()
    wait_until(lambda: len(seen) == 3, "the third reading of this machine")
    assert {snapshot.server for snapshot in seen} == {"here"}
    assert not released.is_set()
    released.set()
    rounds.join()
    poller.close()
