"""Servers read over SSH, through the real client and a real server on loopback."""

import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
import pytest

from backend.probe.sampler import Sampler
from backend.probe.snapshot import Failure, Snapshot
from backend.probe.standalone import TOO_OLD
from backend.servers import ssh_client
from backend.servers.poller import Poller
from backend.servers.server import Server
from tests.patience import PATIENCE_SECONDS
from tests.probe.fake_gpus import FakeGpus
from tests.servers.agents import free_port
from tests.servers.sshd import Sshd, accounts, need_ssh

pytestmark = pytest.mark.ssh

SERVER = Server(name="ada", agent="ssh://gpu2")


@pytest.fixture
def sshd(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sshd]:
    """Runs, is trusted, and is what `gpu2` means."""
    need_ssh()
    # Other accounts must find their keys, and pytest's folders are closed to them.
    with TemporaryDirectory() as folder:
        server = Sshd(Path(folder))
        server.trust()
        monkeypatch.setenv("PATH", str(server.write_client()), prepend=":")
        server.start()
        yield server
        server.stop()


@pytest.fixture
def poll() -> Iterator[Callable[..., list[Snapshot]]]:
    """Reads servers, by default the one; the same poller each time."""
    pollers: list[Poller] = []

    def once(*servers: Server) -> list[Snapshot]:
        if not pollers:
            pollers.append(Poller(servers or [SERVER], lambda name: Sampler(name, Path("/"))))
        return pollers[0].poll(lambda _: None)

    yield once
    for poller in pollers:
        poller.close()


def until(poll: Callable[..., list[Snapshot]], wanted: Callable[[Snapshot], object]) -> Snapshot:
    for _ in range(2000):
        [snapshot] = poll()
        if wanted(snapshot):
            return snapshot
        threading.Event().wait(0.05)
    raise AssertionError(snapshot)


def answers(snapshot: Snapshot) -> bool:
    return snapshot.failure is None


def is_told(snapshot: Snapshot) -> bool:
    """Not merely that the login takes longer than the first round."""
    return snapshot.failure is not None and snapshot.failure_text != "SSH not connected yet"


def test_a_real_account_over_one_connection(
    sshd: Sshd, poll: Callable[..., list[Snapshot]], fake_gpus: FakeGpus
) -> None:
    fake_gpus.become("gpus=2", "utilization.1=70", f"pid.1={psutil.Process().pid}")
    sshd.stop()
    sshd.environment = {name: fake_gpus.environment[name] for name in ("LD_LIBRARY_PATH", "FAKE_NVML")}
    sshd.start()
    snapshot = until(poll, lambda snapshot: snapshot.gpus and snapshot.gpus[1].processes)
    assert snapshot.server == "ada"
    assert snapshot.host
    assert snapshot.host.memory_total_mib == pytest.approx(psutil.virtual_memory().total / 2**20, abs=1)
    assert [gpu.utilization_percent for gpu in snapshot.gpus or ()] == [0, 70]
    assert snapshot.users
    for _ in range(3):
        assert answers(poll()[0])
    assert sshd.logins() == 1
    assert len(sshd.probes()) == 1


def test_two_accounts(sshd: Sshd, poll: Callable[..., list[Snapshot]]) -> None:
    kim, lee = "sheetrack-kim", "sheetrack-lee"
    with accounts(kim, lee):
        servers = [Server(name=name, agent=f"ssh://{name}@gpu2") for name in (kim, lee)]
        for _ in range(2000):
            if all(map(answers, snapshots := poll(*servers))):
                break
        assert [(snapshot.server, snapshot.failure) for snapshot in snapshots] == [(kim, None), (lee, None)]
        assert {probe.username() for probe in sshd.probes()} == {kim, lee}
        sshd.stop()


