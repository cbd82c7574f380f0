from flask import Response
from pydantic import BaseModel

PLAIN_POLICY = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
"""The Content-Security-Policy of an answer that is no page: nothing in it runs, and no page shows it in a frame."""


def reply(content: BaseModel, status: int = 200) -> Response:
    """`content` as JSON."""
    return Response(content.model_dump_json(), status, mimetype="application/json")


class ErrorContent(BaseModel):
    code: str
    message: str
    hint: str


class ErrorReply(BaseModel):
    """The one shape of every error."""

    error: ErrorContent
