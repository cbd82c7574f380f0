"""A real SSH server on loopback, with its own keys, and a client that finds it as `gpu2`."""

import getpass
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest

from tests.patience import PATIENCE_SECONDS
from tests.servers.agents import free_port

_PATH = "/usr/sbin:/usr/local/sbin:/usr/bin:/bin"


def need_ssh() -> str:
    """Where the server's program is; skips the test where it is not."""
    found = shutil.which("sshd", path=_PATH)
    if found is None or shutil.which("ssh", path=_PATH) is None:
        pytest.skip("needs OpenSSH: apt-get install openssh-server openssh-client")
    return found


class Sshd:
    """One server that lets `key` in, as every account of the machine that its program can switch to."""

    def __init__(self, folder: Path) -> None:
        self._program = need_ssh()
        self.folder = folder
        self.port = free_port()
        self.environment: dict[str, str] = {}
        """What a login finds set, whatever its shell sets."""
        self.key = self.new_key("key")
        self.host_key = self.new_key("host_key")
        self._log = folder / "sshd.log"
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)
        (folder / "keys").write_text(self.key.with_suffix(".pub").read_text())
        (folder / "keys").chmod(0o644)
        folder.chmod(0o755)
        self.process: subprocess.Popen[bytes] | None = None

    def new_key(self, name: str) -> Path:
        file = self.folder / name
        file.unlink(missing_ok=True)
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", file], check=True)
        return file

    def start(self) -> None:
        settings = {
            "Port": self.port,
            "ListenAddress": "127.0.0.1",
            "HostKey": self.host_key,
            "AuthorizedKeysFile": self.folder / "keys",
            "StrictModes": "no",
            "UsePAM": "no",
            "PasswordAuthentication": "no",
            "KbdInteractiveAuthentication": "no",
            "PermitRootLogin": "yes",
            "PidFile": "none",
        }
        lines = [f"{name} {value}\n" for name, value in settings.items()]
        if self.environment:
            pairs = " ".join(f"{name}={value}" for name, value in self.environment.items())
            lines.append(f'ForceCommand exec /usr/bin/env {pairs} /bin/sh -c "$SSH_ORIGINAL_COMMAND"\n')
        (self.folder / "sshd_config").write_text("".join(lines))
        command = [self._program, "-D", "-e", "-f", str(self.folder / "sshd_config")]
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(command, stderr=log)
        for _ in range(20 * PATIENCE_SECONDS):
            with socket.socket() as caller:
                if caller.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            assert self.process.poll() is None, self._log.read_text()
            time.sleep(0.05)
        raise AssertionError("the SSH server does not listen")

    def stop(self) -> None:
        """Ends the server and every login."""
        if self.process:
            there = [*psutil.Process(self.process.pid).children(recursive=True)]
            self.process.kill()
            self.process.wait()
            self.process = None
            for one in there:
                if one.is_running():
                    one.kill()
            psutil.wait_procs(there, timeout=PATIENCE_SECONDS)

    def probes(self) -> list[psutil.Process]:
        """The probes that run here, without the processes that they start."""
        assert self.process
        running = [
            one for one in psutil.Process(self.process.pid).children(recursive=True) if _runs_program(one)
        ]
        return [one for one in running if one.parent() not in running]

    def logins(self) -> int:
        """How many logins succeeded."""
        return self._log.read_text().count("Accepted publickey")

    def trust(self, key: Path | None = None) -> None:
        """The client takes `key`, by default the server's own, for the server's."""
        public = (key or self.host_key).with_suffix(".pub").read_text()
        (self.folder / "known_hosts").write_text(f"[127.0.0.1]:{self.port} {public}")

    def write_client(self, user: str = "", key: Path | None = None, host: str = "127.0.0.1") -> Path:
        """The folder of an `ssh` that reads this configuration instead of the tester's own."""
        programs = self.folder / "bin"
        programs.mkdir(exist_ok=True)
        (self.folder / "ssh_config").write_text(
            f"Host gpu2\n HostName {host}\n Port {self.port}\n User {user or getpass.getuser()}\n"
            f" IdentityFile {key or self.key}\n IdentitiesOnly yes\n IdentityAgent none\n"
            f" UserKnownHostsFile {self.folder / 'known_hosts'}\n GlobalKnownHostsFile none\n"
        )
        client = programs / "ssh"
        client.write_text(
            f'#!/bin/sh\nexec {shutil.which("ssh", path=_PATH)} -F {self.folder}/ssh_config "$@"\n'
        )
        client.chmod(0o755)
        return programs


def _runs_program(process: psutil.Process) -> bool:
    with suppress(psutil.Error):  # it has just ended
        return "-S" in process.cmdline()
    return False


@contextmanager
def accounts(*names: str) -> Iterator[None]:
    """Accounts of one test, in which no other login is possible."""
    if os.geteuid() != 0:
        pytest.skip("only root makes accounts")
    for name in names:
        subprocess.run(
            ["/usr/sbin/useradd", "--create-home", "--password", "*", "--shell", "/bin/sh", name], check=True
        )
    try:
        yield
    finally:
        for name in names:
            subprocess.run(["/usr/sbin/userdel", "--remove", name], check=False, capture_output=True)
