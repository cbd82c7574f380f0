import pytest

from backend.text import plain_text


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