def test_nothing_stays_behind(sshd: Sshd) -> None:
    others = psutil.Process().children(recursive=True)
    poller = Poller([SERVER], lambda name: Sampler(name, Path("/")))
    until(lambda: poller.poll(lambda _: None), answers)
    there = [*psutil.Process().children(recursive=True), *sshd.probes()]
    there += [child for probe in sshd.probes() for child in probe.children()]
    there = [one for one in there if one not in others]
    assert there
    poller.close()
    _, alive = psutil.wait_procs(there, timeout=PATIENCE_SECONDS)
    assert [one for one in alive if one.name() != "sshd"] == []


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_probe_that_is_killed_is_started_again(
    sshd: Sshd, poll: Callable[..., list[Snapshot]], how: signal.Signals
) -> None:
    until(poll, answers)
    [probe] = sshd.probes()
    probe.send_signal(how)
    psutil.wait_procs([probe], timeout=PATIENCE_SECONDS)
    until(poll, answers)
    assert [again.pid != probe.pid for again in sshd.probes()] == [True]


def test_a_probe_that_is_stopped_is_told_and_replaced(
    sshd: Sshd, poll: Callable[..., list[Snapshot]], monkeypatch: pytest.MonkeyPatch
) -> None:
    until(poll, answers)
    monkeypatch.setattr(ssh_client, "ATTEMPT_SECONDS", 0.3)
    [probe] = sshd.probes()
    probe.suspend()
    silent = [poll()[0] for _ in range(3)]
    assert [snapshot.failure for snapshot in silent] == [Failure.AGENT_DOWN] * 3
    assert {snapshot.failure_text for snapshot in silent} == {"SSH not answering"}
    until(poll, answers)
    probe.resume()
    psutil.wait_procs([probe], timeout=PATIENCE_SECONDS)
    assert not probe.is_running()


def test_a_late_answer_is_not_taken_for_a_new_one(
    sshd: Sshd, poll: Callable[..., list[Snapshot]], monkeypatch: pytest.MonkeyPatch
) -> None:
    until(poll, answers)
    monkeypatch.setattr(ssh_client, "ATTEMPT_SECONDS", 0.3)
    [probe] = sshd.probes()
    probe.suspend()
    assert poll()[0].failure
    probe.resume()
    monkeypatch.setattr(ssh_client, "ATTEMPT_SECONDS", 30)
    assert answers(poll()[0])
    assert answers(poll()[0])
    assert [probe.pid for probe in sshd.probes()] == [probe.pid]


def test_a_server_that_goes_and_comes_back(sshd: Sshd, poll: Callable[..., list[Snapshot]]) -> None:
    until(poll, answers)
    sshd.stop()
    gone = until(poll, lambda snapshot: "refused" in (snapshot.failure_text or ""))
    assert (gone.failure, gone.failure_text) == (
        Failure.AGENT_DOWN,
        "SSH not answering (connection refused)",
    )
    sshd.start()
    until(poll, answers)


def test_a_server_whose_key_is_not_known(sshd: Sshd, poll: Callable[..., list[Snapshot]]) -> None:
    (sshd.folder / "known_hosts").write_text("")
    snapshot = until(poll, is_told)
    assert snapshot.failure is Failure.REFUSED
    assert snapshot.failure_text == "SSH host key is not known: run `ssh gpu2` once on the backend's machine"
    assert sshd.logins() == 0


def test_a_server_whose_key_has_changed(sshd: Sshd, poll: Callable[..., list[Snapshot]]) -> None:
    sshd.trust(sshd.new_key("another"))
    snapshot = until(poll, is_told)
    assert snapshot.failure is Failure.REFUSED
    assert snapshot.failure_text
    assert snapshot.failure_text.startswith("SSH host key has changed: check why, run `ssh-keygen -R gpu2`")
    assert sshd.logins() == 0


def test_a_key_that_is_not_accepted(sshd: Sshd, poll: Callable[..., list[Snapshot]]) -> None:
    sshd.write_client(key=sshd.new_key("another"))
    snapshot = until(poll, is_told)
    assert snapshot.failure is Failure.REFUSED
    assert (
        snapshot.failure_text == "SSH accepts no key of ours: run `ssh-copy-id gpu2` on the backend's machine"
    )
    sshd.write_client()
    until(poll, answers)


