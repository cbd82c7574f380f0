import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

import httpx
import pytest
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families

from backend.agent import Recorder, create_agent
from backend.errors import InvalidError
from backend.jobs.run_files import RunFiles
from backend.probe.sampler import Sampler
from backend.probe.snapshot import Snapshot
from backend.servers.server import TOKEN_VARIABLE, read_agent_token
from backend.times import iso, now
from models.run_folder import RunFolder
from tests.patience import PATIENCE_SECONDS, wait_until
from tests.probe.fake_gpus import FakeGpus
from tests.servers.agents import SERVE, TOKEN, AgentProcess, free_port, token_file

BEARER = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    runs = tmp_path / "runs"
    (runs / "r123456" / "figures").mkdir(parents=True)
    (runs / "r123456" / "result.json").write_text('{"words": []}')
    (runs / "r123456" / "figures" / "confusion.png").write_bytes(b"\x89PNG")
    (tmp_path / "secret").write_text("do not tell")
    (runs / "secret").write_text("do not tell")
    (runs / "r123456" / "link").symlink_to(tmp_path / "secret")
    (runs / "linked").symlink_to(tmp_path)
    return runs


@pytest.fixture
def client(tmp_path: Path, runs: Path) -> Iterator[FlaskClient]:
    with Sampler("ada", tmp_path) as sampler:
        kept = [sampler.sample(), sampler.sample()]

        def since(moment: datetime | None) -> list[str]:
            return [s.model_dump_json() for s in kept if moment is None or s.at >= moment]

        with create_agent(sampler.sample, since, runs, TOKEN).test_client() as client:
            yield client


@pytest.mark.parametrize(
    "path", ["/snapshot", "/history", "/metrics", "/runs/r123456", "/runs/r123456/result.json", "/nothing"]
)
@pytest.mark.parametrize("given", [None, "", "Bearer ", "Bearer wrong", TOKEN, f"bearer {TOKEN}", "Bearer ä"])
def test_nothing_answers_without_the_token(client: FlaskClient, path: str, given: str | None) -> None:
    answer = client.get(path, headers={} if given is None else {"Authorization": given})
    assert answer.status_code == 401
    assert answer.json == {
        "error": {
            "code": "refused",
            "message": "This agent needs its token.",
            "hint": "Send it as `Authorization: Bearer ...`.",
        }
    }


def test_a_snapshot(client: FlaskClient) -> None:
    snapshot = Snapshot.model_validate_json(client.get("/snapshot", headers=BEARER).data)
    assert snapshot.server == "ada"
    assert snapshot.host
    assert snapshot.host.memory_total_mib


def test_the_history_since_a_moment(client: FlaskClient) -> None:
    everything = json.loads(client.get("/history", headers=BEARER).data)["snapshots"]
    assert [snapshot["server"] for snapshot in everything] == ["ada", "ada"]
    future = iso(now() + timedelta(minutes=1))
    assert client.get("/history", headers=BEARER, query_string={"since": future}).json == {"snapshots": []}
    past = (now() - timedelta(minutes=1)).isoformat()
    assert client.get("/history", headers=BEARER, query_string={"since": past}).json == {
        "snapshots": everything
    }


@pytest.mark.parametrize("since", ["yesterday", "2026-11-22T14:02:00", "", "9" * 50])
def test_a_moment_that_is_none(client: FlaskClient, since: str) -> None:
    answer = client.get("/history", headers=BEARER, query_string={"since": since})
    assert answer.status_code == 400
    assert "is no moment" in answer.get_json()["error"]["message"]


def test_metrics_are_what_prometheus_reads(client: FlaskClient) -> None:
    answer = client.get("/metrics", headers=BEARER)
    families = {family.name: family for family in text_string_to_metric_families(answer.text)}
    assert families["sheetrack_up"].samples[0].value == 1
    assert families["sheetrack_memory_total_mib"].samples[0].labels == {"server": "ada"}
    assert families["sheetrack_memory_total_mib"].samples[0].value > 0


def test_files_of_runs(client: FlaskClient) -> None:
    with client.get("/runs/r123456/result.json", headers=BEARER) as answer:
        assert (answer.status_code, answer.json) == (200, {"words": []})
    with client.get("/runs/r123456/figures/confusion.png", headers=BEARER) as answer:
        assert answer.data == b"\x89PNG"


