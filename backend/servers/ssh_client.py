"""Another machine, read over SSH: nothing is installed there.

The probe of `backend.probe` is sent to its `python3`, and answers over one connection that is kept.
"""

import asyncio
import os
import re
import signal
from asyncio.subprocess import PIPE, Process
from contextlib import suppress
from datetime import datetime

from pydantic import ValidationError

from backend.probe import background
from backend.probe.over_ssh import GREETING
from backend.probe.snapshot import Failure, Snapshot
from backend.probe.standalone import PYTHON, START, TOO_OLD, program
from backend.servers.server import Server
from backend.times import now

ATTEMPT_SECONDS = 1.5
_LOGIN_SECONDS = 20
_ROUNDS = 3  # without an answer before another connection is made
_LARGEST_BYTES = 256 << 10
_LARGEST_GREETING_BYTES = 64 << 10  # printed by a login before the probe starts
_LARGEST_ERROR_BYTES = 8 << 10
_ENDING_SECONDS = 2

# Everything else, such as the user, the key and the route, is taken from ~/.ssh/config.
_OPTIONS = {
    "BatchMode": "yes",  # never asks for a password
    "StrictHostKeyChecking": "yes",
    "ConnectTimeout": "10",
    "ConnectionAttempts": "1",
    "ServerAliveInterval": "15",
    "ServerAliveCountMax": "2",
    "ControlPath": "none",
    "ClearAllForwardings": "yes",
    "ForwardAgent": "no",
    "ForwardX11": "no",
    "PermitLocalCommand": "no",
    "RequestTTY": "no",
    "RemoteCommand": "none",
    "LogLevel": "ERROR",
}
_COMMAND = f"exec python3 -I -S -c '{START}'"

_AGENT_DOWN, _BROKEN, _REFUSED, _UNREACHABLE = (
    Failure.AGENT_DOWN,
    Failure.BROKEN,
    Failure.REFUSED,
    Failure.UNREACHABLE,
)
_OLD = f"its python3 is too old: {'.'.join(map(str, PYTHON))} or newer is needed"
# Messages of ssh, the login shell and python3; the first match counts. {login} is user and host.
_MEANINGS = [
    (r"HOST IDENTIFICATION HAS CHANGED", _REFUSED,
     "SSH host key has changed: check why, run `ssh-keygen -R {host}`, then `ssh {login}` once"),
    (r"Host key verification failed|host key is known for", _REFUSED,
     "SSH host key is not known: run `ssh {login}` once on the backend's machine"),
    (r"UNPROTECTED PRIVATE KEY", _REFUSED, "SSH key is not used, as others may read it: run `chmod 600` on it"),
    (r"Permission denied|Too many authentication failures", _REFUSED,
     "SSH accepts no key of ours: run `ssh-copy-id {login}` on the backend's machine"),
    (r"Could not resolve hostname", _UNREACHABLE, "not reachable (unknown host name)"),
    (r"Connection refused", _AGENT_DOWN, "SSH not answering (connection refused)"),
    (r"timed out during banner exchange", _AGENT_DOWN, "SSH not answering"),
    (r"timed out|No route to host|Network is unreachable|Host is down|not responding", _UNREACHABLE,
     "not reachable"),
    (r"Connection (closed|reset)|closed by remote host|kex_exchange", _AGENT_DOWN, "SSH closes the connection"),
    (r"Bad configuration|bad configuration|Bad owner or permissions", _REFUSED,
     "~/.ssh/config cannot be used: try `ssh {login}`"),
    (r"account is (currently )?not available|nologin", _REFUSED, "{login} may not log in"),
    (TOO_OLD, _BROKEN, _OLD),
    (r"python3.*(not found|No such file)|(not found|Unknown command).*python3", _BROKEN, "it has no python3"),
]  # fmt: skip