def test_a_name_that_is_not_known(sshd: Sshd, poll: Callable[..., list[Snapshot]]) -> None:
    sshd.write_client(host="gpu2.invalid")
    snapshot = until(poll, is_told)
    assert (snapshot.failure, snapshot.failure_text) == (
        Failure.UNREACHABLE,
        "not reachable (unknown host name)",
    )


def test_a_server_that_accepts_and_says_nothing(
    sshd: Sshd, poll: Callable[..., list[Snapshot]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ssh_client, "ATTEMPT_SECONDS", 0.3)
    monkeypatch.setitem(ssh_client._OPTIONS, "ConnectTimeout", "2")
    with socket.create_server(("127.0.0.1", free_port())) as silent:
        sshd.port = silent.getsockname()[1]
        sshd.write_client()
        assert poll()[0].failure_text == "SSH not connected yet"
        snapshot = until(poll, is_told)
    assert (snapshot.failure, snapshot.failure_text) == (Failure.AGENT_DOWN, "SSH not answering")


@pytest.mark.parametrize(
    ("program", "failure", "text"),
    [
        ("", Failure.BROKEN, "it has no python3"),
        (f"echo '{TOO_OLD}3.6.8' >&2; exit 1", Failure.BROKEN, "its python3 is too old: 3.8 or newer is needed"),
        ("yes; exit", Failure.BROKEN, "its login prints too much before the probe starts"),
        ("echo sheetrack probe; read _; head -c 300000 /dev/zero; sleep 60", Failure.BROKEN,
         "its probe's answer is too large"),
        ("echo sheetrack probe; while read _; do echo '{\"host\": 3}'; done", Failure.BROKEN,
         "its probe's answer cannot be read"),
        ("echo 'odd failure' >&2; exit 3", Failure.AGENT_DOWN, "SSH connection has ended (odd failure)"),
    ],
)  # fmt: skip
def test_a_server_whose_python_is_none(
    sshd: Sshd, poll: Callable[..., list[Snapshot]], program: str, failure: Failure, text: str
) -> None:
    sshd.stop()
    programs = sshd.folder / "there"
    programs.mkdir()
    for name in ("yes", "head", "sleep"):
        (programs / name).symlink_to(f"/usr/bin/{name}")
    if program:
        (programs / "python3").write_text(f"#!/bin/sh\n{program}\n")
        (programs / "python3").chmod(0o755)
    sshd.environment = {"PATH": str(programs)}
    sshd.start()
    snapshot = until(poll, is_told)
    assert (snapshot.failure, snapshot.failure_text) == (failure, text)


def test_a_login_that_talks_first(sshd: Sshd, poll: Callable[..., list[Snapshot]]) -> None:
    sshd.stop()
    programs = sshd.folder / "there"
    programs.mkdir()
    real = getattr(sys, "_base_executable", sys.executable)
    (programs / "python3").write_text(
        f'#!/bin/sh\necho Welcome to gpu2!\necho Quota: 3 %\nexec {real} "$@"\n'
    )
    (programs / "python3").chmod(0o755)
    sshd.environment = {"PATH": f"{programs}:/usr/bin:/bin"}
    sshd.start()
    assert until(poll, answers).host


def test_a_machine_without_ssh(poll: Callable[..., list[Snapshot]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nothing")
    [snapshot] = poll()
    assert snapshot.failure is Failure.BROKEN
    assert snapshot.failure_text == "the backend's machine has no ssh: install openssh-client"


def test_one_that_hangs_delays_no_other(
    sshd: Sshd, poll: Callable[..., list[Snapshot]], monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", free_port())) as silent:
        hangs = Server(name="bob", agent=f"ssh://127.0.0.1:{silent.getsockname()[1]}")
        for _ in range(2000):
            ada, bob = poll(SERVER, hangs)
            if answers(ada):
                break
        assert answers(ada)
        assert bob.failure is Failure.AGENT_DOWN
