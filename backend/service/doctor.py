"""Checks of everything that Sheetrack needs, for `sheetrack doctor`. A check that fails or hangs ends no other."""

import os
import shutil
import threading
import time
from collections.abc import Callable

from pydantic import BaseModel, ConfigDict

from backend.database import SCHEMA, look_into
from backend.errors import SheetrackError, note_failure
from backend.jobs.architectures import measure, own_networks
from backend.jobs.store import JobStore
from backend.notifications.delivery import PLACE, read_addresses, service_of
from backend.probe.sampler import Sampler
from backend.servers import reasons
from backend.servers.server import read_servers
from backend.service import connections as connection
from backend.service.file_system import HOW_TO_LEAVE, network_file_system, network_sentence
from backend.service.store_copies import how_to_restore, newest_copy
from backend.settings import Home
from models.process import NO_COMPILER, c_compiler

_ENOUGH_DISK_GIB = 5
_TRIES = 10
"""How often GPUs are asked for: a driver that sleeps needs seconds for its first answer."""
_PATIENCE_SECONDS = 60
"""How long all checks together may take."""


class Finding(BaseModel):
    """What one check found. Where it is not `ok`, `advice` says what to do."""

    model_config = ConfigDict(frozen=True)

    what: str
    ok: bool
    found: str
    advice: str = ""


Check = Callable[[Home], str]
"""Returns a sentence about what works. May raise anything."""


def examine(home: Home | None = None) -> list[Finding]:
    """The findings of all checks, which run side by side; a fault that several checks meet is named once."""
    home = home or Home()
    until_seconds = time.monotonic() + _PATIENCE_SECONDS
    first = _Running("Home", _home, home)
    first.join(_PATIENCE_SECONDS / 4)  # it makes the folder that the others look into
    findings: list[Finding] = []
    for running in [first, *(_Running(what, check, home) for what, check in CHECKS.items())]:
        finding = running.finding(until_seconds)
        if finding.ok or finding.found not in (other.found for other in findings):
            findings.append(finding)
    return findings


class _Running:
    """A check in a daemon thread, which does not keep the process from ending."""

    def __init__(self, what: str, check: Check, home: Home) -> None:
        self._what = what
        self._finding: Finding | None = None
        self._thread = threading.Thread(target=self._run, args=(check, home), name=what, daemon=True)
        self._thread.start()

    def join(self, seconds: float) -> None:
        self._thread.join(max(0.0, seconds))

    def finding(self, until_seconds: float) -> Finding:
        """Waits for it until that moment of the monotonic clock."""
        self.join(until_seconds - time.monotonic())
        found = f"This check has no answer after {_PATIENCE_SECONDS} s."
        silent = Finding(what=self._what, ok=False, found=found, advice="A disk, driver or network may hang.")
        return self._finding or silent

    def _run(self, check: Check, home: Home) -> None:
        self._finding = _finding(self._what, check, home)


def _finding(what: str, check: Check, home: Home) -> Finding:
    try:
        return Finding(what=what, ok=True, found=check(home))
    except SheetrackError as error:
        return Finding(what=what, ok=False, found=error.message, advice=error.hint)
    except OSError as error:
        return Finding(what=what, ok=False, found=str(error), advice="Check the folder.")
    except BaseException as error:  # noqa: BLE001 - a check may raise anything, even SystemExit
        return Finding(
            what=what, ok=False, found=note_failure(error, home.failure_file), advice="Please report it."
        )


def _home(home: Home) -> str:
    home.make()
    if not os.access(home.path, os.W_OK):
        raise SheetrackError(f"{home.path} cannot be written.", "Set SHEETRACK_HOME to another folder.")
    if home.is_open_to_others():
        raise SheetrackError(
            f"Other users of this machine may look into {home.path}.", f"Run `chmod 700 {home.path}`."
        )
    return str(home.path)


