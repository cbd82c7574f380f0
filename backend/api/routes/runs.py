import os
import re
from pathlib import Path
from typing import Annotated

from flask import Response, send_file
from flask_openapi3 import APIBlueprint, Tag
from pydantic import BaseModel, ConfigDict, Field

from backend.api.document import binary, json_of, png
from backend.errors import NotFoundError
from backend.jobs.result import BrokenResult, Result
from backend.jobs.results import Results
from backend.jobs.store import JobStore
from backend.reply import reply
from backend.settings import Home
from models.command import Command
from models.program_reader import read_any_run
from models.result import BrokenFile, Epoch, MetricLine, ProgramResult, RunContent, RunResult
from models.run_folder import RunFolder, is_run_id

_SOUNDS = {
    ".wav": "audio/wav",
    ".flac": "audio/flac",
    ".mp3": "audio/mpeg",
    **dict.fromkeys((".ogg", ".oga", ".opus"), "audio/ogg"),
}


class RunPath(BaseModel):
    run: str


class FigurePath(RunPath):
    name: str


class ClipPath(RunPath):
    word: str
    file: str


class Page(BaseModel):
    model_config = ConfigDict(extra="forbid")

    limit: Annotated[int, Field(ge=1, le=1000, description="How many finished runs")] = 100
    offset: Annotated[int, Field(ge=0, le=10**9, description="How many newer ones are left out")] = 0


class RunsReply(BaseModel):
    runs: list[Result]
    total: Annotated[int, Field(description="How many finished runs there are")]
    broken: list[BrokenResult]


class RunReply(BaseModel):
    run: str
    result: RunResult | ProgramResult | None
    command: Command | None
    history: list[Epoch]
    metrics: list[MetricLine]
    """The lines of the history of a program of the lab's own."""
    figures: list[str]
    broken: list[BrokenFile]


def routes(home: Home, jobs: JobStore, results: Results) -> APIBlueprint:
    blueprint = APIBlueprint("runs", __name__, url_prefix="/api/runs", abp_tags=[Tag(name="runs")])

    def folder_of(run: str) -> RunFolder:
        folder = RunFolder(home.runs / run)
        if not is_run_id(run) or not folder.path.is_dir():
            raise NotFoundError(f"There is no run {run!r}.", "`sheetrack results` lists them.")
        return folder

    @blueprint.get("", responses={200: json_of(RunsReply)})
    def list_runs(query: Page) -> Response:
        """A page of the finished runs, and those whose result cannot be read; the newest first."""
        return reply(
            RunsReply(
                runs=jobs.results(query.limit, query.offset),
                total=len(jobs.result_ids()),
                broken=results.broken(),
            )
        )

    @blueprint.get("/<run>", responses={200: json_of(RunReply)})
    def show_run(path: RunPath) -> Response:
        """One run, finished or not, and its files that cannot be read."""
        folder = folder_of(path.run)
        content = read_any_run(folder)
        return reply(
            RunReply(
                run=folder.id,
                result=content.result,
                command=content.command,
                history=content.history,
                metrics=content.metrics,
                figures=content.figures,
                broken=content.broken,
            )
        )

    @blueprint.get("/<run>/figures/<name>.png", responses={200: png("The picture")})
    def figure(path: FigurePath) -> Response:
        """A picture of the run."""
        folder = folder_of(path.run)
        file = folder.figures / f"{path.name}.png"
        if not re.fullmatch(r"\w+", path.name) or not file.is_file():
            raise NotFoundError(f"Run {folder.id} has no picture {path.name!r}.", "It may not be drawn yet.")
        return send_file(file, mimetype="image/png", max_age=60)

    @blueprint.get("/<run>/clips/<word>/<file>", responses={200: binary("The sound", "audio/*")})
    def clip(path: ClipPath) -> Response:
        """The sound of a clip that the run was tested on."""
        folder = folder_of(path.run)
        name = f"{path.word}/{path.file}"
        content = read_any_run(folder)
        is_tested = any(row.clip == name for row in content.predictions)
        sound = _sound(content, name) if is_tested else None
        if sound is None:
            raise NotFoundError(
                f"Run {folder.id} has no clip {name!r} here.", "Its data may be on another server."
            )
        return send_file(sound, mimetype=_SOUNDS[sound.resolve().suffix.lower()], max_age=3600)

    return blueprint


def _sound(content: RunContent, clip: str) -> Path | None:
    """The file of a clip, None where it is not below the run's data; a link there may lead to any sound."""
    data = content.result.data.folder if isinstance(content.result, RunResult) else ""
    data = data or (content.recipe.data if content.recipe else "")
    try:
        folder = Path(data).absolute()
        sound = Path(os.path.normpath(folder / clip))
        is_sound = sound.is_file() and sound.resolve().suffix.lower() in _SOUNDS
        return sound if data and sound.is_relative_to(folder) and is_sound else None
    except (OSError, RuntimeError, ValueError):  # a path that no file can have, or links in a circle
        return None
