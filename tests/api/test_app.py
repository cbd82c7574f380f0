"""The HTTP interface over a real server on loopback."""

import getpass
import json
import os
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from backend.errors import ConflictError
from backend.jobs.job import JobState
from backend.servers.state import State
from backend.service.serving import serving
from backend.service.wiring import Sheetrack
from backend.settings import Home
from backend.times import now
from models.recipe import Recipe
from models.run_folder import RunFolder
from tests import examples
from tests.examples import recipe_of
from tests.patience import wait_until
from tests.servers.agents import free_port, token_file
from tests.speech import write_words


@pytest.fixture(scope="module")
def sheetrack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sheetrack]:
    home = Home(tmp_path_factory.mktemp("home"))
    write_words(home.data / "tones")
    # Jobs wait, so these tests need no training.
    home.servers_file.write_text('[[server]]\nname = "here"\n')
    parts = Sheetrack(home)
    yield parts
    parts.close()


@pytest.fixture(scope="module")
def address(sheetrack: Sheetrack) -> Iterator[str]:
    with serving(sheetrack, 0) as address:
        sheetrack.periodic.stop()
        yield address


@pytest.fixture
def api(address: str) -> Iterator[httpx.Client]:
    base, token = address.split("/?token=")
    with httpx.Client(base_url=base, headers={"Authorization": f"Bearer {token}"}, timeout=60) as client:
        yield client


def launch_body(**recipe: object) -> dict[str, object]:
    small = {"architecture": "ch32", "depth": 4, "epochs": 1, "data": "tones"}
    return {"server": "here", "recipe": small | recipe}


def error(answer: httpx.Response) -> dict[str, str]:
    content = answer.json()
    assert set(content) == {"error"}
    assert set(content["error"]) == {"code", "message", "hint"}
    assert "Traceback" not in answer.text
    fault: dict[str, str] = content["error"]
    return fault


@pytest.mark.parametrize(
    "path",
    ["/", "/api/jobs", "/healthz", "/metrics", "/openapi.json", "/sidebar", "/web/page.js", "/nowhere"],
)
def test_nothing_answers_without_the_token(address: str, path: str) -> None:
    base = address.split("/?", maxsplit=1)[0]
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Cookie": f"sheetrack-{base[-5:]}=wrong"}):
        answer = httpx.get(base + path, headers=headers, timeout=60)
        assert answer.status_code == 401
        assert error(answer)["code"] == "token_needed"


def test_a_person_without_the_token_is_told_in_words(address: str) -> None:
    answer = httpx.get(address.split("?", maxsplit=1)[0], headers={"Accept": "text/html"}, timeout=60)
    assert answer.status_code == 401
    assert answer.headers["Content-Type"].startswith("text/html")
    assert "sheetrack up" in answer.text


def test_the_address_lets_a_browser_in_and_hides_the_token(address: str) -> None:
    with httpx.Client(timeout=60) as browser:
        answer = browser.get(address)
        assert answer.status_code == 302
        assert answer.headers["Location"].startswith("/#key=")
        assert "HttpOnly" in answer.headers["Set-Cookie"]
        page = browser.get(address.split("?", maxsplit=1)[0])
        assert page.status_code == 200
        assert "<title>Sheetrack" in page.text


def test_a_user_without_a_login_is_let_in(api: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 54321)
    assert api.get("/api/jobs").status_code == 200


@pytest.mark.parametrize(
    "headers",
    [{"Host": "evil.example"}, {"Origin": "http://evil.example"}, {"Host": "127.0.0.1.evil.example"}],
)
def test_other_sites_are_refused_even_with_the_token(api: httpx.Client, headers: dict[str, str]) -> None:
    answer = api.get("/api/jobs", headers=headers)
    assert answer.status_code == 403
    assert error(answer)["code"] == "refused"


