import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
import sqlalchemy as sa

from backend.database import open_database
from backend.probe.sampler import Sampler
from backend.probe.snapshot import Failure, HostReading, Snapshot
from backend.servers import agent_client as remote
from backend.servers.readings import Readings
from backend.servers.server import Server
from backend.servers.state import ServerStatus, State
from backend.servers.status import Status
from backend.settings import Home
from backend.times import now
from tests.patience import PATIENCE_SECONDS, wait_until
from tests.probe.fake_gpus import FakeGpus
from tests.servers.agents import (
    AgentProcess,
    Answer,
    answering,
    free_port,
    good_snapshot,
    refuse,
    say,
    token_file,
    unreachable,
)


@pytest.fixture
def database(home: Home) -> Iterator[sa.Engine]:
    engine = open_database(home.store_file)
    yield engine
    engine.dispose()


@pytest.fixture
def readings(database: sa.Engine) -> Readings:
    return Readings(database)


def status_of(readings: Readings, folder: Path, *servers: Server, interval_seconds: float = 15) -> Status:
    return Status(
        servers, readings, interval_seconds=interval_seconds, sampler=lambda name: Sampler(name, folder)
    )


def by_name(statuses: list[ServerStatus]) -> dict[str, ServerStatus]:
    return {status.name: status for status in statuses}


def stored(readings: Readings, server: str) -> list[Snapshot]:
    return readings.between(server, now() - timedelta(hours=2))


def test_this_machine(readings: Readings, tmp_path: Path) -> None:
    with status_of(readings, tmp_path, Server(name="here")) as status:
        assert status.current()[0].verdict.reason == "no reading yet"
        [here] = status.refresh()
        status.refresh()
        verdict = status.verdict_of("here")
    assert here.snapshot
    assert here.snapshot.host
    assert (
        here.snapshot.host.cpu_percent is not None
    )  # which a single look at the kernel's counters cannot tell
    assert here.seen_at == here.snapshot.at
    assert verdict
    assert verdict.state not in (State.STALE, State.DOWN)
    assert [snapshot.server for snapshot in stored(readings, "here")] == ["here", "here"]
    assert stored(readings, "here")[0] == here.snapshot


def test_a_look_knows_the_cpu_and_stores_nothing(readings: Readings, tmp_path: Path) -> None:
    with answering(good_snapshot) as address:
        ada = Server(name="ada", agent=address, token_file=token_file(tmp_path))
        with status_of(readings, tmp_path, Server(name="here"), ada) as status:
            known = by_name(status.look())
            again = by_name(status.look())
    for server in (*known.values(), *again.values()):
        assert server.snapshot
        assert server.snapshot.host
        assert server.snapshot.host.cpu_percent is not None
    assert stored(readings, "here") == stored(readings, "ada") == []


def test_a_look_goes_on_from_what_is_stored(readings: Readings, tmp_path: Path) -> None:
    before = now() - timedelta(seconds=20)
    host = HostReading(cpu_percent=70, memory_total_mib=1000, memory_available_mib=500)
    readings.remember([Snapshot(server="ada", at=before, host=host, gpus=())])
    server = Server(name="ada", agent=f"http://127.0.0.1:{free_port()}", token_file=token_file(tmp_path))
    with status_of(readings, tmp_path, server) as status:
        [ada] = status.look()
    assert (ada.verdict.state, ada.seen_at) == (State.BUSY, before)
    assert len(stored(readings, "ada")) == 1


def test_readings_that_cannot_be_taken_up_stop_nothing(
    readings: Readings, database: sa.Engine, tmp_path: Path
) -> None:
    _rename(database, "snapshots", "elsewhere")
    with status_of(readings, tmp_path, Server(name="here")) as status:
        [here] = status.refresh()
    assert here.snapshot
    assert here.snapshot.host


def test_a_server_that_is_not_there(readings: Readings, tmp_path: Path) -> None:
    with status_of(readings, tmp_path, Server(name="here")) as status:
        assert status.verdict_of("there") is None


def test_maintenance_hides_no_number(readings: Readings, tmp_path: Path) -> None:
    with status_of(readings, tmp_path, Server(name="here", maintenance="new disks")) as status:
        [here] = status.refresh()
    assert (here.verdict.state, here.verdict.reason) == (State.MAINTENANCE, "new disks")
    assert here.snapshot
    assert here.snapshot.host
    assert not here.suggested


