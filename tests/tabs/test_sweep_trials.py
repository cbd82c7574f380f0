"""The tab of a sweep whose trainings differ in other fields."""

from backend.jobs.job import JobState
from backend.jobs.sweep import Grid
from backend.sheets.table import Number, Text
from backend.tabs.sweeps import fine_tuning_table
from tests.jobs.swept import measured, sweep, view, waiting

GRID = Grid(
    depths=(8,), dropouts=(0.5,), batch_norms=(True,), vary={"learning_rate": "0.001,0.01,0.1"}, halving=(2, 6)
)  # fmt: skip
PLACE = {"depth": 8, "dropout": 0.5, "batch_norm": True, "epochs": 2}


def test_a_row_a_training_with_its_rung_and_what_was_dropped() -> None:
    results = [
        measured("r1", 0.7, learning_rate=0.001, **PLACE),
        measured("r2", 0.9, learning_rate=0.01, **PLACE),
    ]
    best = results[1].content.model_copy(update={"validation_accuracy": 0.95})
    results[1] = results[1].model_copy(update={"content": best})
    jobs = [
        waiting("r3", JobState.FAILED, learning_rate=0.1, **PLACE),
        waiting("r4", JobState.RUNNING, learning_rate=0.01, parent="r2", **{**PLACE, "epochs": 6}),
    ]
    table = fine_tuning_table("ch32", [view(sweep(grid=GRID), jobs, results)])
    (section,) = table.sections
    assert [column.title for column in section.columns] == [
        "Learning rate", "Rung (epochs)", "Validation", "Test", "State", "Run",
    ]  # fmt: skip
    shown = [
        [
            cell.text if isinstance(cell, Text) else cell.value if isinstance(cell, Number) else cell
            for cell in row
        ]
        for row in section.rows
    ]
    assert shown == [
        ["0.01", 6, 0.95, 0.9, "running", "r2"],
        ["0.001", 2, 0.91, 0.7, "dropped after 2 epochs", "r1"],
        ["0.1", 2, None, None, "failed, dropped", None],
    ]
    assert "Every combination: learning_rate 0.001,0.01,0.1" in section.note
    assert "Successive halving over 2, 6 epochs" in section.note


def test_one_epoch_is_told_in_the_singular() -> None:
    once = {**PLACE, "epochs": 1}
    results = [
        measured(f"r{place}", 0.7 + place / 10, learning_rate=10.0**-place, **once) for place in (1, 2, 3)
    ]
    grid = GRID.model_copy(update={"halving": (1, 3)})
    going_on = waiting("r4", JobState.RUNNING, learning_rate=0.001, parent="r3", **{**PLACE, "epochs": 3})
    (section,) = fine_tuning_table("ch32", [view(sweep(grid=grid), [going_on], results)]).sections
    states = {cell.text for row in section.rows for cell in row if isinstance(cell, Text) and cell.text}
    assert "dropped after 1 epoch" in states
