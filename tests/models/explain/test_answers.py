"""What networks answer to, like and tell apart, where that is known."""

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from matplotlib.axes import Axes

from models.data.audio import RATE_HZ, SAMPLES
from models.explain import ablate, likes, maps, response, same, stimuli, strf, tuning, where, words
from models.explain.finding import UnfitError
from models.explain.mels import BANDS, centres_hz, log_mel
from models.explain.removal import Losses
from models.explain.same import centred, cka
from models.explain.subject import Subject
from tests.models.explain import known


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_tuning_of_two_known_channels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stimuli, "LEVELS_DB", (-50, -40, -30, -20))  # half of them are enough
    start = known.listening([known.gabor(1000), known.gabor(known.HIGH_HZ)], torch.eye(2))
    subject = known.subject(known.two_bands(), start)
    (one,) = tuning.answers(subject.network, subject.layers)
    for channel, hz in enumerate((known.LOW_HZ, known.HIGH_HZ)):
        assert float(one.best_hz[channel]) == pytest.approx(hz, rel=0.06)  # the tones are that far apart
    # A linear filter: a tenth of the answer at a tenth of the amplitude, and -6 dB at half of it.
    assert one.threshold_db.tolist() == [-40, -40]
    half = 2 * math.sqrt(2 * math.log(2)) / (2 * math.pi * 0.001)
    assert float(one.bandwidth_hz[1]) == pytest.approx(half, rel=0.6)
    (before,) = tuning.answers(start, subject.start_layers or [])
    assert tuning.moved_share(one, before) == 0.5
    assert tuning.moved_share(one, one) == 0


def test_a_dead_channel_answers_to_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stimuli, "LEVELS_DB", (-20,))
    network = known.listening([known.gabor(known.LOW_HZ), np.zeros(81)], torch.eye(2))
    subject = known.subject(network)
    found = tuning.explain(subject)
    columns = {column.title: place for place, column in enumerate(found.columns)}
    assert [row[columns["Best frequency"]] is None for row in found.rows] == [False, True]


def test_the_strongest_moment_is_where_the_tone_is() -> None:
    subject = known.subject(known.two_bands())
    burst = torch.zeros(SAMPLES)
    at = slice(int(0.6 * RATE_HZ), int(0.65 * RATE_HZ))
    burst[at] = known.tone(known.LOW_HZ, 1.0)[at]
    subject.sound[4] = burst
    (found,) = likes.likes(subject.network, subject.layers, subject.sound, subject.labels, 2)
    assert int(found.clips[0, 0]) == 4
    assert 595 <= float(found.at_ms[0, 0]) <= 655
    assert [known.WORDS[word] for word in found.word] == ["low", "high"]
    assert found.same_word.tolist() == pytest.approx([8 / 9, 8 / 9])  # there are eight clips of a word


def test_maps_tell_the_two_words_apart() -> None:
    found = maps.explain(known.subject(known.two_bands(), known.two_bands()))
    difference = [row[2] for row in found.rows]
    assert difference[0] > 2
    assert difference[1] < -2
    assert [row[3] for row in found.rows] == pytest.approx([abs(each) for each in difference])


def test_the_pair_is_the_one_that_is_confused_most() -> None:
    labels = torch.tensor([0, 1, 2, 2, 1])
    scores = torch.nn.functional.one_hot(torch.tensor([0, 2, 1, 2, 1]), 3).float()
    assert maps.confused_pair(scores, labels, ("a", "b", "c")) == ("b", "c")


def test_parts_without_the_tone_do_not_matter() -> None:
    network = known.two_bands()
    clip = known.tone(known.HIGH_HZ)[None].clone()
    clip[:, :8000] = 0
    taken = where.occlusion(network, clip, 1)
    band = int((where.EDGES_HZ <= known.HIGH_HZ).sum()) - 1
    assert int(taken.sum(1).argmax()) == band
    assert taken[:, :9].abs().max() < 0.01 * taken.max()
    shares = where.integrated_gradients(network, clip, 1)
    with torch.inference_mode():
        difference = float((network(clip) - network(torch.zeros(1, SAMPLES)))[0, 1])
    assert float(shares.sum()) == pytest.approx(difference, rel=0.01)
    assert float(shares[band - 1 : band + 2, 9:].sum()) > 0.9 * difference


class Sure(torch.nn.Module):
    """Says the same, a hundred times as surely."""

    def __init__(self, network: torch.nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, clips: torch.Tensor) -> torch.Tensor:
        scores: torch.Tensor = 100 * self.network(clips)
        return scores


def test_what_a_sure_network_hears_is_found_too() -> None:
    network, clip = known.two_bands(), known.tone(known.HIGH_HZ)[None]
    taken, taken_surely = (where.occlusion(each, clip, 1) for each in (network, Sure(network)))
    assert torch.allclose(taken_surely, 100 * taken, rtol=0.01, atol=0.01 * float(taken_surely.max()))


def test_independent_features_have_no_likeness_and_the_same_have_all() -> None:
    one, other = random(1000, 64), random(1000, 200, seed=1)
    assert abs(cka(centred(one), centred(other))) < 0.02
    assert cka(centred(one), centred(one)) == pytest.approx(1)
    turn, _ = torch.linalg.qr(random(64, 64, seed=2))
    assert cka(centred(one), centred(3 * one @ turn + 1)) == pytest.approx(1)
    assert 0.2 < cka(centred(one), centred(torch.cat([one, other], 1))) < 0.9


def test_a_network_is_its_own_likeness() -> None:
    subject = known.subject(known.two_bands(), known.two_bands(), count=24)
    found = same.explain(subject, known.subject(known.two_bands(), count=24))
    assert [row[1] for row in found.rows] == pytest.approx([1.0])
    assert [row[4] for row in found.rows] == pytest.approx([1.0])


