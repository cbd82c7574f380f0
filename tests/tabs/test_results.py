"""The Results tab."""

from backend.jobs.marks import Mark
from backend.sheets.table import Number, Text
from backend.tabs.results import archive_table, results_table
from tests import examples
from tests.tabs.rows import named


def test_the_best_result_is_bold_and_synthetic_data_is_called_so() -> None:
    section = results_table([examples.result("r1", 0.7), examples.result("r2", 0.9)]).sections[0]
    assert [named(section, row)["Test accuracy"] for row in (0, 1)] == [
        Number(value=0.7, format="accuracy"),
        Number(value=0.9, format="accuracy", bold=True),
    ]
    assert named(section)["Data"] == Text(text="speech", note="synthetic speech")


def test_choices_that_differ_are_columns_and_the_others_are_told_once() -> None:
    runs = [
        examples.result(f"r{seed}", recipe=examples.recipe(seed=seed, learning_rate=rate))
        for seed, rate in enumerate((0.001, 0.003))
    ]
    section = results_table(runs).sections[0]
    assert [column.title for column in section.columns if column.is_choice] == ["Learning rate", "Seed"]
    by_run = {row[0].text: place for place, row in enumerate(section.rows) if isinstance(row[0], Text)}
    assert named(section, by_run["r1"])["Learning rate"] == 0.003
    assert section.note.startswith("All rows: batch size 64 · schedule one-cycle · augmentation light")


def test_marks_are_shown_and_archived_runs_stand_in_the_archive() -> None:
    runs = [examples.result("r1"), examples.result("r2")]
    marks = {"r1": Mark(name="best of May", note="wider", is_starred=True), "r2": Mark(is_archived=True)}
    section = results_table(runs, marks=marks).sections[0]
    assert len(section.rows) == 1
    row = named(section)
    assert row["Run"] == Text(text="r1", tab="Run r1", note="★")
    assert row["Training"] == Text(text="ch32 · 8 · DO(0.75)", note="best of May")
    assert row["Note"] == "wider"
    assert section.note.endswith("1 more in the tab Archive.")
    archive = archive_table(runs, marks)
    assert archive
    assert named(archive.sections[0])["Run"] == Text(text="r2", tab="Run r2")
    assert archive_table(runs, {}) is None
