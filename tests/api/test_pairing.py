"""An add-on that the backend does not know asks to be let in."""

from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from backend.api.app import create_app
from backend.api.google_identity import GoogleIdentity
from backend.api.pairing import AddOn, Pairing
from backend.errors import NotFoundError
from backend.service.wiring import Sheetrack
from backend.settings import Home
from tests.google.accounts import GoogleAccounts

PUBLIC = "sheetrack.lab.example"
OTHER = "456.apps.googleusercontent.com"
SETTINGS = f'# ours\n[people]\npublic_address = "https://{PUBLIC}" # the tunnel\n'


@pytest.fixture(scope="module")
def accounts() -> Iterator[GoogleAccounts]:
    with GoogleAccounts() as accounts:
        yield accounts


@pytest.fixture
def client(home: Home, accounts: GoogleAccounts, monkeypatch: pytest.MonkeyPatch) -> Iterator[FlaskClient]:
    monkeypatch.setattr(GoogleIdentity.__init__, "__defaults__", (accounts.address,))
    home.path.mkdir(exist_ok=True)
    home.settings_file.write_text(SETTINGS)
    sheetrack = Sheetrack(home)
    yield create_app(sheetrack, "token").test_client()
    sheetrack.close()


def local(client: FlaskClient, path: str, method: str = "GET") -> TestResponse:
    headers = {"Host": "127.0.0.1:8000", "Authorization": "Bearer token"}
    return client.open(path, method=method, headers=headers)


def public(client: FlaskClient, token: str, path: str = "/api/sidebar", method: str = "GET") -> TestResponse:
    headers = {"Host": PUBLIC, "Authorization": f"Bearer {token}"}
    return client.open(path, method=method, headers=headers)


def waiting(client: FlaskClient) -> list[dict[str, str]]:
    answer = local(client, "/api/sidebar").json
    assert answer
    add_ons: list[dict[str, str]] = answer["add_ons"]
    return add_ons


def test_it_is_refused_shown_and_let_in_with_one_click(
    client: FlaskClient, accounts: GoogleAccounts, home: Home
) -> None:
    token = accounts.token(aud=OTHER)
    refused = public(client, token)
    assert refused.status_code == 403
    assert refused.json
    assert refused.json["error"]["code"] == "unknown_add_on"
    assert OTHER in refused.json["error"]["message"]
    assert waiting(client) == [{"client_id": OTHER, "person": "kim@lab.example"}]
    assert public(client, token, f"/api/add-ons/{OTHER}/accept", "POST").status_code == 403
    assert local(client, f"/api/add-ons/{OTHER}/accept", "POST").json == {"add_ons": []}
    assert waiting(client) == []
    people = home.settings().people
    assert people
    assert (people.audiences, people.launch, people.see) == ((OTHER,), ("kim@lab.example",), ())
    assert home.settings_file.read_text().startswith(SETTINGS.rstrip())


def test_the_list_of_people_stays_as_the_lab_wrote_it(
    client: FlaskClient, accounts: GoogleAccounts, home: Home
) -> None:
    home.settings_file.write_text(SETTINGS + 'see = ["lab.example"]\n')
    public(client, accounts.token(aud=OTHER))
    local(client, f"/api/add-ons/{OTHER}/accept", "POST")
    people = home.settings().people
    assert people
    assert (people.audiences, people.launch, people.see) == ((OTHER,), (), ("lab.example",))


@pytest.mark.parametrize(
    "claims", [{"email_verified": False}, {"email": None}, {"iss": "https://evil.example"}]
)
def test_who_is_not_known_to_google_does_not_ask(
    client: FlaskClient, accounts: GoogleAccounts, claims: dict[str, object]
) -> None:
    public(client, accounts.token(aud=OTHER, **claims))
    assert waiting(client) == []
    assert local(client, f"/api/add-ons/{OTHER}/accept", "POST").status_code == 404


def test_at_the_public_address_it_is_not_told_who_asks(client: FlaskClient, accounts: GoogleAccounts) -> None:
    public(client, accounts.token(aud=OTHER))
    answer = public(client, accounts.token(aud=OTHER)).json
    assert answer
    assert "add_ons" not in answer


def test_only_the_newest_few_are_kept() -> None:
    accepted: list[AddOn] = []
    pairing = Pairing(accepted.append)
    for number in [*range(8), 5]:
        pairing.note(f"id {number}", "kim@lab.example")
    assert [add_on.client_id for add_on in pairing.waiting()] == ["id 3", "id 4", "id 6", "id 7", "id 5"]
    pairing.forget("id 3")
    pairing.accept("id 4")
    assert [add_on.client_id for add_on in accepted] == ["id 4"]
    with pytest.raises(NotFoundError, match="No add-on id 4 asks"):
        pairing.accept("id 4")
