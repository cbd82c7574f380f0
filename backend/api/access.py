"""Who may use the backend: on this machine everyone with the token, at the public address the lab's people."""

import hashlib
import hmac
import secrets
from collections import OrderedDict
from urllib.parse import unquote

from flask import Flask, g, redirect, request
from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter
from markupsafe import escape
from werkzeug.wrappers import Response

from backend.api.identity import Identify, Person, Role, TooOftenError, UnknownAddOnError
from backend.api.pairing import Pairing
from backend.errors import RefusedError
from backend.servers.logins import SELF_DECLARED
from backend.settings import PeopleSettings, Settings, this_user
from backend.text import plain_text

KEY_HEADER = "X-Sheetrack-Key"
"""Carries the key of a session in requests that change something."""
PERSON_HEADER = "X-Sheetrack-Person"
"""Carries the name that a person entered on the page, as in an address."""
LOGIN = "/login"
KEY_MARK = "key="
"""Begins the key of a session behind the # of the page's address."""

_READING = ("GET", "HEAD", "OPTIONS")

LOCAL_NAMES = {"127.0.0.1", "localhost", "[::1]"}

STRANGERS_PER_MINUTE = 120
"""How many requests without a valid identity one address may send; a sidebar that is not let in sends 18."""

_MOST_KNOWN_TOKENS = 1000
_LONGEST_NAME = 40
_LOGIN_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Sheetrack</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ max-width: 34em; margin: 15vh auto; padding: 0 16px; font: 14px/1.5 system-ui, sans-serif; }}
input {{ width: 100%; box-sizing: border-box; margin: 4px 0 10px; padding: 6px 8px; font: inherit; }}
button {{ padding: 6px 16px; font: inherit; }}
</style>
<main>
<h1>Sheetrack</h1>
<p>This page needs the token: the part behind <code>token=</code> of the address that <code>sheetrack up</code> printed.
It also lies in the file <code>token</code> of the backend's home.</p>
<form method="post" action="/login">
<label>Token <input name="token" type="password" autocomplete="current-password" required autofocus></label>
<button>Open</button>
</form>
<p role="alert">{fault}</p>
</main>
</html>
"""


def guard(
    app: Flask,
    token: str,
    is_open: bool,
    /,
    *,
    settings: Settings,
    identify: Identify | None,
    pairing: Pairing,
) -> None:
    """Refuses every request to `app` that is not allowed; `g.person` is then the name of the person who sent it.

    `g.is_local` says whether it came to the local address.

    Requests to the public address are limited, by person or by address. Those from this machine are not: all
    tabs of the local page are the same person.

    Args:
        app: the app.
        token: opens the local address.
        is_open: whether browsers of other machines may use the page too, with the token.
        settings: who the people are.
        identify: who sent an identity token to the public address; None: there is no such address.
        pairing: notes the add-ons that are not known.
    """
    people = settings.people
    sessions = _Sessions(token)
    public = _PublicAddress(people, identify, pairing) if people and identify else None

    @app.before_request
    def admit() -> Response | None:
        g.is_local = not (public and request.host.casefold() == public.host)
        if public and not g.is_local:
            person = public.admitted()
            g.person, g.may_decide, g.may_run_commands = (
                person.name,
                person.decides,
                person.role is Role.COMMANDS,
            )
            return None
        return _admit_local(token, sessions, is_open=is_open)

    def login() -> Response:
        """Begins a session of a browser whose person typed the token."""
        offered = request.form.get("token", "").strip()
        if not hmac.compare_digest(offered.encode(), token.encode()):
            return login_page("This is not the token.", 401)
        return _begun(sessions, "/")

    app.add_url_rule(LOGIN, "login", login, methods=["POST"])


def is_local() -> bool:
    """Whether the request was sent to this machine's own address."""
    return (request.host.rsplit(":", 1)[0] if ":" in request.host else request.host) in LOCAL_NAMES


def login_page(fault: str = "", status: int = 200) -> Response:
    """The page that asks for the token."""
    page = _LOGIN_PAGE.format(fault=escape(fault))
    policy = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'"
    # Without a referrer a browser would not say either from which site the form is sent.
    headers = {"Content-Security-Policy": policy, "Referrer-Policy": "same-origin"}
    return Response(page, status, headers, mimetype="text/html")


def _begun(sessions: "_Sessions", path: str) -> Response:
    """Gives the browser a session, and sends it to the page."""
    session = sessions.begin()
    # The browser keeps what is behind # for the page alone; session.js stores it.
    answer = redirect(f"{path}#{KEY_MARK}{sessions.key(session)}")
    answer.set_cookie(_cookie(), session, httponly=True, samesite="Strict")
    return answer


def _cookie() -> str:
    return f"sheetrack-{request.host.rsplit(':', 1)[-1]}"


def _self_declared() -> str:
    """Who a browser says that it belongs to; the login of the backend's user where it says nothing."""
    name = plain_text(unquote(request.headers.get(PERSON_HEADER, "")), _LONGEST_NAME).strip()
    return f"{name}{SELF_DECLARED}" if name else this_user()


