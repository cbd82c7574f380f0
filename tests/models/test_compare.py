"""What a comparison says is worked out by hand here, or counted again from the runs."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest

from models.compare import CompareError, compare, compare_all
from models.run_folder import RunFolder
from models.run_reader import BrokenRunError
from models.significance import mcnemar, two_proportions
from tests.models.forked import Forked
from tests.models.made_run import make_run
from tests.models.raw_files import raw_result


def rewrite_result(folder: RunFolder, **changes: object) -> None:
    result = raw_result(folder)
    folder.result_file.write_text(json.dumps(result | changes), encoding="utf-8")


def test_the_published_models_differ_most_in_three_and_tree() -> None:
    comparison = compare("published:base", "published:ch32")
    most = comparison.pairs[0]
    assert (set(most.words), most.errors_a, most.errors_b, most.change) == ({"three", "tree"}, 52, 23, -29)
    assert (comparison.a.clips, comparison.b.clips) == (4815, 4815)
    assert comparison.a.accuracy == 4470 / 4815
    assert comparison.b.accuracy == 4590 / 4815
    assert comparison.significance.test == "two-proportion z-test"
    assert any("0.9283, while 0.9072, 0.9090, 0.9240 are published" in note for note in comparison.notes)
    assert not any("published:ch32 gives" in note for note in comparison.notes)


def test_differences_are_b_less_a_in_the_order_of_the_words_of_a() -> None:
    comparison = compare("published:ch32", "published:base")
    three, tree = comparison.words.index("three"), comparison.words.index("tree")
    assert comparison.difference[tree][three] == 32 - 15
    assert comparison.difference[three][tree] == 20 - 8
    # Three was said 377 times.
    assert comparison.difference_percent[three][tree] == pytest.approx(100 * (20 - 8) / 377)


def test_a_comparison_with_itself_finds_nothing() -> None:
    comparison = compare("published:base", "published:base")
    assert comparison.pairs == []
    assert comparison.significance.p_value == 1
    assert not any(map(any, comparison.difference))


def test_two_runs_on_the_same_clips_are_paired_clip_by_clip(tmp_path: Path) -> None:
    a, b = make_run(tmp_path, seed=1), make_run(tmp_path, seed=2)
    # Shuffled lines pair just the same: clips have names.
    header, *lines = b.predictions_file.read_text().splitlines()
    b.predictions_file.write_text("\n".join([header, *lines[::-1]]) + "\n")
    comparison = compare(str(a.path), str(b.path))

    right = []
    for folder in (a, b):
        with folder.predictions_file.open(newline="") as file:
            right.append({row["clip"] for row in csv.DictReader(file) if row["prediction"] == row["label"]})
    significance = comparison.significance
    assert significance.only_a_right == len(right[0] - right[1]) > 0
    assert significance.only_b_right == len(right[1] - right[0]) > 0
    assert significance.test == "McNemar's test, chi-square with continuity correction"
    assert significance == mcnemar(len(right[0] - right[1]), len(right[1] - right[0]))
    assert comparison.a.clips == 900
    assert comparison.notes == [
        f"{a.id} was tested on synthetic speech.",
        f"{b.id} was tested on synthetic speech.",
    ]


def test_runs_on_other_clips_are_not_paired(tmp_path: Path) -> None:
    a, b = make_run(tmp_path, seed=1), make_run(tmp_path, seed=2)
    b.predictions_file.write_text(b.predictions_file.read_text().replace("nohash", "other"))
    comparison = compare(str(a.path), str(b.path))
    assert comparison.significance.test == "two-proportion z-test"
    assert comparison.significance.only_a_right is None
    assert "the runs were not tested on the same clips" in comparison.notes[0]


def test_data_sets_that_differ_are_named_when_their_clips_pair(tmp_path: Path) -> None:
    a, b = make_run(tmp_path, seed=1), make_run(tmp_path, seed=2)
    rewrite_result(b, data={"name": "sounds", "hash": "other", "synthetic": True})
    assert (
        compare(str(a.path), str(b.path)).notes[0] == "The data sets differ: clips are paired by their names."
    )


def test_beside_a_published_matrix_only_full_length_clips_count(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    comparison = compare("published:base", str(run.path))
    result = raw_result(run)
    assert comparison.words[-2:] == ["house", "tree"]
    assert comparison.b.clips == result["test_clips_full_length"] < result["test_clips"]
    # Its rows came from the run's own order of words: every diagonal must still be right answers.
    order = [result["words"].index(word) for word in comparison.words]
    full_length = result["confusion_matrix_full_length"]
    assert comparison.b.confusion_matrix == tuple(
        tuple(full_length[label][prediction] for prediction in order) for label in order
    )
    assert "Only full-length clips count, as in the published study." in comparison.notes


def test_errors_are_scaled_when_one_side_has_more_clips(tmp_path: Path) -> None:
    a, b = make_run(tmp_path), make_run(tmp_path)
    for folder, matrix in ((a, [[8, 2], [0, 10]]), (b, [[90, 10], [10, 90]])):
        rewrite_result(
            folder, words=["yes", "no"], confusion_matrix=matrix, confusion_matrix_full_length=matrix
        )
    assert compare(str(a.path), str(b.path)).pairs == []  # 2 of 20 and 20 of 200 are the same share
    rewrite_result(b, words=["yes", "no"], confusion_matrix=[[90, 10], [16, 84]])
    (pair,) = compare(str(a.path), str(b.path)).pairs
    assert pair.change == 26 - 2 * 200 / 20


@pytest.mark.parametrize(
    ("only_a_right", "only_b_right", "statistic", "p_value"),
    [
        (3, 9, None, 2 * (1 + 12 + 66 + 220) / 4096),
        (9, 3, None, 2 * (1 + 12 + 66 + 220) / 4096),
        (0, 5, None, 2 / 32),
        (4, 4, None, 1),
        (0, 0, None, 1),
        # (|30 - 15| - 1)^2 / 45; the p-value from a table of the chi-square distribution.
        (30, 15, 196 / 45, 0.036888),
        (13, 12, 0, 1),
    ],
)
def test_mcnemar(only_a_right: int, only_b_right: int, statistic: float | None, p_value: float) -> None:
    found = mcnemar(only_a_right, only_b_right)
    assert found.statistic == (None if statistic is None else pytest.approx(statistic))
    assert found.p_value == pytest.approx(p_value, rel=1e-4)
    assert (found.only_a_right, found.only_b_right) == (only_a_right, only_b_right)


def test_two_proportions() -> None:
    # 0.9 and 0.8 of 100 each: 0.1 / sqrt(0.85 * 0.15 * 0.02).
    found = two_proportions(80, 100, 90, 100)
    assert found.statistic == pytest.approx(1.980295, rel=1e-6)
    assert found.p_value == pytest.approx(0.047670, rel=1e-4)
    assert two_proportions(5, 5, 7, 7).p_value == 1


def test_what_cannot_be_compared_is_one_sentence(tmp_path: Path) -> None:
    run, other = make_run(tmp_path), make_run(tmp_path)
    rewrite_result(other, words=[*raw_result(run)["words"][:-1], "cow"])
    for a, sentence in [
        (str(other.path), r"do not have the same words \(cow, dog\): choose two"),
        (str(tmp_path / "none"), "there is no run folder .*none: give the path"),
        (
            "published:vgg",
            "there is no published matrix published:vgg: choose published:base or published:ch32",
        ),
    ]:
        with pytest.raises(CompareError, match=sentence):
            compare(a, str(run.path))
    other.result_file.unlink()
    with pytest.raises(CompareError, match=f"run {other.id} has no result yet: wait"):
        compare(str(other.path), str(run.path))
    run.predictions_file.write_text("name\nthree\n")
    with pytest.raises(BrokenRunError, match=r"predictions.csv of run .* cannot be read"):
        compare(str(run.path), str(make_run(tmp_path).path))


def test_comparing_needs_neither_torch_nor_numpy_nor_matplotlib() -> None:
    program = (
        "import sys\nfor name in ('torch', 'numpy', 'matplotlib'): sys.modules[name] = None\n"
        "from models.compare import compare; print(compare('published:base', 'published:ch32').model_dump_json())"
    )
    printed = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True).stdout
    assert json.loads(printed)["a"]["name"] == "published:base"


def test_the_command_prints_json_and_draws_a_picture(tmp_path: Path) -> None:
    run, picture = make_run(tmp_path), tmp_path / "difference.png"
    asked = ["compare", "published:ch32", str(run.path), "--picture", str(picture)]
    printed = Forked(*asked).ended()
    assert printed.returncode == 0, printed.stderr
    assert json.loads(printed.stdout)["b"]["name"] == run.id
    assert picture.read_bytes().startswith(b"\x89PNG")
    failed = Forked("compare", "published:none", *asked[2:]).ended()
    assert failed.returncode == 1
    assert failed.stderr == (
        "error: there is no published matrix published:none: choose published:base or published:ch32\n"
    )


def test_several_runs_are_tested_pair_by_pair_as_two_are(tmp_path: Path) -> None:
    names = [str(make_run(tmp_path, seed=seed).path) for seed in (1, 2, 3)]
    pairwise = compare_all(names)
    for one in range(3):
        assert pairwise.tests[one][one] is None
        for other in range(one + 1, 3):
            assert pairwise.tests[one][other] == compare(names[one], names[other]).significance
            assert pairwise.tests[other][one] == pairwise.tests[one][other]
    assert [side.clips for side in pairwise.sides] == [900] * 3
