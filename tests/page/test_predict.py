"""The page of a run asks its network about recordings: files and the microphone, which is Chromium's beep."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import FilePayload, Page, expect

from backend.api.routes import predictions
from tests.models.made_run import make_run
from tests.page.accessibility import violations
from tests.page.lab import Lab
from tests.page.trained import ask_forked, train_tones

pytestmark = pytest.mark.browser

Open = Callable[..., Page]


def test_files_and_a_word_from_the_microphone_are_predicted(
    open_page: Open, lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(predictions, "ask", ask_forked)
    run = train_tones(lab.home.runs, tmp_path / "tones")
    page = open_page(f"/#Run%20{run.id}")
    clip = min((tmp_path / "tones" / "bed").iterdir())
    large = FilePayload(name="long.wav", mimeType="audio/wav", buffer=bytes(1024 * 1024 + 1))
    page.get_by_label("Choose files").set_input_files([large])
    expect(
        page.get_by_text(f"It is larger than 1 MiB. In a terminal any size works: sheetrack predict {run.id}")
    ).to_be_visible()
    page.get_by_label("Choose files").set_input_files(clip)
    heard = page.locator(".heard").first
    expect(heard.get_by_role("img", name=f"Waveform of {clip.name}")).to_be_visible()
    expect(heard.get_by_role("listitem")).to_have_count(3)
    shares = [
        float(each.split("%")[0].split()[-1]) for each in heard.get_by_role("listitem").all_inner_texts()
    ]
    assert shares == sorted(shares, reverse=True)
    assert sum(shares) == pytest.approx(100, abs=0.2)

    # The browser without windows asks no person, and lets every page use its microphone.
    page.evaluate(
        "() => { const devices = navigator.mediaDevices;"
        " devices.getUserMedia = () => { delete devices.getUserMedia;"
        " return Promise.reject(new DOMException('Permission denied', 'NotAllowedError')); }; }"
    )
    page.get_by_role("button", name="Record a word").click()
    expect(page.get_by_text("The browser does not let this page use the microphone.")).to_be_visible()
    page.get_by_role("button", name="Record a word").click()
    heard = page.locator(".heard", has_text="Microphone")
    expect(heard.get_by_role("img", name="Waveform of Microphone")).to_be_visible()
    expect(heard).to_contain_text("0.50 s")  # what the recipe hears at once
    heights = heard.locator("svg rect.fill").evaluate_all(
        "bars => bars.map(bar => Number(bar.getAttribute('height')))"
    )
    assert max(heights) > 5  # the beep
    assert violations(page) == []
    with page.expect_event("requestfinished", lambda request: request.url.startswith("blob:")):
        heard.get_by_role("button", name="Play Microphone").click()

    page.evaluate(
        """() => {
          const transfer = new DataTransfer();
          transfer.items.add(new File(['no sound'], 'noise.wav'));
          const drop = new DragEvent('drop', { dataTransfer: transfer, bubbles: true, cancelable: true });
          document.querySelector('.predict').dispatchEvent(drop);
        }"""
    )
    expect(page.get_by_text("This recording cannot be used: no sound that can be read.")).to_be_visible()


def test_what_a_page_cannot_predict_it_says(open_page: Open, lab: Lab) -> None:
    run = make_run(lab.home.runs)
    run.checkpoint_file.touch()
    page = open_page("/")
    page.add_init_script("Object.defineProperty(window, 'isSecureContext', { value: false })")
    page.goto(f"{page.url.split('#')[0]}#Run%20{run.id}")
    page.reload()
    expect(page.get_by_text("The microphone needs this page at localhost")).to_be_visible()
    expect(page.get_by_role("button", name="Record a word")).to_have_count(0)
    run.checkpoint_file.unlink()
    page.reload()
    expect(page.get_by_text("The checkpoint is on the server of the run.")).to_be_visible()
    expect(page.get_by_role("button", name=re.compile("Copy the command"))).to_be_visible()


def test_the_loudest_stretch_is_cut_out(open_page: Open) -> None:
    page = open_page("/")
    cut = "(given) => import('/web/microphone.js').then(({ loudest }) => [...loudest(new Float32Array(given[0]), given[1])])"
    assert page.evaluate(cut, [[0, 0.25, 0, 0.5, -1, 0.5, 0, 0], 3]) == [0.5, -1, 0.5]
    assert page.evaluate(cut, [[0.5, 0.25], 3]) == [0.5, 0.25]
