"""Who is let in at the public address, over real requests with really signed tokens."""

import base64
import json
import math
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from flask.testing import FlaskClient
from google.oauth2 import id_token
from werkzeug.test import TestResponse

from backend.api import google_identity
from backend.api.access import STRANGERS_PER_MINUTE
from backend.api.app import create_app
from backend.api.google_identity import GoogleIdentity
from backend.service.wiring import Sheetrack
from backend.settings import Home, PeopleSettings
from tests.google.accounts import AUDIENCE, GoogleAccounts, from_now, made_key
from tests.speech import write_words

PUBLIC = "sheetrack.lab.example"
SETTINGS = f"""
[people]
public_address = "https://{PUBLIC}"
audiences = ["other.apps.googleusercontent.com", "{AUDIENCE}"]
see = ["Guest@elsewhere.example", "uni.example"]
launch = ["kim@lab.example"]
requests_per_minute = 40
"""
LOCAL_TOKEN = "the-local-token"


@pytest.fixture
def accounts() -> Iterator[GoogleAccounts]:
    with GoogleAccounts() as accounts:
        yield accounts


@pytest.fixture
def sheetrack(tmp_path: Path) -> Iterator[Sheetrack]:
    home = Home(tmp_path)
    home.settings_file.write_text(SETTINGS)
    home.servers_file.write_text('[[server]]\nname = "here"\n')
    write_words(home.data / "tones")
    sheetrack = Sheetrack(home)
    yield sheetrack
    sheetrack.close()


@pytest.fixture
def client(sheetrack: Sheetrack, accounts: GoogleAccounts) -> Iterator[FlaskClient]:
    people = sheetrack.settings.people
    assert people
    identity = GoogleIdentity(people, accounts.address)
    sheetrack.identify = identity.person
    yield create_app(sheetrack, LOCAL_TOKEN).test_client()
    identity.close()


def ask(
    client: FlaskClient, token: str, path: str = "/api/jobs", method: str = "GET", **more: object
) -> TestResponse:
    headers = {"Host": PUBLIC, "Authorization": f"Bearer {token}", **more.pop("headers", {})}  # type: ignore[dict-item]
    return client.open(path, method=method, headers=headers, **more)  # type: ignore[arg-type]


def refused(answer: TestResponse, status: int) -> str:
    assert answer.status_code == status, answer.text
    fault = answer.get_json()["error"]
    return f"{fault['message']} {fault['hint']}"


def test_who_is_listed_is_let_in_and_recorded(client: FlaskClient, accounts: GoogleAccounts) -> None:
    recipe = {"architecture": "ch32", "depth": 4, "epochs": 1, "data": "tones"}
    launched = ask(client, accounts.token(), method="POST", json={"server": "here", "recipe": recipe})
    assert launched.status_code == 201, launched.text
    assert launched.get_json()["requested_by"] == "kim@lab.example"
    path = f"/api/jobs/{launched.get_json()['id']}/cancel"
    assert ask(client, accounts.token(), path, "POST").get_json()["reason"] == "cancelled by kim@lab.example"


@pytest.mark.parametrize(
    ("changes", "status", "said"),
    [
        ({"exp": from_now(-60)}, 401, "has expired"),
        ({"iat": from_now(600), "exp": from_now(900)}, 401, "from the future"),
        ({"iss": "https://accounts.example"}, 401, "not issued by Google"),
        ({"aud": "copy.apps.googleusercontent.com"}, 403, "client ID copy.apps.googleusercontent.com"),
        ({"aud": None}, 403, "client ID unknown"),
        ({"email_verified": False}, 403, "has not verified the address kim@lab.example"),
        ({"email_verified": None}, 403, "has not verified"),
        ({"email": None}, 403, "has not verified the address of this account"),
        ({"email": "stranger@lab.example"}, 403, "stranger@lab.example is not on the list of people"),
        ({"email": "x@uni.example"}, 403, "x@uni.example is not on the list"),
        ({"email": "x@evil.example", "hd": "uni.example"}, 403, "x@evil.example is not on the list"),
        ({"email": "x@notuni.example", "hd": "notuni.example"}, 403, "is not on the list"),
    ],
)
def test_each_refusal_has_its_own_sentence(
    client: FlaskClient, accounts: GoogleAccounts, changes: dict[str, object], status: int, said: str
) -> None:
    assert said in refused(ask(client, accounts.token(**changes)), status)


