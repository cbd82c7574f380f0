"""The present on a clock that may be wrong; durations in words, in Python as in the page and the add-on."""

import json
import re
import shutil
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest

from backend.times import Clock, duration

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


class Machine:
    """A wall clock that is set at will, and a steady one."""

    def __init__(self) -> None:
        self.steady = 0.0
        self.ahead = 1_700_000_000.0
        self.clock = Clock(lambda: self.steady + self.ahead, lambda: self.steady)

    def now_after(self, seconds: float) -> float:
        """The time that the clock tells, less the one that is right at first."""
        self.steady += seconds
        return round(self.clock.seconds() - 1_700_000_000 - self.steady, 3)


@pytest.mark.parametrize("minutes", [-10, 10])
def test_a_clock_that_is_wrong_for_seconds_changes_nothing(minutes: int) -> None:
    machine = Machine()
    assert machine.now_after(1) == 0
    machine.ahead += minutes * 60
    assert [machine.now_after(1) for _ in range(5)] == [0] * 5
    machine.ahead -= minutes * 60
    assert machine.now_after(1) == 0
    assert machine.now_after(100_000) == 0


@pytest.mark.parametrize("minutes", [-10, 10])
def test_a_clock_that_stays_set_is_followed_after_a_minute(minutes: int) -> None:
    machine = Machine()
    machine.ahead += minutes * 60
    assert [machine.now_after(20) for _ in range(4)] == [0, 0, 0, minutes * 60]
    assert machine.now_after(1) == minutes * 60


def test_a_clock_that_is_wrong_twice_is_not_believed_the_second_time() -> None:
    machine = Machine()
    for _ in range(10):
        machine.ahead += 600
        assert machine.now_after(20) == 0
        machine.ahead -= 600
        assert machine.now_after(20) == 0


def test_a_clock_that_is_adjusted_step_by_step_is_followed() -> None:
    machine = Machine()
    for step in range(1, 20):
        machine.ahead += 0.5
        assert machine.now_after(1) == step / 2
