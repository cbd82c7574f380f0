"""Why a queued job waits, in the order in which the reasons count."""

import pytest

from backend.jobs import placement as rules
from backend.jobs.placement import Placement
from backend.servers.state import State, Verdict
from tests import examples

JOB = examples.job("r1")


def obstacle(
    *,
    occupied: bool = False,
    verdict: Verdict | None = None,
    reserved: str | None = None,
    server: str = "gpu1",
) -> str | None:
    placement = Placement({"gpu1"}, lambda _: verdict, lambda _server, _person: reserved)
    return placement.obstacle(JOB.model_copy(update={"server": server}), {"gpu1"} if occupied else set())


def test_a_server_with_room_takes_a_job() -> None:
    for state in (State.IDLE, State.BUSY):
        assert obstacle(verdict=Verdict(state=state, reason="1 of 2 GPUs free")) is None


@pytest.mark.parametrize("state", [State.FULL, State.OVERLOADED, State.STALE, State.DOWN])
def test_a_closed_server_takes_none(state: State) -> None:
    assert obstacle(verdict=Verdict(state=state, reason="why")) == f"gpu1 is {state}: why"


def test_reasons_are_told_in_their_order() -> None:
    closed = Verdict(state=State.MAINTENANCE, reason="new disks")
    reserved = "gpu1 is reserved by Max"
    assert obstacle() == "gpu1 has not been read yet"
    assert obstacle(verdict=closed) == "gpu1 is in maintenance: new disks"
    assert obstacle(verdict=closed, reserved=reserved) == reserved
    assert (
        obstacle(verdict=closed, reserved=reserved, occupied=True) == "another training runs on this server"
    )
    assert "put it back into servers.toml" in (obstacle(server="gpu9", verdict=closed) or "")


def test_a_server_where_a_start_failed_rests_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    placement = Placement({"gpu1"}, lambda _: Verdict(state=State.IDLE, reason=""), None)
    placement.start_failed("gpu1", "The disk is full.")
    assert placement.obstacle(JOB, set()) == "The disk is full."
    monkeypatch.setattr(rules, "_START_PAUSE_SECONDS", 0)
    placement.start_failed("gpu1", "The disk is full.")
    assert placement.obstacle(JOB, set()) is None
