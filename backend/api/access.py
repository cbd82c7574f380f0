"""Who is let in: on this machine whoever has the token, at the public address whom the lab has listed."""

import hmac

from flask import Flask, g, redirect, request
from flask_limiter import Limiter
from werkzeug.wrappers import Response

from backend.api.identity import Identify, Role
from backend.errors import RefusedError
from backend.settings import Settings, this_user

LOCAL_NAMES = {"127.0.0.1", "localhost", "[::1]"}


def guard(app: Flask, token: str, settings: Settings, identify: Identify | None) -> None:
    """Lets nobody into `app` who is not known; `g.person` is then their name.

    `identify` says who sent a token to the public address; None: there is no such address.
    """
    people = settings.people

    @app.before_request
    def admit() -> Response | None:
        if people and identify and request.host.casefold() == people.public_host:
            _admit_person(identify)
            return None
        return _admit_local(token)

    if people:
        limit = f"{people.requests_per_minute} per minute"
        Limiter(lambda: str(g.person), app=app, default_limits=[limit], storage_uri="memory://")


def _admit_local(token: str) -> Response | None:
    """Lets in whoever has the token, from this machine's own pages only."""
    name = request.host.rsplit(":", 1)[0] if request.host.count(":") != 0 else request.host
    origin = request.headers.get("Origin")
    if name not in LOCAL_NAMES or (origin and origin != request.host_url.rstrip("/")):
        raise RefusedError("Requests from other sites are refused.", "Open the address that was printed.")
    cookie = f"sheetrack-{request.host.rsplit(':', 1)[-1]}"
    offered = request.args.get("token")
    bearer = request.headers.get("Authorization", "").removeprefix("Bearer ")
    if offered and hmac.compare_digest(offered.encode(), token.encode()) and request.method == "GET":
        answer = redirect(request.path)
        answer.set_cookie(cookie, token, httponly=True, samesite="Strict")
        return answer
    given = bearer or request.cookies.get(cookie, "")
    if not hmac.compare_digest(given.encode(), token.encode()):
        error = RefusedError(
            "This address needs its token.", "Open the address that `sheetrack up` printed, token included."
        )
        error.status, error.code = 401, "token_needed"
        raise error
    g.person = this_user()
    return None


def _admit_person(identify: Identify) -> None:
    """Lets in whom the lab has listed, by Google's word alone: never by this machine's own token."""
    if request.headers.get("Origin"):
        raise RefusedError("Requests from other sites are refused.", "Use the add-on's sidebar.")
    person = identify(request.headers.get("Authorization", "").removeprefix("Bearer "))
    looks = request.method in ("GET", "HEAD") or request.path == "/api/refresh"
    if person.role is Role.SEE and not looks:
        raise RefusedError(
            f"{person.name} may look, but not launch or cancel.",
            "Ask whoever runs the backend to add it to people.launch in settings.toml.",
        )
    g.person = person.name
