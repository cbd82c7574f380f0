"""The Servers tab."""

import pytest

from backend.probe.snapshot import GpuReading
from backend.sheets.table import Bars, Spark, Text
from backend.tabs.servers import servers_table
from tests import examples
from tests.tabs.rows import named


def test_a_busy_server_shows_its_gpus_and_users() -> None:
    row = named(servers_table([examples.busy_server()]).sections[0])
    assert row["Verdict"] == Text(text="busy", tone="busy", note="1 of 2 GPUs free")
    assert row["GPUs"] == Bars(
        fractions=(0.97, None),
        behind=(22_000 / 24_576, None),
        label="GPU 0 97% (memory 90%), GPU 1 not answering",
    )
    assert row["Free GPU memory"] == pytest.approx((24_576 - 22_000) / 1024)  # of GPUs that work
    assert row["Memory"] == pytest.approx(0.38)
    assert row["Users"] == "kim"
    assert row["Last hour"] == Spark(
        values=(None, 10, 55, 97), low=0, high=100, label="use over the last hour: 10 to 97 %, now 97 %"
    )


def test_a_gpu_of_unknown_utilisation_is_told_to_a_screen_reader() -> None:
    server = examples.busy_server()
    assert server.snapshot
    assert server.snapshot.gpus
    gpus = [
        server.snapshot.gpus[0].model_copy(update={"index": i, "utilization_percent": u})
        for i, u in ((0, None), (1, 5))
    ]
    snapshot = server.snapshot.model_copy(update={"gpus": tuple(gpus)})
    row = named(servers_table([server.model_copy(update={"snapshot": snapshot})]).sections[0])
    assert row["GPUs"] == Bars(
        fractions=(None, 0.05),
        behind=(22_000 / 24_576, 22_000 / 24_576),
        label="GPU 0: utilisation unknown (memory 90%), GPU 1 5% (memory 90%)",
    )


def test_more_memory_in_use_than_there_is_leaves_none_free() -> None:
    server = examples.busy_server()
    assert server.snapshot
    gpu = GpuReading(index=0, memory_used_mib=30_000, memory_total_mib=24_576)
    snapshot = server.snapshot.model_copy(update={"gpus": (gpu,)})
    row = named(servers_table([server.model_copy(update={"snapshot": snapshot})]).sections[0])
    assert row["Free GPU memory"] == 0


def test_who_has_reserved_a_server_stands_there_where_the_lab_keeps_reservations() -> None:
    server = examples.busy_server().model_copy(update={"reserved": "Max until 18:00"})
    kept, not_kept = (named(servers_table([server], reservations=kept).sections[0]) for kept in (True, False))
    assert kept["Reserved"] == "Max until 18:00"
    assert not_kept == {title: cell for title, cell in kept.items() if title != "Reserved"}


def test_what_is_not_known_of_a_server_stays_empty() -> None:
    row = named(servers_table([examples.down_server()]).sections[0])
    shown = {title for title, cell in row.items() if cell is not None}
    assert shown == {"Server", "Verdict", "Seen"}
