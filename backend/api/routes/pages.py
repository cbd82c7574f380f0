"""The local page: the workbook, with the add-on's sidebar beside it."""

import base64
import hashlib
import re
from pathlib import Path

from flask import Blueprint, Response, send_from_directory

from backend.api import add_on_files
from backend.errors import NotFoundError

WEB = Path(__file__).parents[2] / "page"

_WORKER = "host.js"
_WORKER_POLICY = "default-src 'none'; script-src 'self'; connect-src 'self'; frame-ancestors 'none'"
"""A worker has the policy of its own script."""
_PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; media-src 'self' blob:; frame-src 'self'; worker-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors {ancestors}"
)


def routes() -> Blueprint:
    blueprint = Blueprint("pages", __name__)

    @blueprint.get("/")
    def page() -> Response:
        answer = send_from_directory(WEB, "page.html")
        answer.headers["Content-Security-Policy"] = _PAGE_POLICY.format(ancestors="'none'")
        return answer

    @blueprint.get("/web/<path:name>")
    def web(name: str) -> Response:
        answer = send_from_directory(WEB, name)
        if name == _WORKER:
            answer.headers["Content-Security-Policy"] = _WORKER_POLICY
        return answer

    @blueprint.get("/apps_script/<name>.js")
    def add_on(name: str) -> Response:
        return send_from_directory(add_on_files.ADD_ON, f"{name}.js")

    @blueprint.get("/add-on")
    def add_on_page() -> Response:
        """The add-on's files with a button each that copies it."""
        answer = send_from_directory(WEB, "add_on.html")
        answer.headers["Content-Security-Policy"] = _PAGE_POLICY.format(ancestors="'none'")
        return answer

    @blueprint.get("/add-on/<name>")
    def add_on_file(name: str) -> Response:
        text = add_on_files.bundle().get(name)
        if text is None:
            raise NotFoundError(
                f"The add-on has no {name}.", "It has Code.js, Sidebar.html, appsscript.json."
            )
        return Response(text, mimetype="text/plain")

    @blueprint.get("/sidebar")
    def sidebar() -> Response:
        """Sidebar.html as Google evaluates it, with `google.script` from shim.js."""
        ours = "".join(f'<script src="/web/{name}.js"></script>' for name in ("session", "shim"))
        page = add_on_files.page("Sidebar").replace("<head>", f"<head>{ours}", 1)
        scripts = " ".join(
            f"'{_digest(text)}'" for text in re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
        )
        policy = _PAGE_POLICY.format(ancestors="'self'")
        answer = Response(page, mimetype="text/html")
        answer.headers["Content-Security-Policy"] = policy.replace(
            "script-src 'self'", f"script-src 'self' {scripts}"
        )
        return answer

    return blueprint


def _digest(script: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
