import pytest

from backend.jobs.job import JobState
from backend.probe.snapshot import GpuReading
from backend.sheets.table import Bars, Cell, Number, Section, Sound, Spark, Table, Text
from backend.tabs.comparison import comparison_table
from backend.tabs.jobs import jobs_table
from backend.tabs.leaderboard import leaderboard_table, train_command
from backend.tabs.results import results_table
from backend.tabs.run import run_table
from backend.tabs.servers import servers_table
from models.compare import compare
from models.recipe import Recipe
from models.result import Filter, Prediction
from tests import examples


def named(section: Section, row: int = 0) -> dict[str, Cell]:
    titles = [column.title for column in section.columns]
    return dict(zip(titles, section.rows[row], strict=True))


def test_every_row_has_a_cell_for_every_column() -> None:
    results = [examples.result("r1"), examples.result("r2", 0.5)]
    tables = [
        servers_table([examples.busy_server(), examples.down_server()]),
        jobs_table([examples.running()], [examples.job("r0", state=JobState.FAILED)]),
        results_table(results),
        leaderboard_table(results),
        run_table(results[0], examples.HISTORY, ["confusion"]),
    ]
    for table in tables:
        for section in table.sections:
            assert {len(row) for row in section.rows} <= {len(section.columns)}
        assert Table.model_validate_json(table.model_dump_json()) == table


def test_a_busy_server_shows_its_gpus_and_users() -> None:
    row = named(servers_table([examples.busy_server()]).sections[0])
    assert row["Verdict"] == Text(text="busy", tone="busy", note="1 of 2 GPUs free")
    assert row["GPUs"] == Bars(fractions=(0.97, None), label="GPU 0 97%, GPU 1 not answering")
    assert row["Free GPU memory"] == pytest.approx((24_576 - 22_000 + 24_576 - 512) / 1024)
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
    assert row["GPUs"] == Bars(fractions=(None, 0.05), label="GPU 0: utilisation unknown, GPU 1 5%")


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


def test_running_jobs_stand_before_those_that_wait() -> None:
    waiting = examples.job("r1", reason="another training runs on this server")
    section = jobs_table(
        [waiting, examples.running("r2")], [examples.job("r0", state=JobState.DONE)]
    ).sections[0]
    jobs = [row[0] for row in section.rows]
    assert jobs == [Text(text="r2"), Text(text="r1"), Text(text="r0", tab="Run r0")]
    assert named(section, 0)["Epoch"] == "14 of 40"
    assert named(section, 1)["State"] == Text(
        text="queued", tone="soft", note="another training runs on this server"
    )


def test_the_best_result_is_bold_and_synthetic_data_is_called_so() -> None:
    section = results_table([examples.result("r1", 0.7), examples.result("r2", 0.9)]).sections[0]
    assert [named(section, row)["Test accuracy"] for row in (0, 1)] == [
        Number(value=0.7, format="accuracy"),
        Number(value=0.9, format="accuracy", bold=True),
    ]
    assert named(section)["Data"] == Text(text="speech", note="synthetic speech")


def test_the_leaderboard_joins_seeds_and_stands_beside_the_published_rows() -> None:
    seeds = [
        examples.result(f"r{seed}", accuracy, recipe=examples.recipe(seed=seed, name=f"try {seed}"))
        for seed, accuracy in enumerate((0.8, 0.9))
    ]
    section = leaderboard_table(seeds).sections[0]
    rows = [named(section, place) for place in range(len(section.rows))]
    measured = [row for row in rows if row["Source"] == Text(text="measured", tone="good")]
    assert len(measured) == 1
    assert measured[0]["Runs"] == 2
    shown = measured[0]["Full-length clips"]
    assert isinstance(shown, Number)
    assert shown.value == pytest.approx(0.85)
    assert measured[0]["± over seeds"] == pytest.approx(0.0707, abs=1e-4)
    assert len(rows) == 17 + 1
    assert rows[0]["Full-length clips"] == 0.9701