@pytest.mark.parametrize(
    ("answer", "failure", "text"),
    [
        (refuse(401), Failure.REFUSED, "agent refuses our token"),
        (refuse(403), Failure.REFUSED, "agent refuses our token"),
        (refuse(500), Failure.BROKEN, "agent's answer cannot be read (HTTP 500)"),
        (refuse(302), Failure.BROKEN, "agent's answer cannot be read (HTTP 302)"),
        (say(b"<html>"), Failure.BROKEN, "agent's answer cannot be read"),
        (say(b"{}"), Failure.BROKEN, "agent's answer cannot be read"),
        (say(b" " * 5_000_000), Failure.BROKEN, "agent's answer cannot be read (too large)"),
        (lambda request: request.connection.close(), Failure.AGENT_DOWN, "agent not answering"),
    ],
)
def test_answers_that_are_none(
    readings: Readings, tmp_path: Path, answer: Answer, failure: Failure, text: str
) -> None:
    with answering(answer) as address:
        server = Server(name="ada", agent=address, token_file=token_file(tmp_path))
        with status_of(readings, tmp_path, server) as status:
            [ada] = status.refresh()
    assert ada.verdict.state is State.STALE
    assert ada.snapshot
    assert (ada.snapshot.failure, ada.snapshot.failure_text) == (failure, text)
    assert (ada.snapshot.host, ada.seen_at) == (None, None)


def test_a_closed_port_is_the_agents_silence(readings: Readings, tmp_path: Path) -> None:
    server = Server(name="ada", agent=f"http://127.0.0.1:{free_port()}", token_file=token_file(tmp_path))
    with status_of(readings, tmp_path, server) as status:
        rounds = [(status.refresh()[0].verdict, status.is_in_doubt()) for _ in range(3)]
    reasons, in_doubt = zip(*rounds, strict=True)
    assert in_doubt == (False, True, False)
    assert [verdict.state for verdict in reasons] == [State.STALE, State.STALE, State.DOWN]
    assert reasons[2].reason.startswith("agent not answering (connection refused) since ")
    assert reasons[2].reason.endswith(", 3 tries")


def test_no_token_is_our_own_fault(readings: Readings, tmp_path: Path) -> None:
    file = token_file(tmp_path)
    file.chmod(0o644)
    with answering(good_snapshot) as address:
        server = Server(name="ada", agent=address, token_file=file)
        with status_of(readings, tmp_path, server) as status:
            [ada] = status.refresh()
            assert ada.verdict.reason.startswith(f"Others may read the token file {file} since ")
            file.chmod(0o600)
            [ada] = status.refresh()
    assert ada.verdict.state is State.IDLE


def test_an_answer_bears_our_name_and_our_time(readings: Readings, tmp_path: Path) -> None:
    with answering(good_snapshot) as address:
        server = Server(name="ada", agent=address, token_file=token_file(tmp_path))
        with status_of(readings, tmp_path, server) as status:
            before = now()
            [ada] = status.refresh()
    assert ada.snapshot
    assert ada.snapshot.server == "ada"
    assert before <= ada.snapshot.at <= now()
    assert ada.last_hour[-1] == 3
    assert ada.suggested


def test_a_retry_inside_the_round(readings: Readings, tmp_path: Path) -> None:
    asked = []

    def second_time(request: BaseHTTPRequestHandler) -> None:
        asked.append(request.path)
        if len(asked) <= 2:
            request.connection.close()
        else:
            good_snapshot(request)

    with answering(second_time) as address:
        server = Server(name="ada", agent=address, token_file=token_file(tmp_path))
        with status_of(readings, tmp_path, server) as status:
            [ada] = status.refresh()
    assert [path.partition("?")[0] for path in asked] == ["/history", "/snapshot", "/snapshot"]
    assert ada.verdict.state is State.IDLE
    assert len(stored(readings, "ada")) == 1


