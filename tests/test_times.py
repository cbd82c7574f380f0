"""Durations in words: one way of writing them, in Python as in the page and the add-on."""

import json
import re
import shutil
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest

from backend.times import duration

ROOT = Path(__file__).parents[1]
ROUGH = {
    0.4: "0 s", 8.4: "8 s", 89.4: "89 s", 89.6: "90 s", 90: "2 min", 150: "3 min", 5399: "90 min", 5400: "2 h",
    18_000: "5 h", 129_599: "36 h", 129_600: "2 days", 216_000: "3 days", 40_000_000: "463 days",
}  # fmt: skip
EXACT = {
    0: "0.0 s", 8.42: "8.4 s", 9.94: "9.9 s", 9.96: "10 s", 59.4: "59 s", 59.6: "1 min 00 s", 754: "12 min 34 s",
    724.2: "12 min 04 s", 3599.7: "1 h 00 min", 11_100: "3 h 05 min", 360_000: "100 h 00 min",
}  # fmt: skip


def test_durations_are_written_in_one_unit_or_two() -> None:
    assert {seconds: duration(timedelta(seconds=seconds)) for seconds in ROUGH} == ROUGH
    assert {seconds: duration(seconds, exact=True) for seconds in EXACT} == EXACT
    assert duration(timedelta(seconds=-5)) == "0 s"


def test_the_page_and_the_add_on_write_them_alike(tmp_path: Path) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.fail("needs Node 20 or newer: sudo apt-get install nodejs")
    (tmp_path / "page.mjs").write_text((ROOT / "backend/page/formats.js").read_text())
    [add_on] = re.findall(
        r"^function duration\(.*?^}",
        (ROOT / "apps_script/SidebarParts.html").read_text(),
        re.MULTILINE | re.DOTALL,
    )
    (tmp_path / "add_on.mjs").write_text(f"export {add_on}")
    (tmp_path / "all.mjs").write_text(
        f"""
        import {{ ago, duration, roughly }} from './page.mjs';
        import {{ duration as addOn }} from './add_on.mjs';
        Date.now = () => 0;
        const rough = {json.dumps(list(ROUGH))}, exact = {json.dumps(list(EXACT))};
        const since = (seconds) => ago(new Date(-1000 * seconds).toISOString());
        console.log(JSON.stringify([rough.map(roughly), rough.map(addOn), rough.map(since), exact.map(duration)]));
        """
    )
    ended = subprocess.run([node, tmp_path / "all.mjs"], capture_output=True, text=True, check=True)
    page, add_on, ago, exact = json.loads(ended.stdout)
    assert page == add_on == list(ROUGH.values())
    assert ago == [f"{words} ago" for words in ROUGH.values()]
    assert exact == list(EXACT.values())
