"""What is made of files that a program writes as it likes."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from models.program_reader import read_any_progress, read_any_result, read_any_run
from models.result import ProgramResult
from models.run_folder import RunFolder
from models.run_reader import BrokenRunError
from tests.models.breakage import params
from tests.models.programs import RESULT, shell, written


def result(runs: Path, content: object) -> ProgramResult:
    found = read_any_result(
        written(runs, result=content if isinstance(content, str) else json.dumps(content))
    )
    assert isinstance(found, ProgramResult)
    return found


def test_every_entry_is_a_metric(tmp_path: Path) -> None:
    found = result(
        tmp_path, {"accuracy": [0.9], "epochs": 3, "net": "a\x1bb", "ok": True, "metrics": {"f1": 1.5}}
    )
    assert found.metrics == {
        "accuracy": 0.9, "epochs": 3, "net": "a\N{REPLACEMENT CHARACTER}b", "ok": "true", "f1": 1.5,
    }  # fmt: skip
    assert found.notices == ()
    assert found.accuracy == 0.9
    assert result(tmp_path, '{"accuracy": 90}').accuracy is None


def test_a_matrix_gives_words_and_an_accuracy(tmp_path: Path) -> None:
    found = result(tmp_path, {"words": ["yes", "no"], "confusion_matrix": [[8.0, 2], [0, 10]]})
    assert found.words == ("yes", "no")
    assert found.confusion_matrix == ((8, 2), (0, 10))
    assert (found.accuracy, found.clips) == (0.9, 20)
    assert result(tmp_path, '{"confusion_matrix": [[1, 0], [0, 1]]}').words == ("0", "1")
    assert result(tmp_path, '{"confusion_matrix": [[0]]}').accuracy is None


@pytest.mark.parametrize(
    ("content", "notice"),
    [
        ('{"f1": NaN}', "f1: it is no finite number"),
        ('{"f1": Infinity}', "f1: it is no finite number"),
        ('{"f1": 1e999}', "f1: it is no finite number"),
        (f'{{"f1": {"9" * 400}}}', "f1: it is no finite number"),
        ('{"f1": [1, 2]}', "f1: a list is no metric; write each number under a name"),
        ('{"f1": {"a": 1}}', "f1: an object is no metric; write each number under a name"),
        ('{"metrics": 3}', "metrics: it is no object of names and values"),
        ('{"confusion_matrix": [[1, 2], [3]]}', "confusion_matrix: it is no square of 1 to 1000 rows"),
        ('{"confusion_matrix": []}', "confusion_matrix: it is no square of 1 to 1000 rows"),
        ('{"confusion_matrix": "x"}', "confusion_matrix: it is no square of 1 to 1000 rows"),
        ('{"confusion_matrix": [[-1]]}', "confusion_matrix: a count is no whole number of 0 or more"),
        ('{"confusion_matrix": [[0.5]]}', "confusion_matrix: a count is no whole number of 0 or more"),
        ('{"confusion_matrix": [[NaN]]}', "confusion_matrix: a count is no whole number of 0 or more"),
        ('{"confusion_matrix": [[1]], "words": ["a", "b"]}', "it has 1 rows, and words has 2 entries"),
        ('{"confusion_matrix": [[1, 0], [0, 1]], "words": ["a", "a"]}', "words has an entry twice"),
    ],
)
def test_what_cannot_be_used_costs_only_itself(tmp_path: Path, content: str, notice: str) -> None:
    found = result(tmp_path, content.replace("{", '{"loss": 0.5, ', 1))
    assert found.metrics["loss"] == 0.5
    assert len(found.notices) == 1
    assert notice in found.notices[0]
    assert ProgramResult.model_validate_json(found.model_dump_json()) == found


@pytest.mark.parametrize("breakage", params())
def test_a_broken_file_makes_the_run_visibly_broken(tmp_path: Path, breakage: object) -> None:
    assert callable(breakage)
    folder = written(tmp_path, result=RESULT, history='{"loss": 1}\n')
    breakage(folder.result_file)
    breakage(folder.history_file)
    with pytest.raises(BrokenRunError, match=r"result\.json"):
        read_any_result(folder)
    content = read_any_run(folder)
    assert "result.json" in {each.file for each in content.broken}
    assert content.command


def test_numbers_of_any_name_are_the_history(tmp_path: Path) -> None:
    folder = written(
        tmp_path,
        history='{"epoch": 0, "loss": 2, "val_acc": [0.5], "bleu": 31.5}\n\nnonsense\n'
        '{"epoch": 1, "loss": NaN, "val_acc": 0.6, "note": "x"}\n{"epoch": 2, "lo',
    )
    content = read_any_run(folder)
    assert content.metrics == [
        {"epoch": 0, "loss": 2, "val_acc": 0.5, "bleu": 31.5},
        {"epoch": 1, "val_acc": 0.6},
    ]
    assert [(each.epoch, each.loss, each.validation_accuracy) for each in content.history] == [
        (1, 2, 0.5),
        (2, None, 0.6),
    ]
    assert [each.reason for each in content.broken] == [
        "line 3 is no JSON object (1 more such lines); the rest is shown"
    ]
    progress = read_any_progress(folder)
    assert (progress.phase, progress.epoch, progress.validation_accuracy) == ("epoch 2", 2, 0.6)


def test_a_picture_that_cannot_be_shown_is_named(tmp_path: Path) -> None:
    folder = written(tmp_path, result=RESULT)
    folder.figures.mkdir()
    for name, picture in (
        ("loss_1", b"\x89PNG\r\n\x1a\n"),
        ("my plot", b"\x89PNG\r\n\x1a\n"),
        ("text", b"no"),
    ):
        (folder.figures / f"{name}.png").write_bytes(picture)
    content = read_any_run(folder)
    assert content.figures == ["loss_1"]
    assert sorted((each.file, each.reason) for each in content.broken) == [
        ("figures/my plot.png", "name it with at most 60 letters, digits and underscores"),
        ("figures/text.png", "it is no PNG file"),
    ]


def test_the_progress_that_a_program_writes_counts_first(tmp_path: Path) -> None:
    folder = written(tmp_path, history='{"loss": 1}\n')
    folder.progress_file.write_text('{"phase": "reading", "fraction": 0.25}')
    assert read_any_progress(folder).fraction == 0.25


def test_a_result_without_a_program_was_recorded(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path, None)
    assert not isinstance(read_any_result(folder), ProgramResult)
    folder.result_file.write_text(
        '{"name": "by hand", "metrics": {"accuracy": 0.93}, "finished_at": "2026-03-04T12:00:00+00:00"}'
    )
    found = read_any_result(folder)
    assert isinstance(found, ProgramResult)
    assert (found.title, found.command, found.metrics) == ("by hand", None, {"accuracy": 0.93})
    assert found.finished_at == datetime(2026, 3, 4, 12, tzinfo=UTC)


def test_a_program_that_has_not_ended_has_no_result(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path, shell("true", tmp_path))
    folder.result_file.write_text(RESULT)
    assert read_any_result(folder) is None
