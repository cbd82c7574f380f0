from flask import Response
from pydantic import BaseModel


def reply(content: BaseModel, status: int = 200) -> Response:
    """`content` as JSON."""
    return Response(content.model_dump_json(), status, mimetype="application/json")


class Fault(BaseModel):
    code: str
    message: str
    hint: str


class ErrorReply(BaseModel):
    """The one shape of every error."""

    error: Fault
