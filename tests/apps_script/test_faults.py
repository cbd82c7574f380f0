"""What a person reads when the way to the backend fails."""

import socket
import threading
from http.server import BaseHTTPRequestHandler

import pytest

from tests.apps_script.add_on import run
from tests.apps_script.answering import Reply, answering, hang_up, reply
from tests.patience import PATIENCE_SECONDS


def fault(address: str, **world: object) -> str:
    (result,) = run(["cancelJob", "r3f2a9b"], address=address, **world)["results"]
    return str(result["fault"])


@pytest.mark.parametrize(
    ("answer", "sentence", "tries"),
    [
        (reply(401), "The backend does not know who you are. If several Google accounts are signed in", 1),
        (reply(403), "You may not do this. Ask the person who runs the backend", 1),
        (
            reply(500, "<h1>Oops</h1>"),
            "The backend cannot answer now (status 500). Try again in a minute.",
            1,
        ),
        (reply(502), "The backend cannot answer now (status 502). Try again in a minute.", 2),
        (reply(200, "<h1>Welcome</h1>"), "What answers at {address} is not Sheetrack (status 200).", 1),
        (reply(404, "Not here"), "What answers at {address} is not Sheetrack (status 404).", 1),
        (reply(302, Location="/elsewhere"), "What answers at {address} is not Sheetrack (status 302).", 1),
        (
            reply(
                503, '{"error": {"code": "x", "message": "The disk is full.", "hint": "Free some space."}}'
            ),
            "The disk is full. Free some space.",
            2,
        ),
        (hang_up, "The backend at {address} does not answer. See whether it is running", 2),
    ],
)
def test_a_refusal_becomes_a_sentence(answer: Reply, sentence: str, tries: int) -> None:
    with answering(answer) as (address, requests):
        assert fault(address).startswith(sentence.format(address=address))
        assert len(requests) == tries


def test_a_closed_port_is_unreachable() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{closed.getsockname()[1]}"
        assert fault(address).startswith(f"The backend at {address} does not answer.")


def test_a_slow_answer_is_a_time_out() -> None:
    done = threading.Event()

    def dawdle(request: BaseHTTPRequestHandler) -> None:
        done.wait(PATIENCE_SECONDS)
        hang_up(request)

    with answering(dawdle) as (address, requests):
        try:
            assert fault(address, limit_ms=300).startswith("The backend did not answer in time.")
            assert len(requests) == 2
        finally:
            done.set()


GOOGLES = {
    "Service invoked too many times for one day: urlfetch.": "Google allows this account no more calls today.",
    "You do not have permission to call UrlFetchApp.fetchAll. Required permissions: https://...": "The add-on lacks a permission of Google.",
    "DNS error: {url}": "Google does not find https://lab.example.org.",
    "SSL Error {url}": "Google does not accept the certificate of https://lab.example.org.",
    "Address unavailable: {url}": "The backend at https://lab.example.org does not answer.",
    "Timeout: {url}": "The backend did not answer in time.",
}


@pytest.mark.parametrize("text", GOOGLES, ids=lambda text: text[:12])
def test_google_s_own_faults_are_told_as_google_s(text: str) -> None:
    seen = run(["cancelJob", "r3f2a9b"], address="https://lab.example.org", fetch_fault=f"Exception: {text}")
    assert seen["results"][0]["fault"].startswith(GOOGLES[text])
    assert seen["fetches"] == (2 if "does not answer" in GOOGLES[text] or "in time" in GOOGLES[text] else 1)


def test_a_missing_address_is_asked_for() -> None:
    assert fault("") == "The address of the backend is not set. Enter it in the menu Sheetrack, Settings."


@pytest.mark.parametrize("first", [hang_up, reply(503)])
def test_one_failure_is_not_told(first: Reply) -> None:
    with answering(first, reply(200, '{"id": "r3f2a9b"}')) as (address, requests):
        (result,) = run(["cancelJob", "r3f2a9b"], address=address)["results"]
    assert result == {"answer": {"id": "r3f2a9b"}}
    assert len(requests) == 2


def test_every_call_says_who_asks_and_launches_bear_their_key() -> None:
    request = {"key": "0123456789abcdef", "server": "gpu2", "recipe": {}}
    with answering(reply(503), reply(200, "{}")) as (address, requests):
        run(["launchTraining", request], address=address, token="who.i.am")
    assert [sent.headers["Idempotency-Key"] for sent in requests] == ["0123456789abcdef"] * 2
    assert {sent.headers["Authorization"] for sent in requests} == {"Bearer who.i.am"}