@pytest.mark.parametrize(
    ("recipe", "words"),
    [
        ({"architecture": "lstm"}, "no architecture 'lstm'"),
        ({"depth": 0}, "recipe.depth"),
        ({"depth": 12}, "no depth 12"),
        ({"dropout": 1.5}, "recipe.dropout"),
        ({"epochs": -1}, "recipe.epochs"),
        ({"learning_rate": "much"}, "recipe.learning_rate"),
        ({"data": "nowhere"}, "no data folder 'nowhere'"),
        ({"colour": "red"}, "recipe.colour"),
        ({"name": "x" * 101}, "recipe.name"),
    ],
)
def test_a_recipe_that_makes_no_sense_is_refused_in_one_sentence(
    api: httpx.Client, sheetrack: Sheetrack, recipe: dict[str, object], words: str
) -> None:
    answer = api.post("/api/jobs", json=launch_body(**recipe))
    assert answer.status_code == 400
    assert words in error(answer)["message"]
    assert sheetrack.jobs.unfinished_jobs() == []


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity"])
def test_no_number_is_no_dropout(api: httpx.Client, value: str) -> None:
    body = json.dumps(launch_body()).replace('"depth": 4', f'"dropout": {value}')
    answer = api.post("/api/jobs", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400
    assert "recipe.dropout" in error(answer)["message"]


@pytest.mark.parametrize(
    "body", ["[" * 100_000, "", "{", "[]", "null", '"text"', '{"server": "here"}', "\xff"]
)
def test_malformed_json_is_refused(api: httpx.Client, body: str) -> None:
    answer = api.post("/api/jobs", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400
    assert error(answer)["code"] == "invalid"


def test_a_body_that_is_not_called_json_is_refused(api: httpx.Client) -> None:
    answer = api.post("/api/jobs", content=json.dumps(launch_body()), headers={"Content-Type": "text/plain"})
    assert answer.status_code == 400
    assert "JSON" in error(answer)["hint"]


def test_a_body_over_one_mib_is_refused(api: httpx.Client) -> None:
    answer = api.post("/api/jobs", json=launch_body(name="x" * 1024 * 1024))
    assert answer.status_code == 413
    assert error(answer)["code"] == "too_large"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/jobs/r0"),
        ("POST", "/api/jobs/r0/cancel"),
        ("GET", "/api/runs/r0"),
        ("GET", "/api/runs/..%2F..%2Fetc"),
        ("GET", "/api/runs/r0/figures/confusion.png"),
        ("GET", "/api/servers/gpu99/history"),
        ("GET", "/api/tables/Nothing"),
        ("GET", "/web/../app.py"),
        ("GET", "/web/%2e%2e/app.py"),
        ("GET", "/apps_script/Nothing.js"),
        ("GET", "/api/nothing"),
    ],
)
def test_what_is_not_there_is_said_not_to_be_there(api: httpx.Client, method: str, path: str) -> None:
    answer = api.request(method, path)
    assert answer.status_code == 404
    assert error(answer)["message"]


def test_a_launch_is_stored_once_per_key_and_can_be_cancelled(
    api: httpx.Client, sheetrack: Sheetrack
) -> None:
    headers = {"Idempotency-Key": "one-click-only"}
    first, second = (api.post("/api/jobs", json=launch_body(), headers=headers) for _ in range(2))
    assert (first.status_code, second.status_code) == (201, 201)
    job = first.json()
    assert second.json()["id"] == job["id"]
    assert job["recipe"]["data"] == str(sheetrack.home.data / "tones")
    listed = api.get("/api/jobs").json()["jobs"]
    assert [(entry["id"], entry["place_in_queue"]) for entry in listed] == [(job["id"], 1)]
    assert listed[0]["title"] == "ch32 · 4 · DO(0.5)+BN"
    ended = api.post(f"/api/jobs/{job['id']}/cancel").json()
    assert ended["state"] == "cancelled"
    assert api.post(f"/api/jobs/{job['id']}/cancel").json() == ended


@pytest.mark.parametrize("change", [{"epochs": 2}, {"name": "another"}, {"dropout": 0.25}, {"depth": 5}])
def test_a_key_that_launched_something_else_is_refused(
    api: httpx.Client, sheetrack: Sheetrack, change: dict[str, object]
) -> None:
    headers = {"Idempotency-Key": f"key-of-{next(iter(change))}"}
    job = api.post("/api/jobs", json=launch_body(), headers=headers).json()
    answer = api.post("/api/jobs", json=launch_body(**change), headers=headers)
    assert (answer.status_code, error(answer)["code"]) == (409, "conflict")
    assert job["id"] in error(answer)["message"]
    assert [stored.id for stored in sheetrack.jobs.unfinished_jobs()] == [job["id"]]
    assert [folder.name for folder in sheetrack.home.runs.iterdir()].count(job["id"]) == 1
    api.post(f"/api/jobs/{job['id']}/cancel")
    assert api.post("/api/jobs", json=launch_body(), headers=headers).json()["state"] == "cancelled"


