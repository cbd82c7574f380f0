"""Answers that are made once, and given packed, plain or not at all."""

import gzip
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import Flask, Response
from pydantic import BaseModel

from backend.api.kept_answer import KeptAnswer


class Content(BaseModel):
    number: int
    filling: str = "x" * 10_000


class Lab:
    """An app whose answer counts how often it was made."""

    def __init__(self) -> None:
        self.made = 0
        self.stamp: object = "first"
        self.kept = KeptAnswer(self.make, most_seconds=3600)
        self.app = Flask(__name__)

        @self.app.route("/", methods=["GET", "POST"])
        def answer() -> Response:
            return self.kept.response(self.stamp)

    def make(self) -> Content:
        self.made += 1
        return Content(number=self.made)


@pytest.fixture
def lab() -> Lab:
    return Lab()


def test_it_is_made_once_until_something_changes(lab: Lab) -> None:
    client = lab.app.test_client()
    assert [client.get("/").get_json()["number"] for _ in range(3)] == [1, 1, 1]
    lab.stamp = "second"
    assert [client.get("/").get_json()["number"] for _ in range(3)] == [2, 2, 2]
    lab.stamp = None
    assert [client.get("/").get_json()["number"] for _ in range(3)] == [3, 4, 5]


def test_it_is_made_again_after_its_time(lab: Lab) -> None:
    lab.kept = KeptAnswer(lab.make, most_seconds=-1)
    client = lab.app.test_client()
    assert [client.get("/").get_json()["number"] for _ in range(2)] == [1, 2]


def test_those_who_ask_at_the_same_time_wait_for_one_making(lab: Lab) -> None:
    barrier = threading.Barrier(8)

    def ask() -> int:
        client = lab.app.test_client()
        barrier.wait()
        return int(client.get("/").get_json()["number"])

    with ThreadPoolExecutor(8) as threads:
        assert [asked.result() for asked in [threads.submit(ask) for _ in range(8)]] == [1] * 8


def test_what_the_client_has_is_not_sent_again(lab: Lab) -> None:
    client = lab.app.test_client()
    tag = client.get("/").headers["ETag"]
    again = client.get("/", headers={"If-None-Match": tag})
    assert (again.status_code, again.data, again.headers["ETag"]) == (304, b"", tag)
    lab.stamp = "second"
    new = client.get("/", headers={"If-None-Match": tag})
    assert (new.status_code, new.get_json()["number"]) == (200, 2)
    posted = client.post("/", headers={"If-None-Match": new.headers["ETag"]})
    assert (posted.status_code, posted.get_json()["number"]) == (200, 2)


@pytest.mark.parametrize(
    ("accepted", "is_packed"),
    [
        ("gzip", True),
        ("br, gzip;q=0.5", True),
        ("*", True),
        ("identity", False),
        ("gzip;q=0", False),
        ("", False),
    ],
)
def test_it_is_packed_for_those_who_can_unpack(lab: Lab, accepted: str, is_packed: bool) -> None:
    client = lab.app.test_client()
    plain = client.get("/")
    answer = client.get("/", headers={"Accept-Encoding": accepted})
    assert answer.headers.get("Content-Encoding") == ("gzip" if is_packed else None)
    assert (gzip.decompress(answer.data) if is_packed else answer.data) == plain.data
    assert (answer.headers["ETag"] != plain.headers["ETag"]) == is_packed
    assert answer.headers["Vary"] == "Accept-Encoding"
    if is_packed:
        assert len(answer.data) * 10 < len(plain.data)