def test_the_run_tab_has_curve_matrix_confusions_and_pictures() -> None:
    run = examples.result("r7", 0.9)
    filters = [
        Filter(channel=channel, centre_hz=None if channel == 8 else 100.0 * channel, weights=(0.5, -0.25))
        for channel in range(9)
    ]
    predictions = [
        Prediction(
            clip=f"bed/{clip}.wav", frames=16000, label="bed", prediction=prediction, confidence=confidence
        )
        for clip, prediction, confidence in ((1, "bird", 0.6), (2, "bed", 0.99), (3, "cat", 0.9))
    ]
    facts, curves, matrix, confusions, first_layer, wrong, pictures = run_table(
        run, examples.HISTORY, ["confusion"], predictions=predictions, filters=filters
    ).sections
    assert named(facts, 1)["Value"] == Number(value=0.9, format="accuracy", bold=True)
    assert curves.rows[3][1] == Spark(
        values=(0.41, 0.91),
        low=0,
        high=1,
        label="Validation accuracy over 2 epochs: from 41.00% to 91.00%",
    )
    assert matrix.rows[0][:4] == ("zero", 9, 1, None)
    assert matrix.rows[0][-1] == pytest.approx(0.9)
    assert confusions.rows[0] == ("bed", "bird", 1)
    assert wrong.rows == (
        ("bed", "cat", 0.9, Text(text="bed/3.wav", sound=Sound(run="r7", clip="bed/3.wav"))),
        ("bed", "bird", 0.6, Text(text="bed/1.wav", sound=Sound(run="r7", clip="bed/1.wav"))),
    )
    assert wrong.note.startswith("2 of 2")
    assert [len(row) for row in first_layer.rows] == [9, 9]
    assert first_layer.rows[0][:2] == (
        "0.00 to 0.70",
        Spark(
            values=(0.5, -0.25),
            style="column",
            low=-0.5,
            high=0.5,
            label="channel 0, centre 0 Hz: +0.5 -0.25",
        ),
    )
    assert first_layer.rows[1][2:] == (None,) * 7
    assert [picture.figure for picture in pictures.pictures] == ["confusion"]


def test_a_comparison_shows_what_changed_and_whether_it_is_chance() -> None:
    table = comparison_table(compare("published:base", "published:ch32"), examples.NOON)
    facts, first, second, difference, pairs = table.sections
    assert table.name == "Compare published:base published:ch32"
    assert facts.rows[2][1:] == (
        Number(value=4470 / 4815, format="accuracy"),
        Number(value=4590 / 4815, format="accuracy", bold=True),
        Number(value=4590 / 4815 - 4470 / 4815, format="points"),
    )
    assert facts.rows[-1][1] == "two-proportion z-test: p < 0.0001"
    assert "McNemar" in facts.note
    assert pairs.rows[0] == ("three / tree", 52, 23, -29)
    words = [column.title for column in difference.columns]
    three, tree = words.index("three"), words.index("tree")
    assert (first.rows[three - 1][tree], second.rows[three - 1][tree]) == (20, 8)
    assert difference.rows[three - 1][tree] == -12
    assert difference.heat == "difference"
    for section in table.sections:
        assert {len(row) for row in section.rows} <= {len(section.columns)}


def test_a_comparison_of_different_clips_is_in_per_cent() -> None:
    comparison = compare("published:base", "published:ch32")
    fewer = [[count // 2 for count in row] for row in comparison.b.confusion_matrix]
    other = comparison.model_copy(
        update={
            "b": comparison.b.model_copy(update={"confusion_matrix": fewer, "clips": sum(map(sum, fewer))})
        }
    )
    difference = comparison_table(other, examples.NOON).sections[3]
    assert {column.format for column in difference.columns[1:]} == {"percent"}
    shown = [cell for row in difference.rows for cell in row[1:] if cell is not None]
    assert shown
    assert all(isinstance(cell, float) and 0.005 <= abs(cell) <= 1 for cell in shown)


def test_the_command_of_a_recipe_names_what_differs_from_the_defaults() -> None:
    recipe = Recipe(data="/data/my speech", architecture="vgg", batch_norm=False, seed=3)
    assert train_command(recipe) == "sheetrack train vgg --data '/data/my speech' --no-batch-norm --seed 3"