def forged(accounts: GoogleAccounts) -> dict[str, str]:
    header, claims, signature = accounts.token().split(".")

    def coded(content: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")

    with GoogleAccounts(made_key()) as others:
        foreign = others.token()
    own = json.loads(base64.urlsafe_b64decode(claims + "=="))
    return {
        "signed with another key": foreign,
        "claims exchanged": f"{header}.{coded(own | {'email': 'boss@lab.example'})}.{signature}",
        "signature removed": f"{header}.{claims}.",
        "no algorithm": f"{coded({'alg': 'none', 'kid': 'key-1', 'typ': 'JWT'})}.{claims}.",
        "algorithm exchanged": f"{coded({'alg': 'HS256', 'kid': 'key-1'})}.{claims}.{signature}",
        "key unknown": f"{coded({'alg': 'RS256', 'kid': 'key-2'})}.{claims}.{signature}",
    }


def test_forged_tokens_are_refused(client: FlaskClient, accounts: GoogleAccounts) -> None:
    for how, token in forged(accounts).items():
        assert "was not signed by Google" in refused(ask(client, token), 401), how


@pytest.mark.parametrize("token", ["nonsense", "a.b.c", "é", LOCAL_TOKEN])
def test_what_is_no_token_is_refused(client: FlaskClient, token: str) -> None:
    assert "no valid identity token of Google" in refused(ask(client, token), 401)


def test_a_request_without_a_token_is_told_the_usual_cause(client: FlaskClient) -> None:
    assert "several Google accounts" in refused(client.get("/api/jobs", headers={"Host": PUBLIC}), 401)


def test_clocks_may_differ_by_a_few_seconds(client: FlaskClient, accounts: GoogleAccounts) -> None:
    assert ask(client, accounts.token(exp=from_now(-3))).status_code == 200
    assert ask(client, accounts.token(iat=from_now(5))).status_code == 200


@pytest.mark.parametrize(
    "who", [{"email": "guest@elsewhere.example"}, {"email": "Any@uni.example", "hd": "uni.example"}]
)
def test_who_may_look_may_not_launch(
    client: FlaskClient, accounts: GoogleAccounts, who: dict[str, str]
) -> None:
    assert ask(client, accounts.token(**who)).status_code == 200
    for path in ("/api/jobs", "/api/jobs/r1/cancel"):
        said = refused(ask(client, accounts.token(**who), path, "POST"), 403)
        assert "may look, but not launch or cancel" in said


def test_certificates_are_fetched_once(client: FlaskClient, accounts: GoogleAccounts) -> None:
    for _ in range(5):
        assert ask(client, accounts.token()).status_code == 200
    assert accounts.fetches == 1


def test_without_certificates_no_person_is_identified(client: FlaskClient, accounts: GoogleAccounts) -> None:
    accounts.is_away = True
    assert "certificates cannot be fetched" in refused(ask(client, accounts.token()), 503)


def test_google_is_not_asked_again_at_once_for_certificates(
    client: FlaskClient, accounts: GoogleAccounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    accounts.is_away = True
    for _ in range(5):
        assert ask(client, accounts.token()).status_code == 503
    assert accounts.fetches == 1
    accounts.is_away = False
    monkeypatch.setattr(google_identity, "time", SimpleNamespace(monotonic=lambda: math.inf, time=time.time))
    assert ask(client, accounts.token()).status_code == 200


def test_each_person_has_a_rate_of_their_own(client: FlaskClient, accounts: GoogleAccounts) -> None:
    kim, guest = accounts.token(), accounts.token(email="guest@elsewhere.example")
    answers = [ask(client, kim) for _ in range(41)]
    assert [answer.status_code for answer in answers] == [200] * 40 + [429]
    assert "kim@lab.example sends too many requests. Try again in a minute" in refused(answers[-1], 429)
    assert ask(client, guest).status_code == 200


def test_three_busy_tabs_of_the_local_page_are_no_crowd(client: FlaskClient) -> None:
    bearer = {"Authorization": f"Bearer {LOCAL_TOKEN}"}
    answers = [client.get("/api/tables", headers=bearer).status_code for _ in range(3 * 60)]
    assert set(answers) == {200}


def test_strangers_are_limited_by_address_before_they_cost_anything(
    client: FlaskClient, sheetrack: Sheetrack, accounts: GoogleAccounts
) -> None:
    here, elsewhere = {"REMOTE_ADDR": "198.51.100.7"}, {"REMOTE_ADDR": "198.51.100.8"}
    kim, newcomer = accounts.token(), accounts.token(email="guest@elsewhere.example")
    assert ask(client, kim, environ_base=here).status_code == 200
    for place in range(STRANGERS_PER_MINUTE):
        assert ask(client, ("nonsense", "", "a.b.c")[place % 3], environ_base=here).status_code == 401
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(id_token, "verify_token", lambda *_, **__: pytest.fail("a token is verified"))
        for token in ("nonsense", "", newcomer):
            assert "Too many requests" in refused(ask(client, token, environ_base=here), 429)
    assert ask(client, "nonsense", environ_base=elsewhere).status_code == 401
    assert ask(client, newcomer, environ_base=elsewhere).status_code == 200
    assert ask(client, kim, environ_base=here).status_code == 200


def test_a_token_that_has_expired_is_limited_like_any_other(
    client: FlaskClient, accounts: GoogleAccounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = accounts.token()
    assert ask(client, token).status_code == 200
    monkeypatch.setattr(google_identity, "_SKEW_SECONDS", -10_000)  # as if the clock had moved on
    codes = [ask(client, token).status_code for _ in range(STRANGERS_PER_MINUTE + 1)]
    assert codes == [401] * STRANGERS_PER_MINUTE + [429]


def test_the_local_token_opens_the_local_address_alone(client: FlaskClient, accounts: GoogleAccounts) -> None:
    bearer = {"Authorization": f"Bearer {LOCAL_TOKEN}"}
    assert client.get("/api/jobs", headers=bearer).status_code == 200
    identity = {"Authorization": f"Bearer {accounts.token()}"}
    assert client.get("/api/jobs", headers=identity).status_code == 401
    assert client.get("/api/jobs", headers={**bearer, "Host": "elsewhere.example"}).status_code == 403


def test_other_sites_are_refused_at_the_public_address(client: FlaskClient, accounts: GoogleAccounts) -> None:
    answer = ask(client, accounts.token(), headers={"Origin": "https://elsewhere.example"})
    assert "other sites" in refused(answer, 403)


def test_an_address_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="public_address"):
        PeopleSettings(public_address="sheetrack.lab.example/path")
