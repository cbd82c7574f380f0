import re
from pathlib import Path
from typing import Any

from flask import Response, send_file
from flask_openapi3 import APIBlueprint, Tag
from pydantic import BaseModel

from backend.errors import NotFoundError
from backend.jobs.result import Result
from backend.jobs.store import JobStore
from backend.reply import reply
from backend.settings import Home
from models.run_folder import RunFolder


class RunPath(BaseModel):
    run: str


class FigurePath(RunPath):
    name: str


class ClipPath(RunPath):
    word: str
    file: str


class RunsReply(BaseModel):
    runs: list[Result]


class RunReply(BaseModel):
    run: str
    result: dict[str, Any] | None
    history: list[dict[str, Any]]
    figures: list[str]


def routes(home: Home, jobs: JobStore) -> APIBlueprint:
    blueprint = APIBlueprint("runs", __name__, url_prefix="/api/runs", abp_tags=[Tag(name="runs")])

    def folder_of(run: str) -> RunFolder:
        folder = RunFolder(home.runs / run)
        if not re.fullmatch(r"[A-Za-z0-9_-]+", run) or not folder.recipe_file.exists():
            raise NotFoundError(f"There is no run {run!r}.", "`sheetrack results` lists them.")
        return folder

    @blueprint.get("", responses={200: RunsReply})
    def list_runs() -> Response:
        """Every finished run, the newest first."""
        return reply(RunsReply(runs=jobs.results()))

    @blueprint.get("/<run>", responses={200: RunReply})
    def show_run(path: RunPath) -> Response:
        """One run, finished or not."""
        folder = folder_of(path.run)
        figures = [file.stem for file in folder.drawn()]
        return reply(
            RunReply(run=folder.id, result=folder.result(), history=folder.history(), figures=figures)
        )

    @blueprint.get("/<run>/figures/<name>.png")
    def figure(path: FigurePath) -> Response:
        """A picture of the run."""
        folder = folder_of(path.run)
        file = folder.figures / f"{path.name}.png"
        if not re.fullmatch(r"\w+", path.name) or not file.exists():
            raise NotFoundError(f"Run {folder.id} has no picture {path.name!r}.", "It may not be drawn yet.")
        return send_file(file, mimetype="image/png", max_age=60)

    @blueprint.get("/<run>/clips/<word>/<file>.wav")
    def clip(path: ClipPath) -> Response:
        """The sound of a clip that the run was tested on."""
        folder = folder_of(path.run)
        name = f"{path.word}/{path.file}.wav"
        result = folder.result() or {}
        clips = Path(result.get("data", {}).get("folder") or folder.recipe().data).resolve()
        sound = (clips / name).resolve()
        tested = name in {row["clip"] for row in folder.predictions()}
        if not tested or not sound.is_relative_to(clips) or not sound.is_file():
            raise NotFoundError(
                f"Run {folder.id} has no clip {name!r} here.", "Its data may lie on another server."
            )
        return send_file(sound, mimetype="audio/wav", max_age=3600)

    return blueprint
