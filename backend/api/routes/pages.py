"""The local page: the workbook, with the add-on's sidebar beside it."""

import base64
import hashlib
import re
from pathlib import Path

from flask import Blueprint, Response, send_from_directory

from backend.errors import NotFoundError

_ROOT = Path(__file__).parents[3]
WEB = _ROOT / "backend" / "page"
ADD_ON = _ROOT / "apps_script"

_WORKER = "host.js"

_INCLUDE = re.compile(r"<\?!= include_?\('(\w+)'\);? \?>")
_WORKER_POLICY = "default-src 'none'; script-src 'self'; connect-src 'self'; frame-ancestors 'none'"
"""A worker has the policy of its own script."""
_PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; media-src 'self'; frame-src 'self'; worker-src 'self'; "
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
        return send_from_directory(ADD_ON, f"{name}.js")

    @blueprint.get("/sidebar")
    def sidebar() -> Response:
        """Sidebar.html as Google evaluates it, with `google.script` from shim.js."""
        ours = "".join(f'<script src="/web/{name}.js"></script>' for name in ("session", "shim"))
        page = _evaluated("Sidebar").replace("<head>", f"<head>{ours}", 1)
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


def _evaluated(name: str) -> str:
    try:
        text = (ADD_ON / f"{name}.html").read_text(encoding="utf-8")
    except FileNotFoundError:
        raise NotFoundError(f"The add-on has no {name}.html.", "Install Sheetrack again.") from None
    return _INCLUDE.sub(lambda match: _evaluated(match[1]), text)


def _digest(script: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
