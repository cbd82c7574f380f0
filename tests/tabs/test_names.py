"""One name a tab, in the backend as in the add-on."""

import re
from datetime import timedelta
from pathlib import Path

from backend.tabs.names import JOBS, RESULTS, SERVERS, USAGE, Rank, comparison_tab, run_tab, sweeps_tab
from tests import examples

ADD_ON = Path(__file__).parents[2] / "apps_script"


def test_the_add_on_opens_tabs_by_the_names_that_the_backend_gives_them() -> None:
    pages = [file.read_text() for file in sorted(ADD_ON.glob("*.html"))]
    opened = [call for page in pages for call in re.findall(r"(?<!function )openTab\((.*?)\);", page)]
    [sweeps] = [body for page in pages for body in re.findall(r"const tabOf = .*? => (.*);", page)]
    named = [sweeps if call.startswith("tabOf(") else call.rstrip(")") for call in opened]
    example = {re.sub(r"\$\{\w+\}", "x", name).strip("'`") for name in named}
    assert example == {SERVERS, run_tab("x"), sweeps_tab("x")}


def test_the_add_on_finds_both_sides_in_the_tab_of_a_comparison() -> None:
    [pattern] = re.findall(r"const COMPARISON = /(.*)/;", (ADD_ON / "Images.js").read_text())
    found = re.match(pattern, comparison_tab("published:base", "r3f2a9b"))
    assert found
    assert found.groups() == ("published:base", "r3f2a9b")


def test_messages_of_the_add_on_name_tabs_that_exist() -> None:
    texts = [file.read_text() for file in sorted(ADD_ON.rglob("*.*"))]
    mentioned = {name for text in texts for name in re.findall(r"\b[Tt]he tab ([A-Z]\w+)", text)}
    assert mentioned
    assert mentioned <= {SERVERS, JOBS, RESULTS, USAGE}


def test_the_newest_run_stands_first_and_explanations_last() -> None:
    newest, older = (Rank.RUN.newest_first(examples.NOON - timedelta(days=days)) for days in (0, 400))
    assert Rank.RUN <= newest < older < Rank.EXPLANATION == max(Rank)
    comparison = Rank.COMPARISON.newest_first(examples.NOON)
    assert Rank.COMPARISON < comparison < Rank.RUN
