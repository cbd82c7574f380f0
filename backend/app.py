"""The Flask app: who may ask, what errors look like, and the document of it all."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from flask import Response, jsonify, request
from flask_openapi3 import Info, OpenAPI
from markupsafe import escape
from pydantic import ValidationError
from sqlalchemy.exc import DatabaseError
from werkzeug.exceptions import HTTPException

from backend.access import guard
from backend.database import database_error
from backend.errors import InvalidError, SheetrackError
from backend.fine_tuning import FineTuning
from backend.history import History
from backend.identity import Identify
from backend.maintenance import Maintenances
from backend.notifier import Notifier
from backend.routes.choices import choices
from backend.routes.jobs import jobs
from backend.routes.metrics import metrics
from backend.routes.pages import pages
from backend.routes.reply import ErrorReply, Fault, reply
from backend.routes.runs import runs
from backend.routes.server_history import server_history
from backend.routes.servers import servers
from backend.routes.sweeps import sweeps
from backend.routes.tables import tables
from backend.settings import Home, Settings, sentence
from backend.sheets import Tabs
from backend.snapshot import ServerStatus
from backend.store import Store
from backend.training import Training
from backend.troubles import Troubles

log = logging.getLogger(__name__)

LARGEST_BODY_BYTES = 1024 * 1024


@dataclass(frozen=True)
class Parts:
    """What the app answers from."""

    home: Home
    settings: Settings
    store: Store
    history: History
    troubles: Troubles
    training: Training
    fine_tuning: FineTuning
    tabs: Tabs
    maintenances: Maintenances
    notifier: Notifier | None
    current_servers: Callable[[], Sequence[ServerStatus]]
    sheet_troubles: Callable[[], list[str]]
    identify: Identify | None
    """Who sent a token to the public address; None: there is no such address."""
    refresh: Callable[[float], None]
    """Asks all servers now, unless a round ended less than so many seconds ago."""


def create_app(parts: Parts, token: str) -> OpenAPI:
    """The app; nothing answers without `token`, as a cookie, a bearer or in the address."""
    app = OpenAPI(
        __name__,
        info=Info(title="Sheetrack", version="1"),
        doc_ui=False,
        static_folder=None,
        responses={"4XX": ErrorReply, "5XX": ErrorReply},
        validation_error_callback=_invalid,
    )
    app.config["MAX_CONTENT_LENGTH"] = LARGEST_BODY_BYTES
    app.register_api(servers(parts.current_servers, parts.sheet_troubles, parts.refresh, parts.maintenances))
    app.register_api(server_history(parts.current_servers, parts.history, parts.troubles))
    app.register_api(jobs(parts.training, parts.store))
    app.register_api(sweeps(parts.fine_tuning))
    app.register_api(metrics(parts.current_servers, parts.store, parts.notifier))
    app.register_api(runs(parts.home, parts.store))
    app.register_api(choices(parts.home, parts.store))
    app.register_api(tables(parts.settings.title, parts.tabs))
    app.register_blueprint(pages())

    @app.get("/healthz", doc_ui=False)
    def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/openapi.json", doc_ui=False)
    def document() -> Response:
        return jsonify(app.api_doc)

    guard(app, token, parts.settings.people, parts.identify)

    @app.after_request
    def harden(answer: Response) -> Response:
        answer.headers.setdefault("X-Content-Type-Options", "nosniff")
        answer.headers.setdefault("Referrer-Policy", "no-referrer")
        answer.headers.setdefault("Cache-Control", "no-store")
        return answer

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
        log.error("%s %s failed", request.method, request.path, exc_info=error)
        return _fault(SheetrackError("Something in Sheetrack failed.", "The backend's log says what."))

    return app


def _fault(error: SheetrackError) -> Response:
    if request.accept_mimetypes.best == "text/html":  # a person, in a browser's address line
        page = f"<!doctype html><title>Sheetrack</title><p>{escape(error.message)}<p>{escape(error.hint)}"
        return Response(page, error.status, mimetype="text/html")
    fault = Fault(code=error.code, message=error.message, hint=error.hint)
    return reply(ErrorReply(error=fault), error.status)


def _invalid(error: ValidationError) -> Response:
    if not all(fault["loc"] for fault in error.errors()):
        return _fault(InvalidError(*_NOT_JSON))
    return _fault(InvalidError(f"{sentence(error)}.", "Correct it and try again."))


_NOT_JSON = ("The request cannot be understood.", "Its body must be one JSON object.")
_HTTP_SENTENCES = {
    400: ("invalid", *_NOT_JSON),
    404: ("not_found", "There is nothing at this address.", "/openapi.json lists what there is."),
    405: ("invalid", "This address does not take that method.", "/openapi.json lists what there is."),
    413: ("too_large", "The request is larger than 1 MiB.", "Send less at once."),
    429: ("too_often", "These are more requests than one person may send.", "Try again in a minute."),
}


def _http_fault(error: HTTPException) -> Response:
    status = error.code or 500
    code, message, hint = _HTTP_SENTENCES.get(status, ("failed", error.description or error.name, ""))
    fault = SheetrackError(message, hint)
    fault.status, fault.code = status, code
    return _fault(fault)