@pytest.mark.parametrize(
    ("wanted", "content", "told"),
    [
        ("-4", b" []}", "bytes 9-12/13"),
        ("-13", b'{"words": []}', "bytes 0-12/13"),
        ("-262144", b'{"words": []}', None),
        ("2-6", b"words", "bytes 2-6/13"),
    ],
)
def test_parts_of_a_file(client: FlaskClient, wanted: str, content: bytes, told: str | None) -> None:
    with client.get("/runs/r123456/result.json", headers=BEARER | {"Range": f"bytes={wanted}"}) as answer:
        assert (answer.data, answer.headers.get("Content-Range")) == (content, told)


def test_the_list_of_a_run(client: FlaskClient, runs: Path) -> None:
    folder = RunFolder(runs / "r123456")
    (folder.path / ".result.json.123").write_text("half of")
    folder.brain.mkdir()
    (folder.brain / "sounds.json").write_text("{}")
    (folder.brain / "sounds.npz").write_bytes(b"stays there")
    with folder.lock():
        told = RunFiles.model_validate_json(client.get("/runs/r123456", headers=BEARER).data)
        noted = folder.lock_file.stat().st_size
    assert told.is_training
    assert {file.name: file.size_bytes for file in told.files} == {
        "brain/sounds.json": 2,
        "figures/confusion.png": 4,
        "lock": noted,
        "result.json": 13,
    }
    modified = {file.name: file.modified_ns for file in told.files}["result.json"]
    assert modified == folder.result_file.stat().st_mtime_ns
    assert not client.get("/runs/r123456", headers=BEARER).get_json()["is_training"]


@pytest.mark.parametrize(
    "run", ["r999999", "secret", "linked", ".", "..", "%2E%2E", "..%2Fruns", "r123456%00"]
)
def test_what_is_no_run_has_no_list(client: FlaskClient, run: str) -> None:
    answer = client.get(f"/runs/{run}", headers=BEARER)
    assert answer.status_code == 404
    assert b"secret" not in answer.data.replace(b"'secret'", b"").replace(b"/secret", b"")


@pytest.mark.parametrize(
    "path",
    [
        "/runs/r123456/missing",
        "/runs/r123456/figures",
        "/runs/r123456/../secret",
        "/runs/r123456/..%2Fsecret",
        "/runs/r123456/..%2F..%2Fsecret",
        "/runs/../secret",
        "/runs/..%2Fsecret/x",
        "/runs/r123456//etc/passwd",
        "/runs/r123456/%2Fetc%2Fpasswd",
        "/runs/r123456/link",
        "/runs/linked/secret",
        "/runs/./secret",
        "/runs/secret",
        "/runs/r123456/result.json%00.png",
        "/elsewhere",
    ],
)
def test_no_other_file_is_handed_out(client: FlaskClient, path: str) -> None:
    answer = client.get(path, headers=BEARER)
    assert answer.status_code in (308, 404)
    assert b"do not tell" not in answer.data


def test_a_real_agent(tmp_path: Path, fake_gpus: FakeGpus) -> None:
    fake_gpus.become("gpus=8", "utilization.3=77", f"pid.3={os.getpid()}")
    agent = AgentProcess("ada", tmp_path, fake_gpus)
    try:
        agent.wait()
        snapshot = Snapshot.model_validate_json(agent.get("/snapshot").content)
        assert snapshot.gpus
        assert [gpu.utilization_percent for gpu in snapshot.gpus] == [0, 0, 0, 77, 0, 0, 0, 0]
        assert snapshot.users
        assert agent.get("/snapshot", token="wrong").status_code == 401
        utilization = [line for line in agent.get("/metrics").text.splitlines() if "utilization" in line]
        assert any('gpu="3"' in line and line.endswith(" 77.0") for line in utilization)
    finally:
        agent.process.terminate()
        agent.process.wait()