def test_a_field_is_found_where_it_was_put(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strf, "LAGS", 10)  # from 50 ms after the output to 40 ms before: a small matrix
    monkeypatch.setattr(strf, "FIRST_MS", -50)
    spectra = random(16, BANDS, 100)
    moved = torch.nn.functional.pad(spectra, (3, 0))[:, :, :100]  # what was there 30 ms before
    outputs = torch.stack([moved[:, 10] - 0.5 * moved[:, 12], random(16, 100, seed=3)], 1)
    found = strf.fields(spectra, outputs)
    assert found.explained[0] > 0.8
    assert found.explained[1] < 0.1
    assert found.shuffled[0] < 0.1
    assert float(strf.centre_hz(found.weights)[0]) == pytest.approx(float(centres_hz()[10]))
    assert strf.latency_ms(found.weights)[0] == 30
    assert strf.separability(found.weights)[0] > 0.8


def test_probes_read_what_is_there_and_nothing_else() -> None:
    labels = torch.arange(200) % 4
    loud = random(200).abs() + 0.1
    sound = random(200, SAMPLES // 8, seed=1) * loud[:, None]
    about = words.About.of(sound, labels, 4)
    knows = torch.cat([about.words + 0.1 * random(200, 4, seed=2), about.loudness[:, None]], 1)
    read = words.probe(knows[:100], knows[100:], _part(about, slice(0, 100)), _part(about, slice(100, 200)))
    assert read.word == 1
    assert read.loudness > 0.95
    nothing = random(200, 8, seed=5)
    read = words.probe(
        nothing[:100], nothing[100:], _part(about, slice(0, 100)), _part(about, slice(100, 200))
    )
    assert read.word < 0.5
    assert read.loudness < 0.2


def _part(about: words.About, which: slice) -> words.About:
    return words.About(about.words[which], about.loudness[which], about.pitch[which])


def test_the_pitch_of_a_voice() -> None:
    saw = torch.stack([2 * torch.remainder(hz * torch.arange(SAMPLES) / RATE_HZ, 1) - 1 for hz in (100, 200)])
    assert words.pitch_octave(saw).tolist() == pytest.approx([0, 1], abs=0.03)
    assert words.pitch_octave(torch.zeros(1, SAMPLES)).isnan().all()


def test_a_delta_lets_all_through_and_the_speech_has_its_tone() -> None:
    hz = np.array([500.0, 1000, 2000, 4000])
    assert response.cumulative(np.eye(3, 5), hz) == pytest.approx([1, 1, 1, 1])
    assert response.long_term_spectrum(known.tone(1000)[None], hz).argmax() == 1


def test_the_spectrogram_has_a_tone_in_its_band() -> None:
    spectrum = log_mel(known.tone(1000)[None])[0]
    assert spectrum.shape == (BANDS, 100)
    assert float(centres_hz()[spectrum.mean(1).argmax()]) == pytest.approx(1000, rel=0.06)


def test_networks_without_known_layers_say_so() -> None:
    dense = torch.nn.Sequential(torch.nn.Linear(SAMPLES, 3))
    subject = known.subject(dense)
    for analysis in (tuning, strf, maps, likes, same, words, response):
        with pytest.raises(UnfitError, match="no "):
            analysis.explain(subject)


def test_a_network_that_hears_nothing_has_no_band_or_part_that_matters() -> None:
    deaf = known.listening([known.gabor(known.LOW_HZ)], torch.zeros(2, 1))
    found = ablate.explain(known.subject(deaf))
    assert found.found[0] == "No band raises the loss when it is taken out, by more than 2 standard errors."
    assert where.explain(known.subject(deaf)).found == ["For low, no part matters."]
    hearing = known.subject(known.two_bands())
    assert "matters most: without it the loss rises by" in ablate.explain(hearing).found[0]
    assert "Hz matters most (" in where.explain(hearing).found[0]
    hearing.start = hearing.network
    assert "no part matters more than one does before training" in where.explain(hearing).found[0]


def layers_of(subject: Subject, count: int) -> None:
    layers = [replace(subject.layers[0], number=number, field_ms=1145) for number in range(1, count + 1)]
    subject.layers = layers


def stand_apart(axes: Axes) -> bool:
    figure = axes.get_figure(root=True)
    assert figure
    figure.draw_without_rendering()
    boxes = [label.get_window_extent() for label in axes.get_xticklabels()]
    return len(boxes) > 10 and all(left.x1 < right.x0 for left, right in pairwise(boxes))


@pytest.mark.parametrize("count", [16, 99])
def test_the_numbers_of_many_layers_stand_apart(count: int) -> None:
    subject = known.subject(known.two_bands())
    layers_of(subject, count)
    none = torch.zeros(13)
    losses = Losses(none, none, none, none, none, clips=16)
    assert stand_apart(ablate.draw(subject, [losses] * count, losses).axes[0])


def test_the_fields_of_many_layers_stand_apart() -> None:
    subject = known.subject(known.two_bands())
    heard = tuning.answers(subject.network, subject.layers)[:1]
    layers_of(subject, 16)
    assert stand_apart(tuning.draw(subject, heard * 16, None).axes[0])


def test_they_get_what_needs_only_sound_and_scores() -> None:
    torch.manual_seed(0)
    dense = torch.nn.Sequential(torch.nn.Linear(SAMPLES, 3))
    subject = known.subject(dense, dense, count=2)
    assert len(ablate.explain(subject).rows) == 13
    assert len(where.explain(subject).rows) == where.BANDS * where.SPANS
