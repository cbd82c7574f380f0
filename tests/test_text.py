import pytest

from backend.text import listed, ordinal, plain_text, toml_line, visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Kim Müller 李 🙂", "Kim Müller 李 🙂"),
        ("  a\tb\nc\r\nd\u2028e\u00a0f ", "a b c d e f"),
        ("\x1b[31mred\x1b[0m", "�[31mred�[0m"),
        ("\x9b31m\x07\x7f\x00", "�31m���"),
        ("kim\u202egnp.exe\u2066\u200b\ufeff", "kim�gnp.exe���"),
        ("\ud800\ue000", "��"),
        ("", ""),
    ],
)
def test_only_what_prints_is_kept(text: str, shown: str) -> None:
    assert plain_text(text, 40) == shown
    shown.encode()


def test_long_text_is_cut() -> None:
    assert plain_text("x" * 40, 40) == "x" * 40
    assert plain_text("x" * 41, 40) == "x" * 39 + "…"
    assert plain_text("a " * 10_000_000, 3) == "a…"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Kim Müller 李 🙂", "Kim Müller 李 🙂"),
        ("\x1b]0;title\x07\x9b31m", r"\x1b]0;title\x07\x9b31m"),
        ("a\r\nb\tc\x7f\x00", r"a\r\nb\tc\x7f\x00"),
        ("kim\u202egnp.exe\u2066\u200b\ufeff", r"kim\u202egnp.exe\u2066\u200b\ufeff"),
        ("\udc80\U000e0041", r"\udc80\U000e0041"),
    ],
)
def test_on_a_terminal_all_of_a_text_can_be_seen(text: str, shown: str) -> None:
    assert visible(text) == shown
    assert visible(text).isprintable()


def test_many_names_are_counted() -> None:
    assert listed([]) == ""
    assert listed(list("abcdefgh")) == "a, b, c, d, e, f, g, h"
    assert listed(list("abcdefghi"), 3) == "a, b, c and 6 more"


TOML = """# comment
run_tabs = 5
"quoted" = 1
[people]
kim = "kim@lab"
[[server]]
name = "a"
agent = "http://a"

[[ server ]]
name = "b"
  agent="x"
[google.relay]
agent = 3
"""


@pytest.mark.parametrize(
    ("location", "line"),
    [
        (("run_tabs",), 2),
        (("quoted",), 3),
        (("people", "kim"), 5),
        (("people", "lee"), 4),
        (("server", 0, "agent"), 8),
        (("server", 1, "agent"), 12),
        (("server", 1, "maintenance"), 10),
        (("server", 1), 10),
        (("google", "relay", "agent"), 14),
        (("kim",), 0),
        ((), 0),
    ],
)
def test_a_setting_has_a_line(location: tuple[str | int, ...], line: int) -> None:
    assert toml_line(TOML, location) == line


def test_places_in_words() -> None:
    words = "1st 2nd 3rd 4th 11th 12th 13th 21st 101st 111th"
    assert " ".join(map(ordinal, (1, 2, 3, 4, 11, 12, 13, 21, 101, 111))) == words