def _disk(home: Home) -> str:
    runs = home.runs  # people may link it to another disk
    if os.path.lexists(runs) and not (runs.is_dir() and os.access(runs, os.W_OK | os.X_OK)):
        raise SheetrackError(
            f"{runs} is no folder that can be written.",
            "Mount the disk that it leads to, or give your user the right to write there.",
        )
    free = min(shutil.disk_usage(place).free for place in (home.path, runs) if place.exists()) / 2**30
    if free < _ENOUGH_DISK_GIB:
        raise SheetrackError(f"{free:.1f} GiB are free.", "Free some space: runs and data need it.")
    return f"{free:.0f} GiB free"


def _settings(home: Home) -> str:
    home.settings()
    return str(home.settings_file) if home.settings_file.exists() else "the defaults"


def _store(home: Home) -> str:
    file = home.store_file
    if not file.exists():
        return f"{file} is made at the first start"
    revision, damage = look_into(file)
    if damage:
        raise SheetrackError(f"{file} is damaged: {damage}.", how_to_restore(file))
    if revision is None or revision < SCHEMA:
        return f"{file} was made by an older Sheetrack; `sheetrack up` brings it up to date"
    with connection.store(home) as database:
        results = len(JobStore(database).result_ids())
    latest = newest_copy(file)
    return f"{file}, {results:,} results; {f'newest copy {latest}' if latest else 'no copy yet'}"


def _file_system(home: Home) -> str:
    if kind := network_file_system(home.path):
        raise SheetrackError(network_sentence(home.path, kind), HOW_TO_LEAVE)
    return f"{home.path} lies on a disk of this machine"


def _readings(home: Home) -> str:
    sampler = Sampler(next(iter(read_servers(home))), home.path)
    try:
        snapshot = sampler.sample()
        for _ in range(_TRIES):
            if snapshot.gpus is not None or snapshot.gpu_fault:
                break
            snapshot = sampler.sample()
    finally:
        sampler.close()
    if snapshot.gpu_fault:
        raise SheetrackError(snapshot.gpu_fault, "Check the driver with `nvidia-smi`.")
    if snapshot.gpus is None:
        return "CPU and memory; the GPU driver has not answered yet"
    found = [
        f"{len(snapshot.gpus)} GPU{'' if len(snapshot.gpus) == 1 else 's'}",
        *reasons.other_gpus(snapshot),
    ]
    return "; ".join(
        [
            f"CPU and memory, {', '.join(found)}",
            *(snapshot.host.hidden if snapshot.host else ()),
            *reasons.advice(snapshot),
        ]
    )


def _notifications(home: Home) -> str:
    settings = home.settings().notify
    if settings is None:
        return "none are set up in settings.toml"
    found = read_addresses(settings, home.path)
    if found.problems:
        raise SheetrackError(" ".join(found.problems), "The other addresses are used.")
    if settings.held_idle_hours and not found.people:
        raise SheetrackError(
            f"No address of the notifications has {PLACE}: people who hold idle GPUs get no message.",
            f"Add a line such as mailtos://bot:password@smtp.lab.example?to={PLACE}.",
        )
    told = [f"sent to {', '.join(map(service_of, found.everyone)) or 'nobody'}"]
    if settings.held_idle_hours:
        told.append(f"people who hold idle GPUs are told by {', '.join(map(service_of, found.people))}")
    return "; ".join(told)


def _training(_home: Home) -> str:
    networks = (*measure().networks, *own_networks())
    for network in networks:
        if network.error:
            raise SheetrackError(
                f"{network.architecture} cannot be built: {network.error}.", "Correct its file."
            )
    names = dict.fromkeys(network.architecture for network in networks)
    slow = "" if c_compiler() else f"; {NO_COMPILER}"
    return f"torch is here; networks {', '.join(names)}{slow}"


CHECKS: dict[str, Check] = {
    "Disk": _disk,
    "File system": _file_system,
    "Settings": _settings,
    "Servers": connection.answering,
    "Store": _store,
    "Readings": _readings,
    "Notifications": _notifications,
    "Training": _training,
    "Google sheet": connection.google_sheet,
    "Reservations": connection.reserved,
    "Public address": connection.public_address,
    "Ray": connection.ray,
}
"""By name, in the order in which they are shown, after the check of the home."""
