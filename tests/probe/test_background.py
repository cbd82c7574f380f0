import socket
import threading
import time

import pytest

from backend.probe import background
from backend.probe.background import BackgroundReader, Lookups
from tests.patience import PATIENCE_SECONDS


def test_a_reading_that_hangs_is_waited_for_once() -> None:
    server, client = socket.socketpair()
    watched = BackgroundReader("line", lambda: server.recv(1), fresh_seconds=0)
    client.send(b"1")
    assert watched.latest(10).value == b"1"
    first = watched.latest(0.01)
    assert first.value == b"1"
    # Were it waited for again, this would take more than the test is given.
    for _ in range(100):
        assert watched.latest(60).value == b"1"
    client.send(b"2")
    while watched.latest(0).value == b"1":
        time.sleep(0.01)
    assert watched.latest(0).value == b"2"
    client.close()
    watched.close()
    server.close()


def test_a_source_that_does_not_answer_has_no_value_until_it_does() -> None:
    server, client = socket.socketpair()
    watched = BackgroundReader("line", lambda: server.recv(1), fresh_seconds=0, patience_seconds=0.2)
    client.send(b"1")
    assert watched.latest(10).value == b"1"
    while (latest := watched.latest(0)).silent_seconds is None:
        assert latest.value == b"1"
        time.sleep(0.01)
    assert latest.value is None
    assert latest.silent_seconds
    assert latest.silent_seconds > 0.2
    client.send(b"2")
    while watched.latest(0).value != b"2":
        time.sleep(0.01)
    client.send(b"3")
    watched.close()
    client.close()
    server.close()


def test_a_reading_that_fails_keeps_the_value_for_a_while(caplog: pytest.LogCaptureFixture) -> None:
    answers = iter([1])
    watched = BackgroundReader("numbers", lambda: next(answers), fresh_seconds=0, patience_seconds=0.3)
    assert watched.latest(10).value == 1
    later = watched.latest(10)
    assert later.value == 1
    while watched.latest(10).silent_seconds is None:
        time.sleep(0.01)
    assert watched.latest(10).value is None
    watched.close()
    assert caplog.text.count("numbers cannot be read") == 1


def test_an_answer_that_does_not_come_delays_no_other() -> None:
    released = threading.Event()

    def find(key: int) -> str:
        if key < 3:
            released.wait(PATIENCE_SECONDS)
        return f"answer {key}"

    found = Lookups("answers", find, kept_seconds=lambda _: 60)
    assert found.get(9, wait_seconds=10) == "answer 9"
    for key in range(3):
        assert found.get(key) is None
    while found.get(10, wait_seconds=0.05) is None:
        pass
    assert found.get(0) is None
    released.set()
    while found.get(0) is None:
        time.sleep(0.01)


def test_an_answer_is_looked_for_again_once_it_is_old() -> None:
    asked: list[str] = []

    def find(key: str) -> int:
        asked.append(key)
        return len(asked)

    found = Lookups("answers", find, kept_seconds=lambda count: 0.0 if count == 1 else 60.0)
    assert found.get("a", wait_seconds=10) == 1
    while found.get("a") == 1:
        time.sleep(0.01)
    for _ in range(10):
        assert found.get("a") == 2
    assert asked == ["a", "a"]


def test_a_lookup_that_hangs_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "PATIENCE_SECONDS", 0.2)
    released = threading.Event()
    found: Lookups[str, bool] = Lookups(
        "answers", lambda key: released.wait(PATIENCE_SECONDS), kept_seconds=lambda _: 60
    )
    found.get("a")
    while (silent := found.silent_seconds()) is None:
        time.sleep(0.01)
    assert silent > 0.2
    released.set()
    while found.silent_seconds() is not None:
        time.sleep(0.01)
