"""Tables to publish, and the columns that are shown beside people's own."""

from backend.servers.state import ServerStatus
from backend.sheets.table import Column, Section, Table, Text
from backend.tabs.jobs import jobs_table
from backend.tabs.leaderboard import leaderboard_table
from backend.tabs.results import results_table
from backend.tabs.run import run_table
from backend.tabs.servers import servers_table
from tests import examples

SHOWN = ("Verdict", "GPUs", "Free GPU memory", "Users", "Seen")


def tables() -> list[Table]:
    """One of every kind."""
    return [
        servers_table([examples.busy_server()]),
        jobs_table([examples.running()], []),
        results_table([examples.result()]),
        leaderboard_table([examples.result()]),
        run_table(examples.result(), examples.HISTORY, ["confusion_matrix"]),
    ]


def texts(*words: str, name: str = "Jobs", rank: int = 0) -> Table:
    """A small one of texts, notes and numbers."""
    rows = tuple((word, Text(text=word, note=word), 1.5) for word in words)
    columns = (Column(title="Plain"), Column(title="Noted"), Column(title="Number", format="decimal"))
    return Table(name=name, rank=rank, sections=(Section(columns=columns, rows=rows),))


def named(*names: str) -> list[ServerStatus]:
    """Servers whose verdicts name them."""
    busy = examples.busy_server()
    return [
        busy.model_copy(update={"name": name, "verdict": busy.verdict.model_copy(update={"reason": name})})
        for name in names
    ]
