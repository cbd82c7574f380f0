"""The names of Sheetrack's tabs, and the order in which they stand. The add-on uses the same names."""

from datetime import datetime
from enum import IntEnum

from models.analyses import WHAT

SERVERS = "Servers"
JOBS = "Jobs"
RESULTS = "Results"
LEADERBOARD = "Leaderboard"
ARCHIVE = "Archive"
NOTES = "Notes"
"""A tab of people's own."""
USAGE = "Usage"
REPORT = "Weekly report"

_STEP = 10**10
"""Between two ranks; more than the seconds since 1970, so that moments fit between."""


class Rank(IntEnum):
    """The order of the tabs: servers first, single runs last."""

    SERVERS = 0 * _STEP
    JOBS = 1 * _STEP
    RESULTS = 2 * _STEP
    LEADERBOARD = 3 * _STEP
    USAGE = 4 * _STEP
    REPORT = 4 * _STEP + 1
    ARCHIVE = 4 * _STEP + 2
    SWEEPS = 5 * _STEP
    COMPARISON = 6 * _STEP
    RUN = 7 * _STEP
    EXPLANATION = 8 * _STEP

    def newest_first(self, moment: datetime) -> int:
        """The rank of one tab among others of its kind, by the moment at which it came to be."""
        return self + _STEP - round(moment.timestamp())


def sweeps_tab(architecture: str) -> str:
    return f"Fine-tuning {architecture}"


def is_run_tab(tab: str) -> bool:
    return tab.startswith("Run ")


def is_comparison_tab(tab: str) -> bool:
    return tab.startswith("Compare ")


def is_explanation_tab(tab: str) -> bool:
    return tab.partition(" ")[0] in WHAT.values()


def comparison_tab(a: str, b: str) -> str:
    return f"Compare {a} {b}"


def is_brain_tab(tab: str) -> bool:
    return tab.startswith("Brain ")


def brain_tab(run: str) -> str:
    return f"Brain {run}"


def run_in(tab: str) -> str:
    """The run whose tab it is."""
    return tab.removeprefix("Run ")


def run_tab(run: str) -> str:
    return f"Run {run}"
