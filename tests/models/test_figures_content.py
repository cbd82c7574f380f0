"""What the pictures show is what the run folder holds."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text

from models.compare import compare
from models.figures import PICTURES, comparison
from models.figures.facts import Facts
from models.figures.spectra import centroid, magnitude_response, mel_spaced, spectrogram_db
from models.mel import mel
from models.run_folder import RunFolder
from tests.models.made_run import make_run
from tests.models.raw_files import raw_history, raw_result


def texts(figure: Figure) -> Iterator[str]:
    for text in figure.findobj(Text):
        assert isinstance(text, Text)
        yield text.get_text()


def drawn(name: str, folder: RunFolder) -> Figure:
    figure = PICTURES[name](Facts.read(folder))
    assert figure is not None
    return figure


def cells(axes: Axes, size: int) -> list[list[str]]:
    table = [[""] * size for _ in range(size)]
    for text in axes.texts:
        column, row = text.get_position()
        table[int(row)][int(column)] = text.get_text()
    return table


def rewrite_analysis(folder: RunFolder, **changes: np.ndarray) -> None:
    with np.load(folder.analysis_file) as arrays:
        contents = dict(arrays) | changes
    np.savez_compressed(folder.analysis_file, **contents)


def test_every_cell_of_the_confusion_matrix_says_its_count(tmp_path: Path) -> None:
    folder = make_run(tmp_path)
    result = raw_result(folder)
    shown = cells(drawn("confusion", folder).axes[0], 16)
    assert [[int(text or 0) for text in row] for row in shown] == result["confusion_matrix"]


def test_rows_of_the_normalised_matrix_are_per_cent_of_the_word_said(tmp_path: Path) -> None:
    folder = make_run(tmp_path)
    matrix = np.array(raw_result(folder)["confusion_matrix"])
    shown = np.array(
        [
            [float(text or 0) for text in row]
            for row in cells(drawn("confusion_normalised", folder).axes[0], 16)
        ]
    )
    expected = 100 * matrix / matrix.sum(axis=1, keepdims=True)
    assert np.abs(shown - expected).max() <= 0.5
    small = (expected > 0) & (expected < 9.9)
    assert small.any()
    assert np.abs(shown - expected)[small].max() <= 0.0501


def test_both_accuracies_and_the_axes_are_named(tmp_path: Path) -> None:
    folder = make_run(tmp_path)
    result = raw_result(folder)
    found = list(texts(drawn("confusion", folder)))
    assert (
        f"Test accuracy {result['test_accuracy']:.4f} (900 clips),"
        f" {result['test_accuracy_full_length']:.4f} on the {result['test_clips_full_length']} of full length"
    ) in found
    assert {"label", "prediction", *result["words"]} <= set(found)


@pytest.mark.parametrize("synthetic", [True, False])
def test_every_picture_names_its_recipe_and_calls_synthetic_speech_so(
    tmp_path: Path, synthetic: bool
) -> None:
    folder = make_run(tmp_path, dropout=0.75)
    result = raw_result(folder)
    result["data"] |= {"synthetic": synthetic, "name": "sounds of $x_1$"}
    folder.result_file.write_text(json.dumps(result))
    for name in PICTURES:
        found = list(texts(drawn(name, folder)))
        assert any("ch32 · DO(0.75)+BN" in text and "sounds of $x_1$" in text for text in found), name
        assert any("synthetic speech" in text for text in found) == synthetic, name


def test_text_from_outside_is_never_read_as_a_formula(tmp_path: Path) -> None:
    figure = drawn("feature_maps", make_run(tmp_path))
    (clip,) = [text for text in figure.findobj(Text) if "nohash_$0$" in text.get_text()]
    assert isinstance(clip, Text)
    assert not clip.get_parse_math()


def test_the_learning_curve_has_every_epoch_and_marks_the_best(tmp_path: Path) -> None:
    folder = make_run(tmp_path, epochs=7)
    history = raw_history(folder)
    best = history[4]
    folder.result_file.write_text(json.dumps(raw_result(folder) | {"best_epoch": 5}))
    loss, accuracy, rate = drawn("learning_curve", folder).axes
    for line, field in (
        (loss.lines[0], "loss"),
        (loss.lines[1], "validation_loss"),
        (accuracy.lines[0], "train_accuracy"),
        (accuracy.lines[1], "validation_accuracy"),
        (rate.lines[0], "learning_rate"),
    ):
        assert np.array_equal(line.get_xdata(), [1, 2, 3, 4, 5, 6, 7])
        assert np.array_equal(line.get_ydata(), [entry[field] for entry in history])
    assert accuracy.lines[-1].get_xydata().tolist() == [[5, best["validation_accuracy"]]]  # type: ignore[union-attr]


def test_a_constant_learning_rate_needs_no_panel_and_unknown_values_no_number(tmp_path: Path) -> None:
    folder = make_run(tmp_path)
    folder.result_file.unlink()
    entry = raw_history(folder)[0] | {
        "learning_rate": 0.001,
        "validation_loss": None,
        "validation_accuracy": None,
    }
    folder.history_file.write_text(json.dumps(entry) + "\n")
    loss, accuracy = drawn("learning_curve", folder).axes
    assert np.isnan(loss.lines[1].get_ydata()).all()
    assert len(accuracy.lines) == 2


@pytest.mark.parametrize("architecture", ["ch32", "ch128", "base"])
def test_every_weight_of_the_first_two_layers_is_shown(tmp_path: Path, architecture: str) -> None:
    folder = make_run(tmp_path, architecture)
    with np.load(folder.analysis_file) as arrays:
        first, second = arrays["conv1_weights"], arrays["conv2_weights"]
    heights = [patch.get_height() for patch in drawn("filters_1", folder).axes[0].patches]  # type: ignore[attr-defined]
    assert np.allclose(
        np.sort(heights), np.sort(first.ravel()) * max(heights, key=abs) / max(first.ravel(), key=abs)
    )
    image = drawn("filters_2", folder).axes[0].images[0].get_array()
    assert isinstance(image, np.ma.MaskedArray)
    assert np.array_equal(np.unique(image.compressed()), np.unique(second))


def test_filters_are_sorted_by_the_centre_of_their_gain(tmp_path: Path) -> None:
    folder = make_run(tmp_path)
    weights = np.zeros((3, 1, 5), dtype=np.float32)
    weights[0, 0] = [1, -1, 1, -1, 1]  # high
    weights[1, 0] = [1, 1, 1, 1, 1]  # low
    weights[2, 0] = [0, 0, 2, 0, 0]  # all alike: a gain of 2, or 6.02 dB, centred at 4 kHz
    rewrite_analysis(
        folder,
        conv1_weights=weights,
        conv1_response=np.ones((3, 64), np.float32),
        conv1_map=np.ones((3, 5333), np.float16),
        conv2_weights=np.ones((32, 3, 5), np.float32),
    )
    gain_db = drawn("responses_1", folder).axes[0].images[0].get_array()
    assert gain_db is not None
    assert np.allclose(gain_db[:, 1], 20 * np.log10(2))
    assert gain_db[0, 0] == pytest.approx(20 * np.log10(5))
    assert gain_db[-1, 2] == pytest.approx(20 * np.log10(5))


@pytest.mark.parametrize(
    ("architecture", "resolution"), [("ch32", "16 / 5 = 3.2 kHz"), ("base", "16 / 25 = 0.64 kHz")]
)
def test_the_gain_says_what_its_taps_resolve(tmp_path: Path, architecture: str, resolution: str) -> None:
    assert any(resolution in text for text in texts(drawn("responses_1", make_run(tmp_path, architecture))))


def test_responses_have_a_panel_a_layer_in_order_of_frequency(tmp_path: Path) -> None:
    figure = drawn("responses", make_run(tmp_path, "vgg"))
    assert [axes.get_title(loc="left") for axes in figure.axes] == [
        f"layer {number}: {64 if number <= 8 else 128} channels" for number in range(1, 17)
    ]
    shown = figure.axes[0].images[0].get_array()
    assert isinstance(shown, np.ma.MaskedArray)
    peaks = np.argmax(shown[:, :-1], axis=0)
    assert (np.diff(peaks) >= -1).all()
    assert peaks[0] < 10
    assert peaks[-1] > 50
    assert np.ma.getmaskarray(shown)[:, -1].all()  # the channel that never answers comes last, unpainted


def test_feature_maps_share_one_axis_of_time(tmp_path: Path) -> None:
    figure = drawn("feature_maps", make_run(tmp_path, "base"))
    assert len(figure.axes) == 2 + 5
    spans = [axes.images[0].get_extent()[:2] for axes in figure.axes[1:]]
    assert tuple(spans[0]) == (0, 1)
    # Without padding each layer hears less of both ends: 8 columns of 4 / 62.5 s in the middle remain.
    for start, end in spans:
        assert start + end == pytest.approx(1, abs=0.01)
    assert spans[-1][1] - spans[-1][0] == pytest.approx(8 * 4 / 62.5)
    padded = drawn("feature_maps", make_run(tmp_path, "ch32"))
    assert [axes.images[0].get_extent()[0] for axes in padded.axes[1:]] == [0] * 9
    assert padded.axes[-1].images[0].get_extent()[1] == pytest.approx(7 * 3**7 / 16000)


def test_mistakes_count_both_directions_and_need_one(tmp_path: Path) -> None:
    folder = make_run(tmp_path)
    result = raw_result(folder)
    words, matrix = result["words"], result["confusion_matrix"]
    three, tree = words.index("three"), words.index("tree")
    axes = drawn("mistakes", folder).axes[0]
    assert axes.get_yticklabels()[0].get_text() == "three / tree"
    there, back = axes.containers
    assert there[0].get_width() == matrix[three][tree]
    assert back[0].get_width() == matrix[tree][three]
    diagonal = np.diag(np.diag(matrix)).tolist()
    folder.result_file.write_text(json.dumps(result | {"confusion_matrix": diagonal}))
    assert PICTURES["mistakes"](Facts.read(folder)) is None


def test_the_comparison_shows_difference_significance_and_pairs(tmp_path: Path) -> None:
    a, b = make_run(tmp_path, seed=1), make_run(tmp_path, seed=2)
    facts = compare(str(a.path), str(b.path))
    figure = comparison.draw(facts)
    (axes,) = [axes for axes in figure.axes if axes.get_title(loc="left").startswith("B less A, in clips")]
    shown = cells(axes, 16)
    assert [[int(text or 0) for text in row] for row in shown] == facts.difference
    found = list(texts(figure))
    assert any("McNemar's test" in text and f"{facts.a.accuracy:.4f}" in text for text in found)
    assert any("synthetic speech" in text for text in found)
    pair = facts.pairs[0]
    assert f"{pair.words[0]} / {pair.words[1]}  {pair.errors_a} → {pair.errors_b}" in found


def test_the_mel_scale_has_its_known_points() -> None:
    assert mel([0, 1000]).tolist() == pytest.approx([0, 1000], abs=0.02)
    centres = mel_spaced(4, 8000)
    assert np.diff(mel(centres)).tolist() == pytest.approx([mel(8000) / 4] * 3)


def test_a_difference_of_neighbours_is_deaf_at_0_hz_and_loudest_at_half_the_rate() -> None:
    gain = magnitude_response(np.array([[1.0, -1.0]]), 16000, np.array([0.0, 4000.0, 8000.0]))
    assert gain.tolist()[0] == pytest.approx([0, 2**0.5, 2], abs=1e-12)
    assert np.isnan(centroid(np.array([1.0, 2.0]), np.zeros((1, 2)))[0])


def test_the_spectrogram_of_a_tone_peaks_at_its_frequency() -> None:
    time = np.arange(16000) / 16000
    power_db = spectrogram_db(np.sin(2 * np.pi * 2000 * time))
    assert power_db.shape == (201, 201)
    assert power_db[:, 100].argmax() * 40 == 2000
    assert (power_db.min(), power_db.max()) == (-70, 0)