def test_the_command_says_that_it_answers(tmp_path: Path) -> None:
    port = free_port()
    command = [sys.executable, "-m", "backend.cli", "agent", "--port", str(port)]
    with subprocess.Popen(
        [*command, "--token-file", str(token_file(tmp_path))],
        stdout=subprocess.PIPE, text=True, env={**os.environ, "SHEETRACK_HOME": str(tmp_path)},
    ) as process:  # fmt: skip
        assert process.stdout
        assert process.stdout.readline() == f"Answers on port {port} of 127.0.0.1 until Ctrl-C.\n"
        assert httpx.get(f"http://127.0.0.1:{port}/snapshot", timeout=60).status_code == 401
        process.terminate()


HUNG_DISK = f"""
import threading
from backend import agent as patched
patched._run_file = lambda *_: threading.Event().wait()
{SERVE}"""


def test_a_disk_that_hangs_does_not_silence_the_agent(tmp_path: Path, fake_gpus: FakeGpus) -> None:
    agent = AgentProcess("ada", tmp_path, fake_gpus, HUNG_DISK)
    refused = threading.Event()

    def ask() -> None:
        with suppress(httpx.TransportError):
            answer = agent.get("/runs/r123456/train.log")
            assert answer.json()["error"]["message"] == "The disk of the runs does not answer yet."
            refused.set()

    try:
        agent.wait()
        asking = [threading.Thread(target=ask) for _ in range(12)]
        for thread in asking:
            thread.start()
        assert refused.wait(PATIENCE_SECONDS)
        for _ in range(3):
            assert Snapshot.model_validate_json(agent.get("/snapshot").content).gpus
    finally:
        agent.kill()
    for thread in asking:
        thread.join()


def test_files_are_handed_out_again_and_again(tmp_path: Path, fake_gpus: FakeGpus) -> None:
    (tmp_path / "runs" / "r123456").mkdir(parents=True)
    (tmp_path / "runs" / "r123456" / "train.log").write_bytes(b"x" * 1_000_000)
    agent = AgentProcess("ada", tmp_path, fake_gpus)
    try:
        agent.wait()
        for _ in range(10):
            assert len(agent.get("/runs/r123456/train.log").content) == 1_000_000
            assert agent.get("/runs/r123456/missing").status_code == 404
            assert agent.get("/runs/r123456").status_code == 200
    finally:
        agent.process.terminate()
        agent.process.wait()


def test_a_reading_that_fails_ends_no_recording(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    class Failing(Sampler):
        tries = 0

        def sample(self) -> Snapshot:
            self.tries += 1
            if self.tries in (1, 2, 3):
                raise ZeroDivisionError
            return super().sample()

    with Failing("ada", tmp_path) as sampler, Recorder(sampler, 0.01) as recorder:
        wait_until(lambda: recorder.since(None))
    assert [record.getMessage() for record in caplog.records] == ["this machine cannot be read"]


def test_a_port_in_use(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        command = [sys.executable, "-c", SERVE, str(tmp_path), str(port), str(token_file(tmp_path))]
        answer = subprocess.run(command, capture_output=True, text=True, check=False)
    assert answer.returncode == 1
    assert f"ConflictError: Port {port} is in use." in answer.stderr


def test_a_token_that_others_may_read_is_not_used(tmp_path: Path) -> None:
    file = token_file(tmp_path)
    assert read_agent_token(file) == TOKEN
    for mode in (0o640, 0o604, 0o644):
        file.chmod(mode)
        with pytest.raises(InvalidError, match="Others may read") as refused:
            read_agent_token(file)
        assert TOKEN not in str(refused.value)


def test_a_token_that_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InvalidError, match="No such file"):
        read_agent_token(tmp_path / "missing")
    with pytest.raises(InvalidError, match="is empty"):
        read_agent_token(token_file(tmp_path, "  "))
    with pytest.raises(InvalidError, match="it is no text"):
        read_agent_token(_binary(tmp_path))
    monkeypatch.delenv(TOKEN_VARIABLE, raising=False)
    with pytest.raises(InvalidError, match=TOKEN_VARIABLE):
        read_agent_token(None)
    monkeypatch.setenv(TOKEN_VARIABLE, TOKEN)
    assert read_agent_token(None) == TOKEN


def _binary(folder: Path) -> Path:
    file = folder / "binary"
    file.touch(mode=0o600)
    file.write_bytes(b"\xff\xfe")
    return file