def _admit_local(token: str, sessions: "_Sessions", *, is_open: bool) -> Response | None:
    """Admits a request with the token or of a session, if it comes from a page of this backend."""
    origin = request.headers.get("Origin")
    if not (is_local() or is_open) or (origin and origin != request.host_url.rstrip("/")):
        raise RefusedError("Requests from other sites are refused.", "Open the address that was printed.")
    if request.path == LOGIN and request.method == "POST":
        return None
    offered = request.args.get("token")
    if offered and hmac.compare_digest(offered.encode(), token.encode()) and request.method == "GET":
        path = request.path.lstrip("/\\")  # what begins with two slashes is an address elsewhere
        return _begun(sessions, f"/{path}")
    session = request.cookies.get(_cookie(), "")
    if bearer := _bearer():
        if not hmac.compare_digest(bearer.encode(), token.encode()):
            raise _token_needed()
    elif not sessions.has(session):
        wanted = request.accept_mimetypes.best_match(["application/json", "text/html"])
        if request.method == "GET" and wanted == "text/html":  # a person, in a browser
            return login_page(status=401)
        raise _token_needed()
    elif request.method not in _READING and not sessions.fits(session, request.headers.get(KEY_HEADER, "")):
        error = RefusedError(
            "This page may look, but not change anything.",
            "Open the address that `sheetrack up` printed, token included.",
        )
        error.code = "key_needed"
        raise error
    g.person, g.may_decide, g.may_run_commands = _self_declared(), True, True
    return None


def _token_needed() -> RefusedError:
    error = RefusedError(
        "This address needs its token.", "Open the address that `sheetrack up` printed, token included."
    )
    error.status, error.code = 401, "token_needed"
    return error


class _Sessions:
    """Browsers that opened the address with the token, each with its own random name.

    A cookie of 127.0.0.1 is sent to every port there, also to the server of another user of this machine. So
    it is not the token, and it opens only what changes nothing. Changes need the session's key too, which a
    browser shows to pages of this port alone. Both hold until the token changes, also when the backend has
    been started again.
    """

    def __init__(self, token: str) -> None:
        self._token = token.encode()

    def begin(self) -> str:
        name = secrets.token_urlsafe(24)
        return f"{name}.{self._signed('session', name)}"

    def has(self, session: str) -> bool:
        name, _, signature = session.partition(".")
        return hmac.compare_digest(signature.encode(), self._signed("session", name).encode())

    def key(self, session: str) -> str:
        return self._signed("key", session)

    def fits(self, session: str, key: str) -> bool:
        return hmac.compare_digest(key.encode(), self.key(session).encode())

    def _signed(self, kind: str, text: str) -> str:
        return hmac.new(self._token, f"{kind} {text}".encode(), hashlib.sha256).hexdigest()


class _PublicAddress:
    """Admits the people whom the lab has listed, by their Google identity only: the local token opens nothing here."""

    def __init__(self, people: PeopleSettings, identify: Identify, pairing: Pairing) -> None:
        self.host = people.public_host
        self._identify = identify
        self._pairing = pairing
        self._rates = FixedWindowRateLimiter(MemoryStorage())
        self._of_person = RateLimitItemPerMinute(people.requests_per_minute, namespace="person")
        self._of_stranger = RateLimitItemPerMinute(STRANGERS_PER_MINUTE, namespace="stranger")
        self._known: OrderedDict[bytes, None] = OrderedDict()
        """Digests of the tokens that were valid last, the newest at the end."""

    def admitted(self) -> Person:
        """The person who sent the request.

        Raises:
            RefusedError: they may not do this.
            TooOftenError: they, or strangers at their address, send too many requests.
            UnavailableError: Google's certificates cannot be fetched.
        """
        if request.headers.get("Origin"):
            raise RefusedError("Requests from other sites are refused.", "Use the add-on's sidebar.")
        person = self._identified(_bearer())
        if not self._rates.hit(self._of_person, person.name):
            raise TooOftenError(f"{person.name} sends too many requests.")
        reads = request.method in ("GET", "HEAD") or request.path == "/api/refresh"
        if person.role is Role.SEE and not reads:
            raise RefusedError(
                f"{person.name} may look, but not launch or cancel.",
                "Ask the person who runs the backend to add it to people.launch in settings.toml.",
            )
        return person

    def _identified(self, token: str) -> Person:
        """The person who sent `token`. Requests of strangers are limited; a token that was valid is not locked out."""
        digest, address = hashlib.sha256(token.encode()).digest(), request.remote_addr or ""
        if digest not in self._known and not self._rates.test(self._of_stranger, address):
            raise TooOftenError("Too many requests without a valid identity came from your address.")
        try:
            person = self._identify(token)
        except Exception as error:
            if isinstance(error, UnknownAddOnError) and error.person:
                self._pairing.note(error.client_id, error.person)
            self._known.pop(digest, None)
            self._rates.hit(self._of_stranger, address)
            raise
        self._known[digest] = None
        self._known.move_to_end(digest)
        while len(self._known) > _MOST_KNOWN_TOKENS:
            self._known.popitem(last=False)
        return person


def _bearer() -> str:
    return request.headers.get("Authorization", "").removeprefix("Bearer ")
