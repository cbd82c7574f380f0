from pathlib import Path

import pytest
import soundfile
from flask.testing import FlaskClient

from backend.api.app import LARGEST_BODY_BYTES, create_app
from backend.api.routes import predictions
from backend.service.wiring import Sheetrack
from backend.settings import Home
from models.recipe import Recipe
from models.run_folder import RunFolder
from tests.page.trained import ask_forked, train_tones

TOKEN = "a-token"


@pytest.fixture
def api(home: Home) -> FlaskClient:
    client = create_app(Sheetrack(home), TOKEN).test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {TOKEN}"
    return client


def test_the_words_of_a_recording_come_with_probabilities_and_its_waveform(
    api: FlaskClient, home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(predictions, "ask", ask_forked)
    run = train_tones(home.runs, tmp_path / "tones")
    sound, rate = soundfile.read(min((tmp_path / "tones" / "bed").iterdir()))
    soundfile.write(tmp_path / "bed.mp3", sound, rate)
    answer = api.post(f"/api/runs/{run.id}/predict", data=(tmp_path / "bed.mp3").read_bytes())
    heard = answer.get_json()
    assert answer.status_code == 200, heard
    assert heard["probabilities"].keys() == {"bed", "cat", "one"}
    assert sum(heard["probabilities"].values()) == pytest.approx(1, abs=1e-3)
    assert heard["seconds"] == pytest.approx(1, abs=0.1)
    assert max(heard["waveform"]) == pytest.approx(0.35, abs=0.1)
    refused = api.post(f"/api/runs/{run.id}/predict", data=b"no sound")
    assert refused.status_code == 400
    assert "cannot be used: no sound that can be read." in refused.get_json()["error"]["message"]


def test_what_cannot_be_predicted_is_said_in_a_sentence(api: FlaskClient, home: Home) -> None:
    def refusal(run: str, sound: bytes = b"RIFF") -> tuple[int, str]:
        answer = api.post(f"/api/runs/{run}/predict", data=sound)
        error = answer.get_json()["error"]
        return answer.status_code, f"{error['message']} {error['hint']}"

    assert refusal("r0") == (404, "There is no run 'r0' here. `sheetrack results` lists them.")
    run = RunFolder.create(home.runs, Recipe(data="tones"))
    assert refusal(run.id)[1].startswith(f"Run {run.id} is not finished.")
    run.result_file.touch()
    assert refusal(run.id) == (
        409, f"The checkpoint of run {run.id} is not here. Bring it from its server: sheetrack fetch {run.id}"
    )  # fmt: skip
    run.checkpoint_file.touch()
    assert refusal(run.id, b"") == (400, "There is no recording in the request. Send a file as its body.")
    code, sentence = refusal(run.id, bytes(LARGEST_BODY_BYTES + 1))
    assert (code, "larger than 1 MiB" in sentence) == (413, True)
    run.recipe_file.unlink()
    assert refusal(run.id)[1].startswith(f"Run {run.id} is a program")
