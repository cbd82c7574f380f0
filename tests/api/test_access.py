"""Who is let in at the address of this machine, over a real server on loopback."""

from collections.abc import Iterator
from http.cookies import SimpleCookie
from pathlib import Path

import httpx
import pytest
from flask import g

from backend.api.access import KEY_HEADER, PERSON_HEADER
from backend.api.app import create_app
from backend.service.serving import serving
from backend.service.wiring import Sheetrack
from backend.settings import Home, this_user


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return Home(tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def opened(home: Home) -> Iterator[str]:
    """The address of a backend with its token."""
    sheetrack = Sheetrack(home)
    with serving(sheetrack, 0) as opened:
        sheetrack.periodic.stop()
        yield opened


def base(opened: str) -> str:
    return opened.split("/?", maxsplit=1)[0]


def session(opened: str) -> tuple[dict[str, str], str]:
    """The cookie and the key of a browser that opens the address."""
    answer = httpx.get(opened, timeout=60)
    cookie = SimpleCookie(answer.headers["Set-Cookie"])
    return {name: morsel.value for name, morsel in cookie.items()}, answer.headers["Location"].split("#key=")[
        1
    ]


PAUSE = "/api/sweeps/ch32/pause"


def test_each_browser_has_a_session_of_its_own_that_tells_nothing_of_the_token(opened: str) -> None:
    token = opened.split("token=")[1]
    (first, first_key), (second, second_key) = session(opened), session(opened)
    assert first != second
    assert first_key != second_key
    for text in (*first.values(), *second.values(), first_key, second_key):
        assert token not in text
        assert (
            httpx.get(base(opened) + "/", headers={"Authorization": f"Bearer {text}"}, timeout=60).status_code
            == 401
        )


def test_a_cookie_alone_looks_and_changes_nothing(opened: str) -> None:
    cookies, key = session(opened)
    _, another = session(opened)
    with httpx.Client(base_url=base(opened), cookies=cookies, timeout=60) as thief:
        assert thief.get("/api/jobs").status_code == 200
        for headers in ({}, {KEY_HEADER: ""}, {KEY_HEADER: another}, {KEY_HEADER: "x" * 5000}):
            answer = thief.post(PAUSE, headers=headers)
            assert (answer.status_code, answer.json()["error"]["code"]) == (403, "key_needed")
        assert thief.delete("/api/servers/here/maintenance").status_code == 403
        assert key not in thief.get("/").text
        assert thief.post(PAUSE, headers={KEY_HEADER: key}).json()["error"]["code"] == "not_found"


@pytest.mark.parametrize("path", ["//evil.example/", "/\\evil.example", "///evil.example"])
def test_the_key_goes_to_no_other_site(opened: str, path: str) -> None:
    token = opened.split("token=")[1]
    client = httpx.Client(timeout=60)
    request = httpx.Request("GET", base(opened), extensions={"target": f"{path}?token={token}".encode()})
    answer = client.send(request)
    client.close()
    assert not answer.headers.get("Location", "/").startswith(("//", "/\\"))


@pytest.mark.parametrize("value", ["", "x", ".", "x.y", "a" * 5000, "x.", ".y"])
def test_what_is_no_session_opens_nothing(opened: str, value: str) -> None:
    name = f"sheetrack-{httpx.URL(opened).port}"
    answer = httpx.get(base(opened) + "/api/jobs", cookies={name: value}, timeout=60)
    assert answer.status_code == 401


def test_the_token_itself_is_no_cookie(opened: str) -> None:
    name, token = f"sheetrack-{httpx.URL(opened).port}", opened.split("token=")[1]
    assert httpx.get(base(opened) + "/api/jobs", cookies={name: token}, timeout=60).status_code == 401


def test_a_session_outlives_the_backend_and_ends_with_the_token(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    with serving(Sheetrack(home), 0) as opened:
        (cookie,) = session(opened)[0].values()
        port = httpx.URL(opened).port or 0

    def status() -> int:
        with serving(Sheetrack(home), port) as opened:
            cookies = {f"sheetrack-{port}": cookie}
            return httpx.get(base(opened) + "/api/jobs", cookies=cookies, timeout=60).status_code

    assert status() == 200
    home.token_file.unlink()
    assert status() == 401


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/sidebar",
        "/api/jobs",
        "/api/nothing",
        "/metrics",
        "/openapi.json",
        "/web/page.js",
        "/web/host.js",
    ],
)
@pytest.mark.parametrize("is_known", [True, False])
def test_every_answer_says_what_may_run_and_who_may_show_it(opened: str, path: str, is_known: bool) -> None:
    headers = {"Authorization": f"Bearer {opened.split('token=')[1]}"} if is_known else {}
    for accept in ("*/*", "text/html"):
        answer = httpx.get(base(opened) + path, headers=headers | {"Accept": accept}, timeout=60)
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        is_shown = path == "/sidebar" and is_known
        assert ("frame-ancestors 'self'" if is_shown else "frame-ancestors 'none'") in policy
    assert "frame-ancestors 'none'" in httpx.get(opened, timeout=60).headers["Content-Security-Policy"]