def test_each_person_has_keys_of_their_own(sheetrack: Sheetrack) -> None:
    recipe = Recipe.model_validate(launch_body()["recipe"])
    jobs = [
        sheetrack.queue.launch("here", recipe, person, "the-same-key") for person in ("kim", "lee", "kim")
    ]
    assert [job.requested_by for job in jobs] == ["kim", "lee", "kim"]
    assert jobs[0] == jobs[2]
    assert jobs[0].id != jobs[1].id
    for job in jobs:
        sheetrack.queue.cancel(job.id, "the test")


def test_hostile_text_comes_back_as_text(api: httpx.Client) -> None:
    name = '<script>alert(1)</script>=IMPORTXML("x")'
    job = api.post("/api/jobs", json=launch_body(name=name)).json()
    table = api.get("/api/tables/Jobs").json()["table"]
    cells = next(row for row in table["sections"][0]["rows"] if row[0]["text"] == job["id"])
    assert cells[2] == {
        "kind": "text",
        "text": job["title"],
        "tone": None,
        "note": name,
        "bold": False,
        "tab": None,
        "sound": None,
        "is_command": False,
    }
    api.post(f"/api/jobs/{job['id']}/cancel")


def test_only_tested_clips_are_served(api: httpx.Client, sheetrack: Sheetrack, tmp_path: Path) -> None:
    data = sheetrack.home.data / "tones"
    run = RunFolder.create(sheetrack.home.runs, Recipe(data=str(data)))
    (data / "cat" / "secret.wav").symlink_to(sheetrack.home.token_file)
    (tmp_path / "elsewhere.wav").write_bytes(b"a sound")
    (data / "cat" / "linked.wav").symlink_to(tmp_path / "elsewhere.wav")
    tested = [
        "bed/testing01_nohash_0.wav",
        "cat/linked.wav",
        "cat/secret.wav",
        "cat/gone.wav",
        "../token.wav",
    ]
    rows = "".join(f"{clip},16000,bed,cat,0.9\n" for clip in tested)
    run.predictions_file.write_text(f"clip,frames,actual,heard,probability\n{rows}")
    answer = api.get(f"/api/runs/{run.id}/clips/{tested[0]}")
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "audio/wav")
    assert answer.content == (data / tested[0]).read_bytes()
    assert api.get(f"/api/runs/{run.id}/clips/{tested[1]}").content == b"a sound"
    for clip in (*tested[2:], "..%2Ftoken.wav", "bed/training02_nohash_0.wav", "bed/..%2F..%2Ftoken.wav"):
        assert api.get(f"/api/runs/{run.id}/clips/{clip}").status_code == 404


def read_data(sheetrack: Sheetrack) -> None:
    def is_read() -> bool:
        sheetrack.sweeps.advance()
        return not any(sweep.preparing for sweep in sheetrack.jobs.sweeps())

    wait_until(is_read)


def test_sweeps_are_started_listed_paused_and_resumed(api: httpx.Client, sheetrack: Sheetrack) -> None:
    body = {**launch_body(), "grid": {"depths": [3], "dropouts": [0.25]}}
    started = api.post("/api/sweeps", json=body)
    assert started.status_code == 202
    request = started.json()
    assert (request["queued"], request["preparing"]) == ([], "waits until its data is read")
    assert api.post("/api/sweeps", json=body).json() == request
    read_data(sheetrack)
    (sweep,) = api.get("/api/sweeps").json()["sweeps"]
    sweep["queued"] = [cell["job"]["id"] for cell in sweep["cells"]]
    jobs = [recipe_of(sheetrack.jobs.job(job)) for job in sweep["queued"]]
    assert [(recipe.depth, recipe.batch_norm) for recipe in jobs] == [(3, False), (3, True)]
    assert api.post("/api/sweeps", json=body).status_code == 202
    read_data(sheetrack)
    assert {job.id for job in sheetrack.jobs.unfinished_jobs()} == set(sweep["queued"])
    paused = api.post(f"/api/sweeps/{sweep['id']}/pause").json()["sweeps"]
    assert paused == api.get("/api/sweeps").json()["sweeps"]
    assert paused[0]["paused_by"]
    assert api.post("/api/sweeps/ch32/resume").json()["sweeps"][0]["paused_by"] is None
    cancelled = api.post("/api/sweeps/ch32/cancel").json()["sweeps"][0]
    assert {cell["job"]["state"] for cell in cancelled["cells"]} == {"cancelled"}
    assert api.post(f"/api/sweeps/{sweep['id']}/cancel").status_code == 200
    assert error(api.post("/api/sweeps/ch64/cancel"))["message"] == "There is no sweep 'ch64'."
    assert error(api.post("/api/sweeps/ch64/pause"))["message"] == "There is no sweep 'ch64'."
    assert "grid.depths" in error(api.post("/api/sweeps", json={**body, "grid": {"depths": []}}))["message"]


