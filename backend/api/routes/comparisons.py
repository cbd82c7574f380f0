from pathlib import Path

from flask import Response, send_file
from flask_openapi3 import APIBlueprint, Tag
from pydantic import BaseModel
from werkzeug.security import safe_join

from backend.api.document import png
from backend.errors import NotFoundError
from backend.settings import Home


class ComparisonPath(BaseModel):
    a: str
    b: str


def routes(home: Home) -> APIBlueprint:
    blueprint = APIBlueprint(
        "comparisons", __name__, url_prefix="/api/comparisons", abp_tags=[Tag(name="comparisons")]
    )

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