def test_where_no_server_can_be_reached_the_fault_is_ours(
    readings: Readings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "_CONNECT_SECONDS", 0.2)
    token = token_file(tmp_path)
    with unreachable() as one, unreachable() as other:
        servers = [
            Server(name="here"),
            Server(name="ada", agent=one, token_file=token),
            Server(name="bob", agent=other, token_file=token),
        ]
        with status_of(readings, tmp_path, *servers) as status:
            status.refresh()
            status.refresh()
            known = by_name(status.refresh())
    assert known["here"].verdict.state not in (State.STALE, State.DOWN)
    for name in ("ada", "bob"):
        assert known[name].verdict.state is State.STALE
        assert "our own network" in known[name].verdict.reason
        assert {snapshot.failure for snapshot in stored(readings, name)} == {Failure.MONITOR}


def test_where_all_servers_fall_silent_together_the_fault_is_ours(readings: Readings, tmp_path: Path) -> None:
    """A tunnel that has died refuses connections, though the agents behind it live."""
    token, cut = token_file(tmp_path), threading.Event()

    def through_tunnel(request: BaseHTTPRequestHandler) -> None:
        request.connection.close() if cut.is_set() else good_snapshot(request)

    with answering(through_tunnel) as one, answering(through_tunnel) as other:
        servers = [
            Server(name="ada", agent=one, token_file=token),
            Server(name="bob", agent=other, token_file=token),
        ]
        with status_of(readings, tmp_path, *servers) as status:
            status.refresh()
            cut.set()
            for _ in range(4):
                known = by_name(status.refresh())
                assert {server.verdict.state for server in known.values()} == {State.IDLE}
            assert {stored(readings, name)[-1].failure for name in known} == {Failure.MONITOR}
            cut.clear()
            assert {server.verdict.state for server in status.refresh()} == {State.IDLE}


def test_servers_that_fall_silent_one_after_the_other_are_down(readings: Readings, tmp_path: Path) -> None:
    token, cut = token_file(tmp_path), {"ada": threading.Event(), "bob": threading.Event()}

    def agent(name: str) -> Answer:
        def answer(request: BaseHTTPRequestHandler) -> None:
            request.connection.close() if cut[name].is_set() else good_snapshot(request)

        return answer

    with answering(agent("ada")) as one, answering(agent("bob")) as other:
        servers = [
            Server(name="ada", agent=one, token_file=token),
            Server(name="bob", agent=other, token_file=token),
        ]
        with status_of(readings, tmp_path, *servers) as status:
            for name in ("ada", "bob"):
                cut[name].set()
                for _ in range(3):
                    status.refresh()
                assert by_name(status.current())[name].verdict.state is State.DOWN


def test_one_that_cannot_be_reached_is_down(
    readings: Readings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "_CONNECT_SECONDS", 0.4)
    token = token_file(tmp_path)
    with unreachable() as one, answering(good_snapshot) as other:
        servers = [
            Server(name="ada", agent=one, token_file=token),
            Server(name="bob", agent=other, token_file=token),
        ]
        with status_of(readings, tmp_path, *servers) as status:
            status.refresh()
            status.refresh()
            best, worst = status.refresh()
    assert (best.name, best.verdict.state) == ("bob", State.IDLE)
    assert (worst.name, worst.verdict.state) == ("ada", State.DOWN)
    assert worst.verdict.reason.startswith("not reachable since ")


def test_who_answers_is_known_while_others_are_waited_for(
    readings: Readings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "ATTEMPT_SECONDS", 60)
    token, released = token_file(tmp_path), threading.Event()

    def late(request: BaseHTTPRequestHandler) -> None:
        released.wait(PATIENCE_SECONDS)
        good_snapshot(request)

    with answering(late) as slow, answering(good_snapshot) as quick:
        servers = [
            Server(name="slow", agent=slow, token_file=token),
            Server(name="quick", agent=quick, token_file=token),
        ]
        with status_of(readings, tmp_path, *servers) as status:
            round_ = threading.Thread(target=status.refresh)
            round_.start()
            while by_name(status.current())["quick"].verdict.state is not State.IDLE:
                threading.Event().wait(0.01)
            assert by_name(status.current())["slow"].verdict.reason == "no reading yet"
            assert round_.is_alive()
            released.set()
            round_.join()
            assert by_name(status.current())["slow"].verdict.state is State.IDLE


