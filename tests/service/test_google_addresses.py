"""What people paste, and what it turns out to be."""

import pytest

from backend.errors import InvalidError
from backend.service.google_addresses import public_address, spreadsheet_id, web_app_address

ID = "1AbCdEfGhIjKlMnOpQrStUvWxYz-_0123456789abcdef"
DEPLOYMENT = "AKfycbx0123456789-_abcdefghijklmnop"


@pytest.mark.parametrize(
    "text",
    [
        ID,
        f"  {ID}\n",
        f"https://docs.google.com/spreadsheets/d/{ID}/edit?gid=0#gid=0",
        f"https://docs.google.com/spreadsheets/d/{ID}",
        f"https://docs.google.com/spreadsheets/u/1/d/{ID}/edit",
        f"https://docs.google.com/a/lab.example/spreadsheets/d/{ID}/edit",
        f"docs.google.com/spreadsheets/d/{ID}/view",
    ],
)
def test_a_spreadsheet(text: str) -> None:
    assert spreadsheet_id(text) == ID


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "No address"),
        ("foo", "'foo' is not the address"),
        ("my sheet", "not the address"),
        (f"https://docs.google.com/spreadsheets/d/e/2PACX-{ID}/pubhtml", "published copy"),
        (f"https://docs.google.com/document/d/{ID}/edit", "a text document"),
        (f"https://docs.google.com/forms/d/{ID}/edit", "a form"),
        (f"https://docs.google.com/presentation/d/{ID}/edit", "a presentation"),
        ("https://docs.google.com/spreadsheets/d/short/edit", "not the address"),
        ("https://docs.google.com/spreadsheets/u/0/", "not the address"),
        (f"https://drive.example/d/{ID}", "not the address"),
        (f"{ID}'; evil", "not the address"),
        ("https://drive.google.com/drive/folders/" + ID, "not the address"),
    ],
)
def test_no_spreadsheet(text: str, said: str) -> None:
    with pytest.raises(InvalidError, match=said) as caught:
        spreadsheet_id(text)
    assert caught.value.hint


@pytest.mark.parametrize(
    "text",
    [
        f"https://script.google.com/macros/s/{DEPLOYMENT}/exec",
        f" https://script.google.com/macros/s/{DEPLOYMENT}/exec?x=1 ",
        DEPLOYMENT,
    ],
)
def test_a_web_app(text: str) -> None:
    assert web_app_address(text) == f"https://script.google.com/macros/s/{DEPLOYMENT}/exec"


def test_a_web_app_of_a_workspace() -> None:
    for path in ("a/macros/lab.example/s", "a/lab.example/macros/s"):
        address = f"https://script.google.com/{path}/{DEPLOYMENT}/exec"
        assert web_app_address(address) == address


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"https://script.google.com/macros/s/{DEPLOYMENT}/dev", "test address"),
        (f"https://script.google.com/home/projects/{ID}/edit", "editor"),
        (f"https://script.google.com/d/{ID}/edit", "editor"),
        (f"https://script.google.com.evil.example/macros/s/{DEPLOYMENT}/exec", "not the address"),
        (f"http://script.google.com/macros/s/{DEPLOYMENT}/exec", "not the address"),
        ("", "not the address"),
    ],
)
def test_no_web_app(text: str, said: str) -> None:
    with pytest.raises(InvalidError, match=said):
        web_app_address(text)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("https://gpu1.tail0123.ts.net", "https://gpu1.tail0123.ts.net"),
        (" HTTPS://Sheetrack.Lab.example/ ", "https://sheetrack.lab.example"),
        ("https://lab.example:8443", "https://lab.example:8443"),
    ],
)
def test_a_public_address(text: str, address: str) -> None:
    assert public_address(text) == address


@pytest.mark.parametrize(
    "text",
    [
        "",
        "lab.example",
        "http://lab.example",
        "https://lab.example/path",
        "https://lab.example?query",
        "https://me:secret@lab.example",
        "https://localhost:8000",
        "https://127.0.0.1",
        "https://192.168.1.7",
        "https://gpu1.local",
    ],
)
def test_no_public_address(text: str) -> None:
    with pytest.raises(InvalidError):
        public_address(text)
