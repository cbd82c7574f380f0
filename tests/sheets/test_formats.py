"""The colours and signs of meanings: defined in Python, and the same in both style sheets."""

import re
from pathlib import Path
from typing import get_args

import pytest

from backend.servers.state import State
from backend.sheets.formats import ACCENT, INK, SIGNS, TONES
from backend.sheets.table import Tone

ROOT = Path(__file__).parents[2]
SHEETS = {"page": ROOT / "backend/page/page.css", "add-on": ROOT / "apps_script/SidebarStyle.html"}


DARK = re.compile(r"@media \(prefers-color-scheme: dark\) \{(.*?\})\s*\}", re.DOTALL)


def variables(css: str) -> dict[str, str]:
    return {name: code.upper() for name, code in re.findall(r"--([\w-]+): (#[0-9a-f]{6})\b", css)}


def light(css: str) -> str:
    return DARK.sub("", css)


def colours(css: str) -> dict[str, str]:
    """The colour of each class whose rule is nothing but one."""
    known = variables(css)
    rules = re.findall(r"^\s*((?:\.\w+(?:, )?|header p)+) \{ color: var\(--(\w+)\); \}", css, re.MULTILINE)
    return {name: known[colour] for classes, colour in rules for name in re.findall(r"\.(\w+)", classes)}


def signs(css: str) -> dict[str, str]:
    """What stands before the text of a class."""
    return dict(re.findall(r'\.(\w+)::before \{ content: "(.)" / ""; \}', css))


def test_every_tone_has_a_colour_and_every_state_a_sign() -> None:
    assert set(TONES) == set(get_args(Tone))
    assert set(SIGNS) == {state.value for state in State}
    assert len(set(SIGNS.values())) == len(SIGNS)


@pytest.mark.parametrize("sheet", SHEETS)
def test_style_sheets_have_the_same_colours_and_signs(sheet: str) -> None:
    css = light(SHEETS[sheet].read_text())
    shown = colours(css)
    assert shown == {tone: TONES[tone] for tone in get_args(Tone) if tone in shown}
    assert set(shown) >= set(SIGNS) | {"bad", "soft"}
    assert signs(css) == SIGNS
    assert (variables(css)["ink"], variables(css)["accent"]) == (INK.upper(), ACCENT)


@pytest.mark.parametrize("sheet", SHEETS)
def test_every_colour_of_a_tone_has_a_dark_one(sheet: str) -> None:
    css = SHEETS[sheet].read_text()
    dark = DARK.search(css)
    assert dark
    used = set(re.findall(r"color: var\(--(\w+)\)", light(css)))
    assert used
    assert used & set(variables(light(css))) <= set(variables(dark[1]))


def test_the_page_has_a_colour_for_every_tone() -> None:
    assert set(colours(light(SHEETS["page"].read_text()))) >= set(get_args(Tone))