def test_rounds_never_overlap(readings: Readings, tmp_path: Path) -> None:
    inside, most = 0, 0
    lock = threading.Lock()

    def counted(request: BaseHTTPRequestHandler) -> None:
        nonlocal inside, most
        with lock:
            inside += 1
            most = max(most, inside)
        good_snapshot(request)
        with lock:
            inside -= 1

    with answering(counted) as address:
        server = Server(name="ada", agent=address, token_file=token_file(tmp_path))
        with status_of(readings, tmp_path, server) as status:
            threads = [threading.Thread(target=status.refresh) for _ in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
    assert most == 1
    assert len(stored(readings, "ada")) == 8


def test_what_cannot_be_stored_waits(readings: Readings, database: sa.Engine, tmp_path: Path) -> None:
    with status_of(readings, tmp_path, Server(name="here")) as status:
        status.refresh()
        _rename(database, "snapshots", "elsewhere")
        [here] = status.refresh()
        assert here.snapshot
        status.refresh()
        _rename(database, "elsewhere", "snapshots")
        status.refresh()
    assert len(stored(readings, "here")) == 4


def _rename(database: sa.Engine, table: str, name: str) -> None:
    with database.begin() as connection:
        connection.execute(sa.text(f"ALTER TABLE {table} RENAME TO {name}"))


def test_a_new_backend_goes_on_from_what_is_stored(readings: Readings, tmp_path: Path) -> None:
    before = now() - timedelta(seconds=20)
    host = HostReading(cpu_percent=70, memory_total_mib=1000, memory_available_mib=500)
    readings.remember([Snapshot(server="ada", at=before, host=host, gpus=())])
    server = Server(name="ada", agent=f"http://127.0.0.1:{free_port()}", token_file=token_file(tmp_path))
    with status_of(readings, tmp_path, server) as status:
        [ada] = status.refresh()
    assert ada.verdict.state is State.BUSY
    assert ada.seen_at == before
    assert 70 in ada.last_hour


def test_what_a_silent_server_said_last_outlives_the_backend(readings: Readings, tmp_path: Path) -> None:
    with answering(good_snapshot) as address:
        ada = Server(name="ada", agent=address, token_file=token_file(tmp_path))
        with status_of(readings, tmp_path, ada) as status:
            [before] = status.refresh()
    with status_of(readings, tmp_path, ada) as status:
        for _ in range(3):
            [after] = status.refresh()
    assert after.verdict.state is State.DOWN
    assert "; before: CPU 3 %" in after.verdict.reason
    assert after.last
    assert before.snapshot
    assert after.last.host == before.snapshot.host
    assert after.snapshot
    assert after.snapshot.host is None
    assert 3 in after.last_hour


def test_what_an_agent_read_while_no_backend_asked_is_taken_up(
    readings: Readings, tmp_path: Path, fake_gpus: FakeGpus
) -> None:
    agent = AgentProcess("ada", tmp_path, fake_gpus)
    try:
        agent.wait()
        for known in (0, 1):  # a server that is new, then a backend that was away
            before = stored(readings, "ada")
            while len(agent.get("/history").json()["snapshots"]) < len(before) + 3:
                threading.Event().wait(0.05)
            with status_of(readings, tmp_path, agent.server) as status:
                [ada] = status.refresh()
            after = stored(readings, "ada")
            assert ada.seen_at == after[-1].at
            assert after[: len(before)] == before
            assert len(after) >= len(before) + 3 + 1 - known
            moments = [snapshot.at for snapshot in after]
            assert moments == sorted(set(moments))
            assert {snapshot.server for snapshot in after} == {"ada"}
    finally:
        agent.kill()


def test_agents_that_fail_in_every_way(
    readings: Readings, tmp_path: Path, nvml_library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "ATTEMPT_SECONDS", 1.0)
    with ExitStack() as stack:
        agents = {}
        for name in ("fine", "killed", "stopped", "refusing", "hung"):
            folder = tmp_path / name
            folder.mkdir()
            gpus = FakeGpus(nvml_library, folder / "gpus")
            gpus.become("gpus=2", "utilization.0=90", "memory_used.0=40000")
            agents[name] = AgentProcess(name, folder, gpus)
            stack.callback(agents[name].kill)
        for agent in agents.values():
            agent.wait()
        status = stack.enter_context(
            status_of(readings, tmp_path, *(agent.server for agent in agents.values()))
        )
        wait_until(
            lambda: all(s.verdict.reason.startswith("1 of 2 GPUs free") for s in status.refresh()),
            "GPUs that are read",
        )
        agents["killed"].kill()
        agents["stopped"].process.send_signal(signal.SIGSTOP)
        token_file(agents["refusing"].folder, "another")
        agents["hung"].gpus.become("gpus=2", "hang=1")
        states = [{name: s.verdict.state for name, s in by_name(status.refresh()).items()} for _ in range(3)]
        known = by_name(status.current())
        assert [state["fine"] for state in states] == [State.BUSY] * 3
        assert [state["killed"] for state in states] == [State.BUSY, State.BUSY, State.DOWN]
        assert [state["stopped"] for state in states] == [State.BUSY, State.BUSY, State.DOWN]
        assert known["killed"].verdict.reason.startswith("agent not answering (connection refused) since")
        assert known["stopped"].verdict.reason.startswith("agent not answering since")
        assert known["refusing"].verdict.state is State.BUSY  # seen seconds ago, and no silence
        assert known["hung"].verdict.state is State.FULL
        assert known["hung"].verdict.reason.startswith("GPU driver not answering for")
        assert known["killed"].snapshot
        assert known["killed"].snapshot.gpus is None

        agents["killed"].start()
        agents["killed"].wait()
        agents["stopped"].process.send_signal(signal.SIGCONT)
        token_file(agents["refusing"].folder)
        agents["hung"].gpus.become("gpus=2")
        for _ in range(2000):
            known = by_name(status.refresh())
            if known["hung"].verdict.reason.startswith("both GPUs free"):
                break
            threading.Event().wait(0.05)
        assert known["hung"].verdict.reason.startswith("both GPUs free")
        others = [status.verdict.reason for name, status in known.items() if name != "hung"]
        assert all(reason.startswith("1 of 2 GPUs free") for reason in others)


def test_servers_come_and_go_while_the_others_are_read(readings: Readings, tmp_path: Path) -> None:
    token = token_file(tmp_path)
    with answering(good_snapshot) as one, answering(good_snapshot) as other:
        ada, bob = (
            Server(name=name, agent=address, token_file=token)
            for name, address in (("ada", one), ("bob", other))
        )
        with status_of(readings, tmp_path, ada) as status:
            status.refresh()
            seen_at = by_name(status.current())["ada"].seen_at
            status.follow([ada, bob])
            assert by_name(status.current())["bob"].verdict.reason == "no reading yet"
            assert by_name(status.current())["ada"].seen_at == seen_at
            assert {name: s.verdict.state for name, s in by_name(status.refresh()).items()} == {
                "ada": State.IDLE,
                "bob": State.IDLE,
            }
            status.follow([bob.model_copy(update={"agent": one}), Server(name="here")])
            known = by_name(status.refresh())
            assert set(known) == {"bob", "here"}
            assert known["bob"].verdict.state is State.IDLE
            assert known["here"].snapshot
            assert status.verdict_of("ada") is None
            status.follow([bob])
            assert set(by_name(status.refresh())) == {"bob"}
    assert len(stored(readings, "ada")) == 2
    assert len(stored(readings, "bob")) == 3


def test_a_look_at_one_server_reads_it_now_and_asks_no_other(readings: Readings, tmp_path: Path) -> None:
    asked: list[str] = []

    def counted(request: BaseHTTPRequestHandler) -> None:
        asked.append(request.path)
        good_snapshot(request)

    with answering(counted) as ada_at, answering(good_snapshot) as bob_at:
        ada = Server(name="ada", agent=ada_at, token_file=token_file(tmp_path))
        bob = Server(name="bob", agent=bob_at, token_file=token_file(tmp_path))
        with status_of(readings, tmp_path, ada, bob) as status:
            status.refresh()
            asked.clear()
            first, second = status.look_at("bob"), status.look_at("bob")
            assert status.look_at("cid") is None
    assert first
    assert second
    assert first.seen_at
    assert second.seen_at
    assert second.seen_at > first.seen_at
    assert asked == []
