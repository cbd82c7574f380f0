"""The tab of a run."""

import pytest

from backend.sheets.table import Number, Sound, Spark, Text
from backend.tabs.run import run_table
from models.result import Filter, Prediction
from tests import examples
from tests.tabs.rows import named


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
    facts, curves, matrix, confusions, first_layer, pictures, wrong = run_table(
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
