"""Who is behind a process: a person, or else the container that it runs in."""

from __future__ import annotations

import os
import pwd
import re
from functools import lru_cache
from pathlib import Path

from backend.probe.background import Lookups

_PROC = Path("/proc")
_PASSWD = Path("/etc/passwd")
_SUBUID = Path("/etc/subuid")
_NO_LOGIN = 2**32 - 1  # the kernel writes this for a process that no login started
_FIRST_LAB_UID = 2000  # images bring users below it, such as 1000, that are other people outside
_KNOWN_SECONDS = 3600.0
_UNKNOWN_SECONDS = 60.0

_PERSON_IN_CGROUP = re.compile(r"/user-(\d+)\.slice|/uid_(\d+)(?:/|$)")  # systemd, Slurm
_CONTAINER_IN_CGROUP = re.compile(
    r"(?<![0-9a-f])([0-9a-f]{12})[0-9a-f]{52}(?![0-9a-f])"  # Docker, Podman, containerd, CRI-O
    r"|/lxc(?:\.payload)?[./]([\w.-]+)"
    r"|/machine-([^/]+)\.scope"  # systemd-nspawn
)
_PERSON_IN_PATH = re.compile(r"/(?!var/)(?:[^/]+/){0,2}(?:home|homes|users)/([A-Za-z][\w.-]*)", re.IGNORECASE)


class UserNames:
    """Names of users by number. A directory service that hangs delays nothing: `user 20001` meanwhile."""

    def __init__(self) -> None:
        self._asked: Lookups[int, str] = Lookups(
            "user names",
            _name_in_directory,
            kept_seconds=lambda name: _KNOWN_SECONDS if name else _UNKNOWN_SECONDS,
        )

    def name(self, uid: int) -> str:
        """The user's name; `user <uid>` while there is no answer, and for a number without a name."""
        return _local_names().get(uid) or self._asked.get(uid, wait_seconds=0.05) or f"user {uid}"

    def silent_seconds(self) -> float | None:
        """How long the directory service has not answered, where that is too long."""
        return self._asked.silent_seconds()


def _name_in_directory(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return ""


def _local_names() -> dict[int, str]:
    """The users of /etc/passwd, which no directory service can delay."""
    try:
        return _passwd(_PASSWD, _PASSWD.stat().st_mtime_ns)
    except OSError:
        return {}


@lru_cache(maxsize=1)
def _passwd(file: Path, _modified_ns: int) -> dict[int, str]:
    names: dict[int, str] = {}
    for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
        fields = line.split(":")
        if len(fields) > 2 and fields[2].isdigit():
            names.setdefault(int(fields[2]), fields[0])
    return names


class Owner:
    """Who is behind one process: a user's number, a person's name, or a container's."""

    def __init__(self, *, uid: int | None = None, person: str = "", container: str = "") -> None:
        self.uid = uid
        self.person = person
        self.container = container

    def name(self, names: UserNames) -> str:
        if self.uid is not None:
            return names.name(self.uid)
        return self.person or f"container {self.container}"


def owner_of(pid: int) -> Owner:
    """The owner of a process.

    Raises:
        OSError: it is gone, or hidden from this user.
        ValueError: the kernel writes something unknown.
    """
    uid = _real_uid(pid)
    cgroup = _text(_PROC / str(pid) / "cgroup")
    login = _login(pid, cgroup)
    container = _CONTAINER_IN_CGROUP.search(cgroup)
    if container is None:
        # Who logged in, where that person became root since then, such as by sudo.
        return Owner(uid=login if uid == 0 and login is not None else uid)
    if login is not None:
        return Owner(uid=login)
    if person := _lender_of(uid) or _person_in_mounts(pid):
        return Owner(person=person)
    if uid >= _FIRST_LAB_UID:
        return Owner(uid=uid)
    return Owner(container=next(name for name in container.groups() if name)[:63])


def _real_uid(pid: int) -> int:
    for line in (_PROC / str(pid) / "status").read_text(encoding="utf-8", errors="replace").splitlines():
        if line.startswith("Uid:"):
            return int(line.split()[1])
    raise ValueError("no Uid")


def _login(pid: int, cgroup: str) -> int | None:
    """The user whose session started the process, from the kernel's audit or its cgroup; never root."""
    if person := _PERSON_IN_CGROUP.search(cgroup):
        login = int(person[1] or person[2])
    else:
        text = _text(_PROC / str(pid) / "loginuid").strip()
        login = int(text) if text.isdigit() else _NO_LOGIN
    return None if login in (0, _NO_LOGIN) else login


def _lender_of(uid: int) -> str:
    """The user whose range of subordinate numbers has `uid`: a rootless container."""
    for line in _text(_SUBUID).splitlines():
        user, _, numbers = line.partition(":")
        first, _, count = numbers.partition(":")
        if first.isdigit() and count.isdigit() and int(first) <= uid < int(first) + int(count):
            return _local_names().get(int(user), user) if user.isdigit() else user
    return ""


def _person_in_mounts(pid: int) -> str:
    """The one person whose home, or a folder of it, the container was given."""
    ours = _mounts("self")
    people = set()
    for device, root, _ in _mounts(str(pid)):
        for our_device, our_root, our_point in ours:
            if device == our_device and (root + "/").startswith(our_root.rstrip("/") + "/"):
                outside = our_point.rstrip("/") + "/" + root[len(our_root.rstrip("/")) :].lstrip("/")
                if found := _PERSON_IN_PATH.match(outside):
                    people.add(found[1])
    return people.pop() if len(people) == 1 else ""


def _mounts(pid: str) -> list[tuple[str, str, str]]:
    """Device, root within it and mount point of each mount."""
    fields = (line.split() for line in _text(_PROC / pid / "mountinfo").splitlines())
    return [(some[2], some[3], some[4]) for some in fields if len(some) > 4]


def _text(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            return opened.read(1 << 20).decode(errors="replace")
    except OSError:
        return ""


OWN_CONTAINER = "only processes in the container of the agent are seen"
_FIRST_PID_NAMESPACE = "pid:[4026531836]"  # PROC_PID_INIT_INO of the kernel


def hidden_processes() -> tuple[str, ...]:
    """What keeps this user from seeing every process of the machine, in a few words each."""
    found = []
    try:
        if os.readlink(_PROC / "self" / "ns" / "pid") != _FIRST_PID_NAMESPACE:
            found.append(OWN_CONTAINER)
    except OSError:
        return ()
    options = [line.split() for line in _text(_PROC / "self" / "mountinfo").splitlines()]
    hides = any(
        re.search(r"hidepid=(?!0|off)", some[-1]) for some in options if len(some) > 5 and some[4] == "/proc"
    )
    if hides and not _sees_the_first_process():
        found.append("processes of other people are hidden (hidepid)")
    return tuple(found)


def _sees_the_first_process() -> bool:
    try:
        (_PROC / "1" / "cmdline").read_bytes()
    except OSError:
        return False
    return True
