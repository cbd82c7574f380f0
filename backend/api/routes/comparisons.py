from pathlib import Path
from typing import Annotated

from flask import Response, send_file
from flask_openapi3 import APIBlueprint, Tag
from pydantic import BaseModel, Field
from werkzeug.security import safe_join

from backend.api.document import json_of, png
from backend.errors import InvalidError, NotFoundError
from backend.jobs.marks import Marks
from backend.reply import reply
from backend.settings import Home
from backend.sheets.table import Column, Section, Table
from backend.tabs.comparison import pairwise_table
from backend.tabs.names import Rank
from models.compare import CompareError, compare_all
from models.program_reader import read_any_run
from models.result import Epoch, RunContent
from models.run_folder import RunFolder, is_run_id
from models.run_reader import BrokenRunError

MOST_COMPARED = 20


class ComparisonPath(BaseModel):
    a: str
    b: str


class RunsQuery(BaseModel):
    run: Annotated[
        list[str], Field(min_length=1, max_length=MOST_COMPARED, description="The runs to compare")
    ]


class ComparedRun(BaseModel):
    run: str
    title: str
    history: list[Epoch]


class ComparisonReply(BaseModel):
    runs: list[ComparedRun]
    table: Table
    """The finished ones: accuracies, and a test of every two of them."""


def routes(home: Home, marks: Marks) -> APIBlueprint:
    blueprint = APIBlueprint(
        "comparisons", __name__, url_prefix="/api/comparisons", abp_tags=[Tag(name="comparisons")]
    )

    @blueprint.get("", responses={200: json_of(ComparisonReply)})
    def compare(query: RunsQuery) -> Response:
        """Several runs: the learning curve of each, and whether the differences of the finished ones may be chance."""
        folders = [RunFolder(home.runs / run) for run in dict.fromkeys(query.run) if is_run_id(run)]
        known = [(folder, read_any_run(folder)) for folder in folders if folder.path.is_dir()]
        if not known:
            raise NotFoundError("There are no such runs.", "`sheetrack results` lists them.")
        runs = [
            ComparedRun(
                run=folder.id, title=marks.of(folder.id).name or _title(content), history=content.history
            )
            for folder, content in known
        ]
        tested = [
            str(folder.path)
            for folder, content in known
            if content.result and content.result.confusion_matrix
        ]
        return reply(ComparisonReply(runs=runs, table=_table(tested)))

    @blueprint.get("/<a>/<b>.png", responses={200: png("The picture")})
    def picture(path: ComparisonPath) -> Response:
        """The picture of a comparison of two runs."""
        file = safe_join(str(home.comparisons), path.a, f"{path.b}.png")
        if file is None or not Path(file).is_file():
            raise NotFoundError(
                f"There is no picture that compares {path.a!r} with {path.b!r}.",
                f"Draw it with `sheetrack compare {path.a} {path.b}`.",
            )
        return send_file(file, mimetype="image/png", max_age=60)

    return blueprint


def _title(content: RunContent) -> str:
    if content.recipe:
        return content.recipe.name or content.recipe.title
    return content.command.title if content.command else ""


def _table(runs: list[str]) -> Table:
    """Raises: InvalidError: a file of a run cannot be read."""
    if len(runs) < 2:
        empty = Section(columns=(Column(title="Run"),), empty="Fewer than two of these runs are finished.")
        return Table(name="Compare", rank=Rank.COMPARISON, sections=(empty,))
    try:
        return pairwise_table(compare_all(runs))
    except (CompareError, BrokenRunError) as error:
        raise InvalidError(f"{error}.") from error
