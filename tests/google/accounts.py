"""What Google does for identity: certificates on the web, and tokens signed with their key.

No service account is let in: each is told that its clock is wrong.
"""

import json
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from google.auth import crypt, jwt

AUDIENCE = "123.apps.googleusercontent.com"


def from_now(seconds: float) -> Callable[[], int]:
    """A moment that is counted from when the token is signed, not from when the test was collected."""
    return lambda: int(time.time() + seconds)


def made_key() -> rsa.RSAPrivateKey:
    """Takes a tenth of a second."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


_key_of_all = cache(made_key)


class GoogleAccounts:
    """Serves its certificate while the block lasts."""

    def __init__(self, key: rsa.RSAPrivateKey | None = None) -> None:
        """Without a key: the one of all of them."""
        self._key = key or _key_of_all()
        self.fetches = 0
        self.is_away = False

    def __enter__(self) -> Self:
        accounts = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                accounts.fetches += 1
                self.send_response(503 if accounts.is_away else 200)
                self.send_header("Cache-Control", "public, max-age=3600")
                self.end_headers()
                self.wfile.write(json.dumps({"key-1": accounts._certificate()}).encode())

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                self.send_response(400)
                self.end_headers()
                refusal = {"error": "invalid_grant", "error_description": "Token must be short-lived."}
                self.wfile.write(json.dumps(refusal).encode())

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/certs"

    def token(self, **changes: object) -> str:
        """An identity token as the add-on gets it, but for `changes`; None leaves a claim out.

        A change that is a function is called when the token is signed, see `from_now`.
        """
        now = int(time.time())
        claims: dict[str, object] = {
            "iss": "https://accounts.google.com",
            "aud": AUDIENCE,
            "email": "kim@lab.example",
            "email_verified": True,
            "iat": now,
            "exp": now + 3600,
        }
        made = {name: value() if callable(value) else value for name, value in (claims | changes).items()}
        kept = {name: value for name, value in made.items() if value is not None}
        # google-auth leaves its own signatures untyped.
        signer = crypt.RSASigner(self._key, key_id="key-1")  # type: ignore[no-untyped-call]
        return bytes(jwt.encode(signer, kept)).decode()  # type: ignore[no-untyped-call]

    def service_account(self) -> str:
        """The content of a key file."""
        return json.dumps(
            {"client_email": "lab@made.example", "private_key": self._pem(), "token_uri": self.address}
        )

    def _pem(self) -> str:
        return self._key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        ).decode()

    def _certificate(self) -> str:
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "accounts")])
        now = datetime.now(UTC)
        builder = x509.CertificateBuilder().subject_name(name).issuer_name(name)
        builder = builder.public_key(self._key.public_key()).serial_number(1)
        builder = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
        return builder.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()