class SshServer:
    """Belongs to one event loop."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._probe: _Probe | None = None
        self._login: asyncio.Task[_Probe] | None = None
        self._silent_rounds = 0

    async def sample(self) -> Snapshot:
        """The server's snapshot, with our name for it and the time of its arrival, or why there is none.

        Asks a second time where the first answer does not come.
        """
        if self._probe:
            self._probe.is_asked = False
        snapshot = await self._attempt()
        if snapshot.failure in (Failure.UNREACHABLE, Failure.AGENT_DOWN):
            snapshot = await self._attempt()
        self._silent_rounds = self._silent_rounds + 1 if snapshot.failure else 0
        if self._silent_rounds >= _ROUNDS:
            await self._drop()
        return snapshot

    async def history(self, since: datetime) -> list[Snapshot]:  # noqa: ARG002 - as an agent's
        """Nothing: the probe lives as long as the connection, and keeps no reading."""
        return []

    async def close(self) -> None:
        if self._login:
            self._login.cancel()
            with suppress(asyncio.CancelledError, _SshError):
                await self._login
            self._login = None
        await self._drop()

    async def _attempt(self) -> Snapshot:
        try:
            async with asyncio.timeout(ATTEMPT_SECONDS):
                probe = await self._connected()
                line = await probe.answer()
            snapshot = Snapshot.model_validate_json(b'{"server": "", "at": 0, ' + line.lstrip()[1:])
        except _SshError as error:
            await self._drop()
            return self._failed(error.failure, error.text)
        except ValidationError:
            return self._failed(_BROKEN, "its probe's answer cannot be read")
        except TimeoutError:
            return self._failed(_AGENT_DOWN, "SSH not answering" if self._probe else "SSH not connected yet")
        return snapshot.model_copy(
            update={"server": self._server.name, "at": now(), "failure": None, "failure_text": None}
        )

    async def _connected(self) -> "_Probe":
        """A login that takes longer than an attempt goes on, and serves a later one."""
        if self._probe is None:
            if self._login is None:
                self._login = asyncio.create_task(
                    _Probe.started((self._server.agent or "").partition("://")[2])
                )
            login = self._login
            await asyncio.wait({login})
            self._login = None
            self._probe = login.result()
        return self._probe

    async def _drop(self) -> None:
        probe, self._probe, self._silent_rounds = self._probe, None, 0
        if probe:
            await probe.end()

    def _failed(self, failure: Failure, text: str) -> Snapshot:
        return Snapshot(server=self._server.name, at=now(), failure=failure, failure_text=text)


class _SshError(Exception):
    def __init__(self, failure: Failure, text: str) -> None:
        super().__init__(text)
        self.failure = failure
        self.text = text


class _Probe:
    """One SSH client, with the probe behind it."""

    def __init__(self, process: Process, login: str) -> None:
        self._process = process
        self._login = login
        self._unanswered = 0
        self._errors = asyncio.create_task(self._read_errors())
        self.is_asked = False
        """Whether the question of this round is sent."""

    @classmethod
    async def started(cls, login: str) -> "_Probe":
        """Logs in as `user@host:port`, where user and port may be missing, and starts the probe.

        Raises:
            _SshError: it cannot, or not in time.
        """
        options = (f"-o{name}={value}" for name, value in _OPTIONS.items())
        environment = {**os.environ, "LC_ALL": "C", "SSH_ASKPASS_REQUIRE": "never"}
        try:
            process = await asyncio.create_subprocess_exec(
                "ssh", "-T", *options, f"ssh://{login}", _COMMAND,
                stdin=PIPE, stdout=PIPE, stderr=PIPE, limit=_LARGEST_BYTES, env=environment,
                start_new_session=True,
            )  # fmt: skip
        except FileNotFoundError:
            raise _SshError(_BROKEN, "the backend's machine has no ssh: install openssh-client") from None
        probe = cls(process, login)
        try:
            async with asyncio.timeout(_LOGIN_SECONDS):
                await probe._send(program("backend.probe.over_ssh", background.PATIENCE_SECONDS))
                await probe._greeting()
        except TimeoutError:
            await probe.end()
            raise _SshError(_AGENT_DOWN, f"SSH login not done within {_LOGIN_SECONDS} s") from None
        except BaseException:
            await probe.end()
            raise
        return probe

    async def answer(self) -> bytes:
        """The newest reading as JSON.

        Raises:
            _SshError: the connection has ended, or the answer is too large.
        """
        if not self.is_asked:
            self.is_asked = True
            self._unanswered += 1
            await self._send(b"\n")
        line = b""
        while self._unanswered:
            line = await self._line()
            self._unanswered -= 1
        return line

    async def end(self) -> None:
        process = self._process
        if process.stdin:
            process.stdin.close()
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        try:
            async with asyncio.timeout(_ENDING_SECONDS):
                await process.wait()
        except TimeoutError:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
        self._errors.cancel()

    async def _greeting(self) -> None:
        read = 0
        while (line := await self._line()).strip() != GREETING.encode():
            read += len(line)
            if read > _LARGEST_GREETING_BYTES:
                raise _SshError(_BROKEN, "its login prints too much before the probe starts")

    async def _line(self) -> bytes:
        stdout = self._process.stdout
        try:
            line = await stdout.readline() if stdout else b""
        except ValueError:
            raise _SshError(_BROKEN, "its probe's answer is too large") from None
        if not line.endswith(b"\n"):
            raise await self._ended()
        return line

    async def _send(self, content: bytes) -> None:
        if self._process.stdin:
            with suppress(ConnectionError):  # the next line says that it has ended, and why
                self._process.stdin.write(content)
                await self._process.stdin.drain()

    async def _ended(self) -> _SshError:
        code, printed = await self._process.wait(), await self._errors
        login = re.sub(r":\d+$", "", self._login)
        for pattern, failure, text in _MEANINGS:
            if re.search(pattern, printed, re.DOTALL):
                return _SshError(failure, text.format(login=login, host=login.rpartition("@")[2]))
        last = next((line.strip() for line in reversed(printed.splitlines()) if line.strip()), f"exit {code}")
        return _SshError(_AGENT_DOWN, f"SSH connection has ended ({last[:120]})")

    async def _read_errors(self) -> str:
        """The beginning of the standard error."""
        printed = bytearray()
        while self._process.stderr and (part := await self._process.stderr.read(4096)):
            printed += part[: _LARGEST_ERROR_BYTES - len(printed)]
        return printed.decode(errors="replace")