def test_servers_tell_their_verdict_and_history(api: httpx.Client, sheetrack: Sheetrack) -> None:
    sheetrack.refresh()
    server = api.get("/api/servers").json()["servers"][0]
    assert server["name"] == "here"
    assert server["verdict"]["reason"]
    history = api.get("/api/servers/here/history").json()
    assert 0 < history["points"][-1]["memory_used_percent"] <= 100
    assert history["usage"] == []
    past = {"since": "2026-01-02T00:00:00Z", "until": "2026-01-01T00:00:00Z"}
    for moment in ("9660974", "0", "yesterday", "2026-01-01", "2026-01-01T00:00:00"):
        assert "since" in error(api.get("/api/servers/here/history", params={"since": moment}))["message"]
    assert "before it begins" in error(api.get("/api/servers/here/history", params=past))["message"]
    assert "Servers" in [tab["name"] for tab in api.get("/api/tables").json()["tables"]]


def test_whether_a_server_is_down_is_asked_half_an_interval_early(home: Home) -> None:
    home.path.mkdir()
    home.settings_file.write_text("refresh_seconds = 3600\n")
    token_file(home.path)
    agent = f'agent = "http://127.0.0.1:{free_port()}"\ntoken_file = "agent.token"\n'
    home.servers_file.write_text(f'[[server]]\nname = "ada"\n{agent}')
    sheetrack = Sheetrack(home)
    again = []
    for _ in range(2):
        sheetrack.refresh()
        again.append(sheetrack.periodic.until_refresh())
    assert again == [None, 1800]
    sheetrack.close()


def test_refresh_asks_now_or_shares_the_round_that_just_ended(
    api: httpx.Client, sheetrack: Sheetrack
) -> None:
    def read_at() -> datetime:
        return sheetrack.readings.between("here", now() - timedelta(hours=1))[-1].at

    sheetrack.refresh()
    first = read_at()
    sheetrack.refresh(fresh_seconds=3600)
    assert read_at() == first
    sheetrack.refresh()
    second = read_at()
    assert second > first
    [server] = api.post("/api/refresh").json()["servers"]
    assert datetime.fromisoformat(server["snapshot"]["at"]) == read_at() >= second


def test_the_answer_about_servers_is_made_once_a_round(api: httpx.Client, sheetrack: Sheetrack) -> None:
    sheetrack.refresh()
    first, second = (api.get("/api/servers") for _ in range(2))
    assert first.content == second.content
    assert first.headers["ETag"] == second.headers["ETag"]
    unchanged = api.get("/api/servers", headers={"If-None-Match": first.headers["ETag"]})
    assert (unchanged.status_code, unchanged.content) == (304, b"")
    sheetrack.refresh()
    third = api.get("/api/servers", headers={"If-None-Match": first.headers["ETag"]})
    assert third.json()["updated_at"] > first.json()["updated_at"]
    assert third.headers["Content-Encoding"] == "gzip"
    # A command beside the backend is seen at once too.
    sheetrack.maintenances.begin("here", "new disks", "lee")
    assert api.get("/api/servers").json()["servers"][0]["verdict"]["reason"] == "new disks (lee)"
    sheetrack.maintenances.end("here")


def test_runs_are_given_in_pages(api: httpx.Client, sheetrack: Sheetrack) -> None:
    stored = [
        examples.result(f"r{place}", finished_at=examples.NOON + timedelta(hours=place)) for place in range(5)
    ]
    for result in stored:
        sheetrack.jobs.add_result(result)

    def page(**query: int) -> tuple[list[str], int]:
        content = api.get("/api/runs", params=query).json()
        return [run["run"] for run in content["runs"]], content["total"]

    assert page() == (["r4", "r3", "r2", "r1", "r0"], 5)
    assert page(limit=2) == (["r4", "r3"], 5)
    assert page(limit=2, offset=4) == (["r0"], 5)
    assert page(offset=9) == ([], 5)
    for query in ({"limit": 0}, {"limit": 1001}, {"offset": -1}, {"limit": "all"}, {"limt": 2}):
        assert api.get("/api/runs", params=query).status_code == 400


