"""The tabs of sweeps: the published layout, and where every cell stands."""

import pytest

from backend.jobs.job import JobState
from backend.jobs.sweep import Grid, SweepView
from backend.sheets.table import Number, Section, Text
from backend.tabs.sweeps import FineTuning, fine_tuning_table
from models import published
from models.result import Progress
from tests.jobs.swept import LAYERS, SPEECH, measured, sweep, view, waiting


def shown(section: Section) -> dict[str, list[object]]:
    """The words and numbers of each row."""
    return {
        str(title): [
            cell.text if isinstance(cell, Text) else cell.value if isinstance(cell, Number) else cell
            for cell in row
        ]
        for title, *row in section.rows
    }


def sections(shown: SweepView) -> tuple[Section, ...]:
    return fine_tuning_table("ch32", [shown]).sections


def test_the_tab_has_the_published_layout_and_says_where_every_cell_stands() -> None:
    jobs = [
        waiting("r3", depth=5, dropout=0.75, batch_norm=False).model_copy(
            update={"state": JobState.RUNNING, "progress": Progress(epoch=1, epochs=2)}
        ),
        waiting("r4", depth=5, dropout=0.75, batch_norm=True),
        waiting("r5", JobState.FAILED, depth=8, dropout=0.25, batch_norm=False),
        waiting("r6", JobState.CANCELLED, depth=8, dropout=0.25, batch_norm=True),
    ]
    results = [
        measured("r1", 0.7, depth=5, dropout=0.25, batch_norm=False),
        measured("r2", 0.9, depth=5, dropout=0.25, batch_norm=True),
    ]
    grid, beside = sections(view(sweep(), jobs, results))
    titles = [column.title for column in grid.columns]
    assert titles == ["Depth, last layer", "DO(0.25)", "DO(0.25)+BN", "DO(0.75)", "DO(0.75)+BN"]
    rows = shown(grid)
    assert list(rows) == [f"{depth} {layer}" for depth, layer in LAYERS.items()]
    assert rows["5 CONV(5, 64)"] == [0.7, 0.9, "epoch 1/2", "queued"]
    assert rows["8 CONV(5, 64)"] == ["failed", "cancelled", "X", "X"]
    assert rows["1 CONV(5, 32)"] == ["X"] * 4
    bold = [cell for row in grid.rows for cell in row if isinstance(cell, Number) and cell.bold]
    assert [cell.value for cell in bold] == [0.9]
    assert grid.heat == "good"
    assert "clips of a full second" in grid.note
    assert "2 of 8 cells measured, 1 running, 1 queued, 1 failed, 1 cancelled" in grid.note
    known = {
        (cell.depth, cell.dropout, cell.batch_norm): cell.accuracy for cell in published.fine_tuning("ch32")
    }
    theirs = known[5, 0.25, False]
    assert theirs is not None
    assert shown(beside)["5 CONV(5, 64)"][:3] == [0.7, theirs, pytest.approx(0.7 - theirs)]
    assert shown(beside)["1 CONV(5, 32)"][:3] == ["X", "X", None]
    assert {len(row) for row in beside.rows} == {len(beside.columns)}


def test_seeds_are_averaged_and_all_clips_are_taken_where_no_clip_is_full() -> None:
    asked = sweep(grid=Grid(depths=(5,), dropouts=(0.25,), batch_norms=(False,), seeds=2))
    place = {"depth": 5, "dropout": 0.25, "batch_norm": False}
    results = [measured("r1", 0.7, **place), measured("r2", 0.9, seed=1, **place)]
    (grid, _) = sections(view(asked, [], results))
    assert shown(grid)["5 CONV(5, 64)"] == [pytest.approx(0.8)]
    assert "mean over 2 seeds" in grid.note
    short = [
        result.model_copy(
            update={"content": result.content.model_copy(update={"test_accuracy_full_length": None})}
        )
        for result in results
    ]
    (grid, _) = sections(view(asked, [], short))
    assert shown(grid)["5 CONV(5, 64)"] == [pytest.approx(0.8)]
    assert "on all clips" in grid.note


def test_synthetic_speech_and_a_pause_are_said() -> None:
    data = SPEECH.model_copy(update={"synthetic": True})
    grid, _ = sections(
        view(sweep(data=data, paused_by="lee"), [waiting("r1", depth=5, dropout=0.25, batch_norm=False)])
    )
    assert "synthetic speech" in grid.title
    assert shown(grid)["5 CONV(5, 64)"][0] == "paused"
    assert "1 paused by lee" in grid.note


def test_one_epoch_is_told_as_one() -> None:
    asked = sweep(recipe=sweep().recipe.model_copy(update={"epochs": 1}))
    assert "Every cell: 1 epoch, batches" in sections(view(asked))[0].note


def test_an_architecture_without_published_table_has_the_grid_alone() -> None:
    asked = sweep(recipe=sweep().recipe.model_copy(update={"architecture": "ch64"}))
    assert len(fine_tuning_table("ch64", [view(asked)]).sections) == 1


def test_dropouts_that_differ_beyond_six_digits_can_be_told_apart() -> None:
    grid = Grid(depths=(8,), dropouts=(0.1234561, 0.1234562, 0.25), batch_norms=(False,))
    section, _ = sections(view(sweep(grid=grid)))
    titles = [column.title for column in section.columns]
    assert titles == ["Depth, last layer", "DO(0.1234561)", "DO(0.1234562)", "DO(0.25)"]


def test_a_table_is_made_again_when_one_of_its_sweeps_changed() -> None:
    first, second = (
        view(sweep()),
        view(sweep(id="s2", recipe=sweep().recipe.model_copy(update={"architecture": "ch64"}))),
    )
    views = [first, second]
    fine_tuning = FineTuning(lambda: views)
    before = fine_tuning.tables()
    assert [table.name for table in before] == ["Fine-tuning ch32", "Fine-tuning ch64"]
    assert [id(table) for table in fine_tuning.tables()] == [id(table) for table in before]
    views[0] = view(sweep(paused_by="lee"), [waiting("r1", depth=5, dropout=0.25, batch_norm=False)])
    after = fine_tuning.tables()
    assert "paused by lee" in after[0].sections[0].note
    assert after[1] is before[1]
    del views[0]
    assert fine_tuning.tables() == [before[1]]
