"""Filters whose shape is known."""

import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from models.data.audio import RATE_HZ
from models.explain import ablate, filters, removal
from models.explain.filters import describe, moved
from tests.models.explain import known


@pytest.mark.parametrize("hz", [300.0, 1200.0, 5000.0])
def test_a_gabor_filter(hz: float) -> None:
    shape = describe(known.gabor(hz, deviation_ms=2.0, taps=321))
    deviation_hz = 1 / (2 * math.pi * 0.002)
    assert shape.centre_hz == pytest.approx(hz, rel=0.02)
    assert shape.bandwidth_hz == pytest.approx(2 * deviation_hz * math.sqrt(math.log(2)), rel=0.05)
    assert shape.q == pytest.approx(hz / (2 * deviation_hz * math.sqrt(math.log(2))), rel=0.05)
    assert (shape.type, round(shape.symmetry, 6)) == ("band", 1)
    assert shape.delay_ms == pytest.approx(10.0)


def mel_filter(low_hz: float, centre_hz: float, high_hz: float, taps: int = 1601) -> NDArray[np.float64]:
    """A triangle over frequency."""
    hz = np.fft.rfftfreq(taps, 1 / RATE_HZ)
    triangle = np.minimum((hz - low_hz) / (centre_hz - low_hz), (high_hz - hz) / (high_hz - centre_hz)).clip(
        0
    )
    return np.roll(np.fft.irfft(triangle, taps), taps // 2)


def test_a_mel_filter() -> None:
    shape = describe(mel_filter(800, 1000, 1250))
    low, high = 800 + 200 * math.sqrt(0.5), 1250 - 250 * math.sqrt(0.5)
    assert shape.centre_hz == pytest.approx((low + high) / 2, rel=0.02)
    assert shape.centre_hz == pytest.approx(1000, rel=0.02)
    assert shape.bandwidth_hz == pytest.approx(high - low, rel=0.05)
    assert shape.gain_db == pytest.approx(0, abs=0.1)


def test_a_delta_passes_all() -> None:
    shape = describe(np.array([0.0, 0, 0, 2, 0]))
    assert shape.centre_hz == pytest.approx(4000)
    assert shape.bandwidth_hz == pytest.approx(8000)
    assert shape.delay_ms == pytest.approx(3 / 16)
    assert shape.type == "none"
    assert shape.q is None
    assert shape.gain_db == pytest.approx(20 * math.log10(2))


@pytest.mark.parametrize(
    ("taps", "kind"),
    [
        ([1, 1, 1, 1, 1], "low"),
        ([-1, 2, -1], "high"),
        ([1, 0, -1], "derivative"),
        ([-2, -1, 0, 1, 2], "derivative"),
        ([1, 0, 1], "notch"),
        ([0, 0, 0], "none"),
    ],
)
def test_types(taps: list[float], kind: str) -> None:
    assert describe(np.array(taps, float)).type == kind


def test_zeros_have_no_centre() -> None:
    shape = describe(np.zeros(5))
    assert (shape.centre_hz, shape.bandwidth_hz, shape.gain_db, shape.delay_ms) == (None, None, None, None)


def test_how_far_a_filter_moved() -> None:
    start = np.array([[1.0, 0], [1, 0], [1, 0], [0, 0]])
    trained = np.array([[3.0, 0], [0, 2], [-1, 0], [1, 0]])
    assert moved(trained, start).tolist() == [0, 1, 2, 0]


def test_the_table_has_both_filters_and_their_start() -> None:
    start = known.listening([known.gabor(1000), known.gabor(known.HIGH_HZ)], torch.eye(2))
    found = filters.explain(known.subject(known.two_bands(), start))
    columns = {column.title: place for place, column in enumerate(found.columns)}
    assert [row[columns["Channel"]] for row in found.rows] == [0, 1]
    for row, hz, before in zip(found.rows, (known.LOW_HZ, known.HIGH_HZ), (1000, known.HIGH_HZ), strict=True):
        assert row[columns["Centre"]] == pytest.approx(hz, rel=0.02)
        assert row[columns["Centre at start"]] == pytest.approx(before, rel=0.02)
        assert row[columns["Accuracy lost without it"]] == 0.5  # every clip of its word
    assert found.rows[1][columns["Moved"]] == pytest.approx(0)
    assert found.rows[0][columns["Moved"]] > 0.5


def test_without_a_start_there_is_no_null() -> None:
    found = filters.explain(known.subject(known.two_bands()))
    columns = {column.title: place for place, column in enumerate(found.columns)}
    assert {row[columns["Moved"]] for row in found.rows} == {None}
    assert {row[columns["Centre at start"]] for row in found.rows} == {None}


def test_a_channel_that_nobody_heeds_cannot_matter() -> None:
    network = known.listening(
        [known.gabor(known.LOW_HZ), known.gabor(known.HIGH_HZ), known.gabor(known.LOW_HZ)],
        torch.tensor([[1.0, 0, 0], [0, 1, 0]]),
    )
    subject = known.subject(network)
    (lost,) = removal.tried(subject, [(subject.layers[0], [[0], [1], [2]])])
    assert lost.accuracy.tolist() == [0.5, 0.5, 0]
    assert lost.nats[2] == 0
    assert lost.by_word.tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 0]]


def test_only_the_bands_that_a_network_passes_matter() -> None:
    found = ablate.explain(known.subject(known.two_bands()))
    columns = {column.title: place for place, column in enumerate(found.columns)}
    lost = {
        str(row[columns["Removed"]]): (row[columns["low"]], row[columns["high"]])
        for row in found.rows
        if " Hz" in str(row[columns["Removed"]])
    }
    assert lost.pop("400-566 Hz") == (1, 0)
    assert lost.pop("2263-3200 Hz") == (0, 1)
    assert set(lost.values()) == {(0, 0)}
    assert found.found[0].startswith(
        ("The band 400-566 Hz matters most", "The band 2263-3200 Hz matters most")
    )
    assert found.found[1].startswith("2 of 2 channels raise the loss")
    groups = [row for row in found.rows if "filters of type" in str(row[columns["Removed"]])]
    assert [row[columns["Removed"]] for row in groups] == ["all 2 filters of type band"]


def test_a_short_time_tries_a_few_clips_of_each_word() -> None:
    subject = known.subject(known.two_bands(), count=100)
    layer = subject.layers[0]
    lost, bands = removal.tried(subject, [(layer, [[0], [1]])], [(100.0, 200.0)], seconds=1e-9)
    assert lost.clips == bands.clips == 32
    # 16 of the 32 are of the word that goes.
    assert lost.accuracy.tolist() == [0.5, 0.5]
    assert lost.errors.tolist() == pytest.approx([math.sqrt(0.25 * 32 / 31 / 32)] * 2)
    assert not bands.accuracy.any()
    assert (lost.nats > 2 * lost.nats_errors).all()
    assert removal.tried(subject, [(layer, [[0]])])[0].clips == 100