def test_maintenance_is_said_and_ended(api: httpx.Client) -> None:
    path = "/api/servers/here/maintenance"
    answer = api.post(path, json={"reason": " new fans "})
    assert answer.status_code == 200
    verdict = answer.json()["servers"][0]["verdict"]
    assert (verdict["state"], verdict["reason"]) == ("maintenance", f"new fans ({getpass.getuser()})")
    ended = api.delete(path)
    assert ended.json()["servers"][0]["verdict"]["state"] != "maintenance"
    assert api.delete(path).status_code == 200
    assert api.post("/api/servers/nowhere/maintenance", json={"reason": "why"}).status_code == 404
    for body in (
        {},
        {"reason": " "},
        {"reason": "why", "until": "2020-01-01T00:00:00Z"},
        {"reason": "why", "until": 9999999999},
        {"until": None},
    ):
        assert api.post(path, json=body).status_code == 400


def test_prometheus_gets_everything(api: httpx.Client, sheetrack: Sheetrack) -> None:
    sheetrack.refresh()
    job = api.post("/api/jobs", json=launch_body()).json()
    answer = api.get("/metrics")
    assert answer.headers["Content-Type"].startswith("text/plain")
    samples = {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }
    [server] = sheetrack.status.current()
    assert samples["sheetrack_up", "here"] == 1
    assert server.snapshot
    assert server.snapshot.host
    assert samples["sheetrack_memory_total_mib", "here"] == server.snapshot.host.memory_total_mib
    states = {state: samples["sheetrack_verdict", "here", state] for state in State}
    assert states == {state: float(state is server.verdict.state) for state in State}
    jobs = {state: samples["sheetrack_jobs", state] for state in JobState}
    assert jobs == {state: sheetrack.jobs.count_jobs().get(state, 0) for state in JobState}
    assert jobs[JobState.QUEUED] == 1
    assert samples[("sheetrack_outbox_tabs",)] == len(sheetrack.outbox.waiting())
    api.post(f"/api/jobs/{job['id']}/cancel")


def test_data_sets_are_offered_by_name(api: httpx.Client) -> None:
    assert [entry["name"] for entry in api.get("/api/data").json()["data"]] == ["tones"]


def test_the_document_describes_every_resource(api: httpx.Client) -> None:
    document = api.get("/openapi.json").json()
    assert {
        "/api/servers", "/api/servers/{name}/history", "/api/servers/{name}/maintenance", "/api/refresh", "/metrics", "/api/jobs", "/api/jobs/{job_id}",
        "/api/jobs/{job_id}/cancel", "/api/runs", "/api/runs/{run}", "/api/runs/{run}/figures/{name}.png",
        "/api/runs/{run}/clips/{word}/{file}", "/api/sweeps", "/api/sweeps/{sweep}/pause", "/api/sweeps/{sweep}/cancel",
        "/api/sweeps/{sweep}/resume", "/api/architectures", "/api/data", "/api/form", "/api/tables", "/api/tables/{name}",
    } <= set(document["paths"])  # fmt: skip
    assert document["components"]["schemas"]["Recipe"]["properties"]["dropout"]["maximum"] == 0.95


def test_the_sidebar_is_the_add_ons_own_page(api: httpx.Client) -> None:
    answer = api.get("/sidebar")
    assert '<script src="/web/shim.js"></script>' in answer.text
    assert "<?" not in answer.text
    assert "unsafe" not in answer.headers["Content-Security-Policy"].split("style-src")[0]
    add_on = Path(__file__).parents[2] / "apps_script"
    assert api.get("/apps_script/Sidebar.js").text == (add_on / "Sidebar.js").read_text()


def test_a_second_backend_on_the_same_home_is_refused(address: str, sheetrack: Sheetrack) -> None:
    with pytest.raises(ConflictError, match="already serves"), serving(Sheetrack(sheetrack.home), 0):
        pytest.fail("two backends serve one home")


def test_a_port_in_use_is_said(address: str, tmp_path: Path) -> None:
    port = httpx.URL(address).port or 0
    other = Sheetrack(Home(tmp_path))
    with pytest.raises(ConflictError, match=f"Port {port} is in use"), serving(other, port):
        pytest.fail("two servers have one port")
    other.close()