def test_the_home_is_its_owners_alone(tmp_path: Path) -> None:
    new, old = Home(tmp_path / "new"), Home(tmp_path / "old")
    old.path.mkdir(mode=0o755)
    for home in (new, old):
        with serving(Sheetrack(home), 0):
            assert home.path.stat().st_mode & 0o777 == 0o700


def test_a_browser_without_a_session_gets_a_page_that_asks_for_the_token(opened: str) -> None:
    token = opened.split("token=")[1]
    with httpx.Client(base_url=base(opened), timeout=60) as browser:
        asked = browser.get("/", headers={"Accept": "text/html"})
        assert asked.status_code == 401
        assert '<form method="post" action="/login">' in asked.text
        assert token not in asked.text
        wrong = browser.post("/login", data={"token": "<b>no</b>"})
        assert (wrong.status_code, "This is not the token." in wrong.text) == (401, True)
        assert "Set-Cookie" not in wrong.headers
        evil = browser.post("/login", data={"token": token}, headers={"Origin": "https://evil.example"})
        assert evil.status_code == 403
        right = browser.post("/login", data={"token": token})
        assert (right.status_code, right.headers["Location"][:6]) == (302, "/#key=")
        assert browser.get("/api/jobs").status_code == 200


def test_other_names_of_the_machine_are_refused_unless_it_is_opened(home: Home) -> None:
    sheetrack = Sheetrack(home)
    try:
        for is_open, status in ((False, 403), (True, 200)):
            client = create_app(sheetrack, "token", is_open=is_open).test_client()
            headers = {"Host": "gpu-head.lab.example:8000", "Authorization": "Bearer token"}
            assert client.get("/api/jobs", headers=headers).status_code == status
            headers["Origin"] = "http://evil.example"
            assert client.get("/api/jobs", headers=headers).status_code == 403
    finally:
        sheetrack.close()


def test_the_name_that_a_person_entered_is_marked_as_self_declared(home: Home) -> None:
    sheetrack = Sheetrack(home)
    app = create_app(sheetrack, "token")
    seen = []

    @app.get("/whoami")
    def whoami() -> str:
        seen.append(g.person)
        return ""

    try:
        for name in ("K%C3%AEm", "", "a%0Ab" + "x" * 100):
            headers = {"Host": "localhost", "Authorization": "Bearer token", PERSON_HEADER: name}
            app.test_client().get("/whoami", headers=headers)
    finally:
        sheetrack.close()
    assert seen[:2] == ["K\u00eem (self-declared)", this_user()]
    assert seen[2].endswith(" (self-declared)")
    assert len(seen[2]) < 60
    assert "\n" not in seen[2]
