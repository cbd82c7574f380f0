"""What the network of a run hears in a recording that a person sends."""

import tempfile
from pathlib import Path
from threading import Lock

from flask import Response, request
from flask_openapi3 import APIBlueprint, RawModel, Tag
from pydantic import BaseModel, TypeAdapter

from backend.api.document import json_of
from backend.api.routes.runs import RunPath
from backend.errors import ConflictError, InvalidError, NotFoundError, UnavailableError
from backend.jobs.models_cli import ask
from backend.reply import reply
from backend.settings import Home
from models.result import Heard
from models.run_folder import RunFolder, is_run_id

_HEARD = TypeAdapter(list[Heard])
_TURN_SECONDS = 30
_LONGEST_SECONDS = 60


class Sound(RawModel):
    mimetypes = ["application/octet-stream"]  # noqa: RUF012 - as flask-openapi3 reads it


class HeardReply(BaseModel):
    seconds: float
    probabilities: dict[str, float]
    """By word, the most probable first."""
    waveform: list[float]
    """The largest samples of some stretches, which are of equal length; 1 is the loudest that a file can hold."""


def routes(home: Home) -> APIBlueprint:
    blueprint = APIBlueprint("predictions", __name__, url_prefix="/api/runs", abp_tags=[Tag(name="runs")])
    turn = Lock()

    @blueprint.post("/<run>/predict", responses={200: json_of(HeardReply)})
    def predict(path: RunPath, raw: Sound) -> Response:  # noqa: ARG001 - describes the body
        """The words that the network of a run hears in a recording (WAV, FLAC, OGG or MP3), the body of the request."""
        folder = _trained(home, path.run)
        sound = request.get_data()
        if not sound:
            raise InvalidError("There is no recording in the request.", "Send a file as its body.")
        # Each takes a process with torch, some hundred megabytes.
        if not turn.acquire(timeout=_TURN_SECONDS):
            raise UnavailableError("Other recordings are being predicted.", "Try again in a minute.")
        try:
            return reply(_heard(folder, sound))
        finally:
            turn.release()

    return blueprint


def _trained(home: Home, run: str) -> RunFolder:
    """The folder of a run whose network can be asked.

    Raises:
        NotFoundError: there is no such run.
        ConflictError: it has no network, is not finished, or has no checkpoint here.
    """
    folder = RunFolder(home.runs / run)
    if not is_run_id(run) or not folder.path.is_dir():
        raise NotFoundError(f"There is no run {run!r} here.", "`sheetrack results` lists them.")
    if not folder.recipe_file.is_file():
        raise ConflictError(f"Run {run} is a program and has no network of Sheetrack's to ask.")
    if not folder.result_file.is_file():
        raise ConflictError(f"Run {run} is not finished.", "Its network can be asked once it is.")
    if not folder.checkpoint_file.is_file():
        raise ConflictError(
            f"The checkpoint of run {run} is not here.", f"Bring it from its server: sheetrack fetch {run}"
        )
    return folder


def _heard(folder: RunFolder, sound: bytes) -> HeardReply:
    with tempfile.TemporaryDirectory(prefix="sheetrack-") as place:
        file = Path(place) / "recording"
        file.write_bytes(sound)
        answer = ask("predict", str(folder.path), str(file), timeout_seconds=_LONGEST_SECONDS)
    (heard,) = _HEARD.validate_json(answer)
    if heard.error:
        raise InvalidError(
            f"This recording cannot be used: {heard.error}.", "WAV, FLAC, OGG and MP3 can be read."
        )
    return HeardReply.model_validate(heard.model_dump(include=set(HeardReply.model_fields)))
