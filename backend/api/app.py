"""The Flask app: access, routes, errors and the OpenAPI document."""

import logging
from collections.abc import Callable
from functools import partial
from importlib import import_module
from inspect import signature
from pkgutil import iter_modules
from typing import TypeVar

from flask import Response, jsonify, request
from flask_openapi3 import APIBlueprint, Info, OpenAPI
from markupsafe import escape
from pydantic import ValidationError
from sqlalchemy.exc import DatabaseError
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from backend.api import routes
from backend.api.access import guard, is_local
from backend.api.document import completed
from backend.api.packing import packed
from backend.database import database_error
from backend.errors import InvalidError, SheetrackError, full_disk, is_full_disk
from backend.reply import PLAIN_POLICY, ErrorContent, ErrorReply, reply
from backend.settings import sentence

log = logging.getLogger(__name__)

Answer = TypeVar("Answer")

LARGEST_BODY_BYTES = 1024 * 1024


def create_app(sheetrack: object, token: str, *, is_open: bool = False) -> OpenAPI:
    """The app. Every request needs `token`, as a cookie, a bearer or in the address.

    `is_open` lets browsers of other machines in too, with the token.

    `sheetrack` has the joined parts as attributes: each route file names those it needs as parameters.
    """
    app = OpenAPI(
        __name__,
        info=Info(title="Sheetrack", version="1"),
        doc_ui=False,
        static_folder=None,
        validation_error_callback=_invalid,
    )
    app.config["MAX_CONTENT_LENGTH"] = LARGEST_BODY_BYTES
    for module in iter_modules(routes.__path__):
        blueprint = _with_parts(import_module(f"{routes.__name__}.{module.name}").routes, sheetrack)
        if isinstance(blueprint, APIBlueprint):
            app.register_api(blueprint)
        else:
            app.register_blueprint(blueprint)

    @app.get("/healthz", doc_ui=False)
    def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/openapi.json", doc_ui=False)
    def document() -> Response:
        return jsonify(completed(app.api_doc))

    _with_parts(partial(guard, app, token, is_open), sheetrack)

    @app.after_request
    def harden(answer: Response) -> Response:
        answer.headers.setdefault("Content-Security-Policy", PLAIN_POLICY)
        answer.headers.setdefault("X-Content-Type-Options", "nosniff")
        answer.headers.setdefault("Referrer-Policy", "no-referrer")
        answer.headers.setdefault("Cache-Control", "no-store")
        return answer if is_local() else packed(answer)

    @app.errorhandler(SheetrackError)
    def explain(error: SheetrackError) -> Response:
        return _fault(error)

    @app.errorhandler(DatabaseError)
    def explain_database(error: DatabaseError) -> Response:
        return _fault(database_error(error))

    @app.errorhandler(HTTPException)
    def explain_http(error: HTTPException) -> Response:
        return _http_fault(error)

    @app.errorhandler(Exception)
    def explain_unexpected(error: Exception) -> Response:
        return _unexpected(error)

    return app


def _with_parts(make: Callable[..., Answer], sheetrack: object) -> Answer:
    """Calls `make` with the parts that its remaining parameters name."""
    parts = {name: getattr(sheetrack, name) for name in signature(make).parameters}
    return make(**parts)


def _fault(error: SheetrackError) -> Response:
    if request.accept_mimetypes.best == "text/html":  # a person, in a browser's address line
        page = f"<!doctype html><title>Sheetrack</title><p>{escape(error.message)}<p>{escape(error.hint)}"
        return Response(page, error.status, mimetype="text/html")
    fault = ErrorContent(code=error.code, message=error.message, hint=error.hint)
    return reply(ErrorReply(error=fault), error.status)


def _unexpected(error: Exception) -> Response:
    if isinstance(error, RecursionError):  # thousands of brackets in brackets
        return _fault(InvalidError(*_NOT_JSON))
    if isinstance(error, OSError) and is_full_disk(error):
        return _fault(full_disk())
    log.error("%s %s failed", request.method, request.path, exc_info=error)
    return _fault(SheetrackError("Something in Sheetrack failed.", "The backend's log has the details."))


def _invalid(error: ValidationError) -> Response:
    if not all(fault["loc"] for fault in error.errors()):
        return _fault(InvalidError(*_NOT_JSON))
    return _fault(InvalidError(f"{sentence(error)}.", "Correct it and try again."))


_NOT_JSON = ("The request cannot be understood.", "Its body must be one JSON object.")
_HTTP_SENTENCES = {
    400: ("invalid", *_NOT_JSON),
    404: ("not_found", "There is nothing at this address.", "/openapi.json lists every address."),
    405: ("invalid", "This address does not take that method.", "/openapi.json lists every address."),
    413: ("too_large", "The request is larger than 1 MiB.", "Send less at once."),
}


def _http_fault(error: HTTPException) -> Response:
    status = error.code or 500
    code, message, hint = _HTTP_SENTENCES.get(status, ("failed", error.description or error.name, ""))
    fault = SheetrackError(message, hint)
    fault.status, fault.code = status, code
    answer = _fault(fault)
    if isinstance(error, MethodNotAllowed):
        answer.headers["Allow"] = ", ".join(sorted(error.valid_methods or ()))
    return answer
