"""Programs of a lab's own, and the logs of jobs, over HTTP."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from backend.api.app import create_app
from backend.api.identity import Person, Role
from backend.jobs.job import JobState
from backend.service.wiring import Sheetrack
from backend.settings import Home
from models.run_folder import RunFolder
from tests.examples import job, recipe
from tests.models.made_run import make_run

TOKEN = "the-local-token"
SETTINGS = """
[people]
public_address = "https://sheetrack.lab.example"
audiences = ["the-add-on"]
launch = ["kim@lab.example"]
commands = ["lee@lab.example"]
"""
SERVERS = '[[server]]\nname = "here"\nenvironments = { torch25 = "/opt/torch25" }\n'


@pytest.fixture
def sheetrack(home: Home) -> Iterator[Sheetrack]:
    home.path.mkdir()
    home.settings_file.write_text(SETTINGS)
    home.servers_file.write_text(SERVERS)
    parts = Sheetrack(home)
    parts.identify = lambda token: Person(
        token,
        Role.COMMANDS if token.startswith("lee") else Role.LAUNCH,
        decides=token.startswith("park"),
    )
    yield parts
    parts.close()


@pytest.fixture
def client(sheetrack: Sheetrack) -> FlaskClient:
    return create_app(sheetrack, TOKEN).test_client()


def ask(client: FlaskClient, path: str, body: object = None, who: str = "") -> TestResponse:
    """As the person `who` at the public address, or on this machine."""
    host = "sheetrack.lab.example" if who else "127.0.0.1"
    headers = {"Host": host, "Authorization": f"Bearer {who or TOKEN}"}
    if body is None:
        return client.get(path, headers=headers)
    return client.post(path, headers=headers, json=body)


def command(at: Path, **changes: object) -> dict[str, object]:
    return {"server": "here", "command": {"command": "python train.py", "folder": str(at)} | changes}


def message(answer: TestResponse, status: int) -> str:
    assert answer.status_code == status, answer.text
    return str(answer.get_json()["error"]["message"])


def test_a_program_is_launched_like_a_training(client: FlaskClient, tmp_path: Path) -> None:
    body = command(tmp_path, environment="torch25")
    answer = ask(client, "/api/jobs", body)
    assert answer.status_code == 201, answer.text
    launched = answer.get_json()
    assert (launched["title"], launched["recipe"]) == ("python train.py", None)
    assert launched["command"]["environment"] == "torch25"
    assert ask(client, f"/api/jobs/{launched['id']}").get_json() == launched
    assert [each["id"] for each in ask(client, "/api/jobs").get_json()["jobs"]] == [launched["id"]]


def test_a_job_runs_one_thing(client: FlaskClient, tmp_path: Path) -> None:
    both = command(tmp_path) | {"recipe": recipe().model_dump(mode="json")}
    for body in (both, {"server": "here"}):
        assert "either a recipe or a command" in message(ask(client, "/api/jobs", body), 400)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"command": "a | b"}, "means something to a shell only"),
        ({"folder": "study"}, "give a full path"),
        ({"folder": "/no/such/folder"}, "There is no folder"),
        ({"environment": "torch24"}, "here has no environment 'torch24'"),
    ],
)
def test_a_program_that_cannot_run_is_refused_and_leaves_nothing(
    client: FlaskClient, sheetrack: Sheetrack, tmp_path: Path, changes: dict[str, object], why: str
) -> None:
    assert why in message(ask(client, "/api/jobs", command(tmp_path, **changes)), 400)
    assert sheetrack.jobs.unfinished_jobs() == []
    assert not sheetrack.home.runs.exists()


def test_at_the_public_address_programs_need_a_right_of_their_own(
    client: FlaskClient, tmp_path: Path
) -> None:
    refused = ask(client, "/api/jobs", command(tmp_path), who="kim@lab.example")
    assert "no programs of their own" in message(refused, 403)
    assert ask(client, "/api/jobs", command(tmp_path), who="lee@lab.example").status_code == 201


def test_the_form_offers_the_environments_of_each_server(client: FlaskClient) -> None:
    form = ask(client, "/api/form").get_json()
    assert form["environments"] == {"here": ["torch25"]}
    assert form["command"]["command"]["maxLength"] == 10_000


def test_a_log_is_shown_as_text_and_downloaded_as_it_is(client: FlaskClient, sheetrack: Sheetrack) -> None:
    sheetrack.jobs.add_job(job("r1", server="here", state=JobState.FAILED))
    folder = RunFolder(sheetrack.home.runs / "r1")
    folder.path.mkdir(parents=True)
    folder.log_file.write_bytes(b"<b>one</b>\n\x1b[2Jtwo\n")
    log = ask(client, "/api/jobs/r1/log?lines=1").get_json()
    assert log == {"lines": ["\\x1b[2Jtwo"], "size_bytes": 19, "finished_bytes": 19, "note": ""}
    whole = ask(client, "/api/jobs/r1/log.txt")
    assert whole.data == b"<b>one</b>\n\x1b[2Jtwo\n"
    assert whole.mimetype == "text/plain"
    assert whole.headers["Content-Disposition"] == 'attachment; filename="r1.log"'
    assert "There is no job" in message(ask(client, "/api/jobs/r2/log"), 404)
    assert "There is no job" in message(ask(client, "/api/jobs/r2/log.txt"), 404)


def waiting(sheetrack: Sheetrack, name: str, person: str) -> None:
    sheetrack.jobs.add_job(job(name, server="here", requested_by=person))


def test_jobs_are_listed_in_the_order_in_which_they_run(client: FlaskClient, sheetrack: Sheetrack) -> None:
    for name, person in (("r1", "kim"), ("r2", "kim"), ("r3", "lee")):
        waiting(sheetrack, name, person)
    shown = ask(client, "/api/jobs").get_json()["jobs"]
    assert [(each["id"], each["place_in_queue"]) for each in shown] == [("r1", 1), ("r3", 2), ("r2", 3)]
    assert {each["where"] for each in shown} == {"here"}


def test_who_has_the_right_puts_a_job_first_and_overrides_reservations(
    client: FlaskClient, sheetrack: Sheetrack
) -> None:
    waiting(sheetrack, "r1", "kim")
    waiting(sheetrack, "r2", "kim")
    refused = "kim@lab.example may launch and cancel, but not put jobs first"
    assert refused in message(ask(client, "/api/jobs/r2/first", {}, "kim@lab.example"), 403)
    assert refused in message(ask(client, "/api/jobs/r2/override", {}, "kim@lab.example"), 403)
    first = ask(client, "/api/jobs/r2/first", {}, "park@lab.example").get_json()
    assert (first["put_first"]["by"], first["place_in_queue"]) == ("park@lab.example", 1)
    assert first["put_first"]["at"].endswith("Z")
    override = ask(client, "/api/jobs/r2/override", {}).get_json()["override"]
    assert override["by"]
    assert "no job r9" in message(ask(client, "/api/jobs/r9/first", {}), 404)


def test_a_job_may_leave_the_server_to_the_queue_and_ask_for_gpus(
    client: FlaskClient, tmp_path: Path
) -> None:
    asked = {**command(tmp_path), "server": "any", "resources": {"gpus": 0}}
    launched = ask(client, "/api/jobs", asked)
    assert launched.status_code == 201, launched.text
    content = launched.get_json()
    assert (content["server"], content["servers"], content["where"], content["gpus"]) == (
        "",
        ["any"],
        "any",
        0,
    )
    wrong = {**command(tmp_path), "resources": {"gpus": -1}}
    assert "gpus" in message(ask(client, "/api/jobs", wrong), 400)


def test_a_trained_network_is_explained_as_a_job(client: FlaskClient, sheetrack: Sheetrack) -> None:
    folder = make_run(sheetrack.home.runs)
    refused = ask(client, f"/api/runs/{folder.id}/explain", {}, who="kim@lab.example")
    assert refused.status_code == 400
    assert f"sheetrack fetch {folder.id}" in refused.get_json()["error"]["hint"]
    folder.checkpoint_file.write_bytes(b"weights")
    asked = ask(client, f"/api/runs/{folder.id}/explain", {}, who="kim@lab.example")
    assert asked.status_code == 201
    (queued,) = sheetrack.jobs.unfinished_jobs()
    assert (queued.id, queued.requested_by) == (asked.get_json()["id"], "kim@lab.example")
    assert queued.command is not None
    assert queued.command.arguments[-4:] == ["backend.cli", "explain", "all", folder.id]
    assert queued.resources.gpus == 0
    before = ask(client, f"/api/runs/{folder.id}/page").get_json()["stamp"]
    folder.explanations.mkdir()
    (folder.explanations / "report.html").write_text("<p>all of it</p>")
    (folder.explanations / "filters.json").write_text("{}")
    page = ask(client, f"/api/runs/{folder.id}/page?known={before}").get_json()["page"]
    assert "report.html" in [file["name"] for file in page["files"]]
    report = ask(client, f"/api/runs/{folder.id}/files/report.html")
    assert report.data == b"<p>all of it</p>"
    report.close()
