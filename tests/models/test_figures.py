"""Every picture is written, fits a sheet, and can be drawn again without torch."""

import struct
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

from models.figures import PICTURES, draw, draw_for_print
from models.figures.analysis import Analysis
from models.figures.style import PIXEL_LIMIT, picture, write
from models.recipe import Recipe
from models.run_folder import RunFolder
from models.run_reader import BrokenRunError, read_filters
from tests.models.made_run import make_run


def assert_fit_a_sheet(files: list[Path]) -> None:
    for file in files:
        width, height = struct.unpack(">II", file.read_bytes()[16:24])
        assert 300_000 < width * height < PIXEL_LIMIT


def test_every_picture_is_drawn_where_torch_cannot_be_imported(tmp_path: Path) -> None:
    folder = make_run(tmp_path)
    program = (
        "import sys; from pathlib import Path; sys.modules['torch'] = sys.modules['torchaudio'] = None\n"
        "from models.figures import draw; from models.run_folder import RunFolder\n"
        "print(*draw(RunFolder(Path(sys.argv[1]))), sep='\\n')"
    )
    printed = subprocess.run(
        [sys.executable, "-c", program, folder.path], check=True, capture_output=True, text=True
    ).stdout
    files = [Path(line) for line in printed.splitlines()]
    assert files == [folder.figures / f"{name}.png" for name in PICTURES]
    assert sorted(folder.figures.iterdir()) == sorted(files)
    assert_fit_a_sheet(files)


@pytest.mark.parametrize("architecture", ["ch128", "vgg", "base"])
def test_other_networks_have_pictures_too(tmp_path: Path, architecture: str) -> None:
    folder = make_run(tmp_path, architecture)
    names = ["filters_1", "filters_2", "responses_1", "responses", "feature_maps"]
    files = draw(folder, names)
    assert [file.stem for file in files] == names
    assert_fit_a_sheet(files)


def test_the_first_layers_filters_are_left_as_numbers_too(tmp_path: Path) -> None:
    folder = make_run(tmp_path)
    assert read_filters(folder) == []
    draw(folder, [])
    filters = read_filters(folder)
    weights = np.load(folder.analysis_file)["conv1_weights"][:, 0]
    assert sorted(entry.channel for entry in filters) == list(range(len(weights)))
    for entry in filters:
        assert entry.weights == pytest.approx(weights[entry.channel], rel=1e-3)
    centres_hz = [entry.centre_hz for entry in filters]
    assert centres_hz == sorted(centre_hz for centre_hz in centres_hz if centre_hz is not None)


def test_a_picture_whose_facts_are_missing_is_left_out(tmp_path: Path) -> None:
    folder = make_run(tmp_path)
    folder.result_file.unlink()
    folder.analysis_file.unlink()
    assert [file.stem for file in draw(folder)] == ["learning_curve"]
    fresh = RunFolder.create(tmp_path, Recipe(data="sounds"))
    assert draw(fresh) == []


def test_only_the_named_pictures_are_drawn(tmp_path: Path) -> None:
    folder = make_run(tmp_path)
    assert draw(folder, ["learning_curve"]) == [folder.figures / "learning_curve.png"]
    with pytest.raises(ValueError, match="no picture is called spectrum: choose from confusion"):
        draw(folder, ["spectrum"])


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("result.json", b"{"),
        ("result.json", b'{"words": ["yes"]}'),
        ("history.jsonl", b'{"epoch": "many"}\n'),
        ("analysis.npz", b"no archive"),
        ("analysis.npz", b""),
        ("recipe.json", b"[]"),
    ],
)
def test_a_broken_file_is_one_sentence_that_names_it(tmp_path: Path, file: str, content: bytes) -> None:
    folder = make_run(tmp_path)
    (folder.path / file).write_bytes(content)
    with pytest.raises(BrokenRunError, match=f"^{file} of run {folder.id} cannot be read .*again$") as caught:
        draw(folder)
    assert "\n" not in str(caught.value)


def test_words_of_other_scripts_are_drawn_without_a_warning(tmp_path: Path) -> None:
    write(picture(300, 200, "停止"), tmp_path / "words.png")
    assert (tmp_path / "words.png").is_file()


def test_a_picture_too_large_for_a_sheet_cannot_be_begun() -> None:
    with pytest.raises(ValueError, match="1000 x 1000 pixels"):
        picture(1000, 1000, "title")


@pytest.mark.parametrize(
    "changes",
    [
        {"conv1_weights": np.zeros((3, 1, 5), np.float32)},
        {"conv2_response": np.zeros((32, 3), np.float32)},
        {"conv2_response": np.full((32, 64), np.nan, np.float32)},
        {"conv3_map": np.zeros((32, 0), np.float16)},
        {"conv3_rate_hz": np.array(np.nan)},
        {"clip_waveform": np.zeros((2, 16000), np.float32)},
        {"tones_hz": np.zeros(0, np.float32)},
    ],
)
def test_an_analysis_that_does_not_fit_itself_is_broken(
    tmp_path: Path, changes: dict[str, np.ndarray]
) -> None:
    folder = make_run(tmp_path)
    with np.load(folder.analysis_file) as arrays:
        np.savez(folder.analysis_file, **{**{key: arrays[key] for key in arrays.files}, **changes})
    with pytest.raises(BrokenRunError, match=rf"^analysis\.npz of run {folder.id} cannot be read"):
        Analysis.read(folder)


def test_a_picture_for_print_has_its_width_and_no_title(tmp_path: Path) -> None:
    folder = make_run(tmp_path)
    (plain,) = draw_for_print(
        folder, tmp_path / "paper", "svg", width_mm=84, with_title=False, names=["learning_curve"]
    )
    assert plain == tmp_path / "paper" / f"{folder.id}-learning_curve.svg"
    drawn = plain.read_text()
    points = float(drawn.split('width="')[1].split("pt")[0])
    assert points == pytest.approx(84 / 25.4 * 72, abs=0.1)
    assert "epoch" in drawn
    assert "Best validation accuracy" not in drawn
    (titled,) = draw_for_print(
        folder, tmp_path, "pdf", width_mm=None, with_title=True, names=["learning_curve"]
    )
    assert titled.read_bytes().startswith(b"%PDF")
    assert not folder.figures.exists()


def test_a_narrow_picture_leaves_room_for_its_axes_and_keeps_their_labels(tmp_path: Path) -> None:
    folder = make_run(tmp_path)
    names = ["mistakes", "filters_2", "responses_1", "responses"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # matplotlib warns where a legend leaves no room
        files = draw_for_print(folder, tmp_path, "svg", width_mm=84, with_title=False, names=names)
    drawn = {file.stem.split("-")[1]: file.read_text() for file in files}
    assert set(drawn) == set(names)
    assert "channel, by centre frequency" in drawn["responses"]
    assert "Which tones" not in drawn["responses"]
    assert 'id="legend_1"' in drawn["mistakes"]
    heights = [float(svg.split('height="')[1].split("pt")[0]) for svg in drawn.values()]
    assert min(heights) > 84 / 25.4 * 72 / 3
