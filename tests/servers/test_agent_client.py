"""Answers of agents that are too large, packed, or partly broken."""

import asyncio
import gzip
import json
import random
import ssl
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import psutil
import pytest

from backend.probe.snapshot import Failure, Snapshot
from backend.servers import agent_client
from backend.servers.agent_client import RemoteAgent
from backend.servers.poller import Poller
from backend.servers.server import Server
from backend.servers.state import State
from backend.times import now
from tests.patience import PATIENCE_SECONDS
from tests.servers.agents import Answer, answering, say, token_file
from tests.servers.moments import START, verdict_of


def asked(folder: Path, answer: Answer) -> Snapshot:
    with answering(answer) as address:
        server = Server(name="ada", agent=address, token_file=token_file(folder))
        poller = Poller([server], lambda _: pytest.fail("nothing is read here"))
        [snapshot] = poller.poll(lambda _: None)
        poller.close()
    return snapshot


def history(folder: Path, snapshots: Sequence[object]) -> list[Snapshot]:
    with answering(say(json.dumps({"snapshots": snapshots}).encode())) as address:
        server = Server(name="ada", agent=address, token_file=token_file(folder))
        poller = Poller([server], lambda _: pytest.fail("nothing is read here"))
        [found] = poller.history({"ada": now() - timedelta(hours=1)})
        poller.close()
    return found


def content(**more: object) -> dict[str, Any]:
    return {"server": "elsewhere", "at": now().isoformat(), **more}


@pytest.mark.parametrize("size", [1 << 20, 200_000])
def test_a_large_answer_leaves_a_small_reading(tmp_path: Path, size: int) -> None:
    processes: list[dict[str, object]] = []
    body = content(gpus=[{"index": 0, "processes": processes}])
    while len(json.dumps(body)) < size:
        processes += [
            {"pid": len(processes) + place, "user": f"user{place}", "command": "x" * 500}
            for place in range(100)
        ]
    snapshot = asked(tmp_path, say(json.dumps(body).encode()))
    if size > 200_000:
        assert (snapshot.failure, snapshot.failure_text) == (
            Failure.BROKEN,
            "agent's answer cannot be read (too large)",
        )
    else:
        assert len(snapshot.users) == 100
    assert len(snapshot.model_dump_json()) < 25_000


def test_names_from_an_agent_are_shown_as_text(tmp_path: Path) -> None:
    hostile = "\x1b]0;owned\x07kim\u202e"
    process = {"pid": 1, "user": hostile, "command": f"{hostile}/train -phunter2"}
    body = content(
        gpus=[{"index": 0, "name": hostile, "fault": hostile, "processes": [process]}], gpu_fault=hostile
    )
    snapshot = asked(tmp_path, say(json.dumps(body).encode()))
    assert snapshot.users == ["�]0;owned�kim�"]
    assert snapshot.model_dump_json().isprintable()


@pytest.mark.parametrize(
    ("minutes", "told"), [(-10, "clock 10 min behind"), (10, "clock 10 min ahead"), (0, "")]
)
def test_a_clock_that_is_wrong_is_told_and_changes_nothing_else(
    tmp_path: Path, minutes: int, told: str
) -> None:
    body = content(host={"cpu_percent": 5}, gpus=[])
    body["at"] = (now() + timedelta(minutes=minutes)).isoformat()
    snapshot = asked(tmp_path, say(json.dumps(body).encode()))
    assert abs(now() - snapshot.at) < timedelta(minutes=3)
    verdict = verdict_of(snapshot, at=(snapshot.at - START).total_seconds())
    assert (verdict.state, verdict.reason) == (State.IDLE, "; ".join(filter(None, [told, "CPU 5 %"])))


def test_a_packed_answer_is_not_unpacked(tmp_path: Path) -> None:
    body = gzip.compress(b" " * 50_000_000)

    def packed(request: BaseHTTPRequestHandler) -> None:
        assert request.headers["Accept-Encoding"] == "identity"
        request.send_response(200)
        request.send_header("Content-Encoding", "gzip")
        request.end_headers()
        request.wfile.write(body)

    assert asked(tmp_path, packed).failure is Failure.BROKEN


def test_one_broken_snapshot_costs_no_other_of_the_history(tmp_path: Path) -> None:
    ago = [(now() - timedelta(minutes=minutes)).isoformat() for minutes in range(5)]
    told = [
        content(at=ago[1]),
        content(at=ago[3], gpus="many"),
        "nonsense",
        content(at=ago[4]),
        content(at=ago[2], failure="broken"),
        content(at=ago[1]),
        content(at="0001-01-01T00:00:00+14:00"),
        content(at="9999-12-31T23:59:59-14:00"),
    ]
    found = history(tmp_path, told)
    assert [snapshot.at.isoformat() for snapshot in found] == [ago[4], ago[1]]
    assert {snapshot.server for snapshot in found} == {"ada"}


@pytest.mark.parametrize("body", [{"snapshots": None}, [], {"snapshots": [[[[]]]]}])
def test_a_history_that_is_none(tmp_path: Path, body: object) -> None:
    with answering(say(json.dumps(body).encode())) as address:
        server = Server(name="ada", agent=address, token_file=token_file(tmp_path))
        poller = Poller([server], lambda _: pytest.fail("nothing is read here"))
        assert poller.history({"ada": now() - timedelta(hours=1)}) == [[]]
        poller.close()


def test_a_long_history_is_taken_up_in_part(tmp_path: Path) -> None:
    begin = now() - timedelta(minutes=50)
    many = [content(at=(begin + timedelta(seconds=seconds)).isoformat()) for seconds in range(2900)]
    found = history(tmp_path, many)
    assert len(found) == 1000
    assert found[-1].at == begin + timedelta(seconds=2899)


def test_readings_that_are_cut_off_leave_no_connections(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = random.Random(7)

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while await reader.readuntil(b"\r\n\r\n"):
                await asyncio.sleep(0.01 * chance.random())
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n" + bytes(1000))
                await asyncio.sleep(0.01 * chance.random())
                writer.write(bytes(1000))
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    async def most_connections() -> int:
        listening = await asyncio.start_server(talk, "127.0.0.1", 0)
        port = listening.sockets[0].getsockname()[1]
        server = Server(name="ada", agent=f"http://127.0.0.1:{port}", token_file=token_file(tmp_path))
        most = 0
        with ThreadPoolExecutor(1) as threads:
            agent = RemoteAgent(server, ssl.create_default_context(), threads)
            for number in range(300):
                monkeypatch.setattr(agent_client, "ATTEMPT_SECONDS", 0.03 * chance.random())
                await agent.sample()
                if number % 10:  # a look takes longer than a reading
                    continue
                known = psutil.Process().net_connections("tcp")
                most = max(most, sum(bool(each.raddr) and each.raddr.port == port for each in known))
            await agent.close()
        # They are accepted in order. One that is accepted as the server closes would stay open: none is after this.
        last, end = await asyncio.open_connection("127.0.0.1", port)
        end.write(b"\r\n\r\n")
        await last.readexactly(2000)
        end.close()
        await end.wait_closed()
        async with asyncio.timeout(PATIENCE_SECONDS):
            while talks := asyncio.all_tasks() - {asyncio.current_task()}:
                await asyncio.wait(talks)
        listening.close()
        return most

    # In a thread without an event loop: a browser of other tests may keep one in this thread.
    with ThreadPoolExecutor(1) as threads:
        most = threads.submit(lambda: asyncio.run(most_connections())).result()
    assert most <= 2  # one may just be closing
