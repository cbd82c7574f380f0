"""What goes to the public address is packed, and nothing on this machine."""

import gzip
from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient
from waitress.buffers import ReadOnlyFileBasedBuffer

from backend.api.app import create_app
from backend.api.identity import Person, Role
from backend.api.routes.pages import WEB
from backend.service.wiring import Sheetrack
from backend.settings import Home

PUBLIC = {"Host": "lab.example", "Authorization": "Bearer who.i.am", "Accept-Encoding": "gzip"}
LOCAL = {"Host": "127.0.0.1:8000", "Authorization": "Bearer token", "Accept-Encoding": "gzip"}


@pytest.fixture
def client(home: Home) -> Iterator[FlaskClient]:
    home.make()
    home.settings_file.write_text('[people]\npublic_address = "https://lab.example"\n')
    sheetrack = Sheetrack(home)
    sheetrack.identify = lambda _: Person("kim", Role.SEE)
    yield create_app(sheetrack, "token").test_client()
    sheetrack.close()


def test_large_texts_are_packed_on_the_way_to_the_public_address(client: FlaskClient) -> None:
    plain = client.get("/api/architectures", headers={**PUBLIC, "Accept-Encoding": "identity"})
    assert "Content-Encoding" not in plain.headers
    answer = client.get("/api/architectures", headers=PUBLIC)
    assert answer.headers["Content-Encoding"] == "gzip"
    assert len(answer.data) * 5 < len(plain.data)
    assert gzip.decompress(answer.data) == plain.data
    assert int(answer.headers["Content-Length"]) == len(answer.data)


@pytest.mark.parametrize(
    ("path", "headers"), [("/api/data", PUBLIC), ("/web/icon.svg", PUBLIC), ("/api/architectures", LOCAL)]
)
def test_what_gains_nothing_stays_as_it_is(client: FlaskClient, path: str, headers: dict[str, str]) -> None:
    with client.get(path, headers=headers) as answer:
        assert answer.status_code == 200
        assert "Content-Encoding" not in answer.headers


@pytest.mark.parametrize("path", ["/web/page.js", "/web/page.css"])
def test_files_reach_colleagues_also_through_the_server_that_up_runs(client: FlaskClient, path: str) -> None:
    wrapper = {"wsgi.file_wrapper": ReadOnlyFileBasedBuffer}
    with client.get(path, headers=PUBLIC, environ_overrides=wrapper) as answer:
        assert answer.status_code == 200
        assert answer.data == (WEB / path.rsplit("/", maxsplit=1)[1]).read_bytes()
