"""Looks at everything Sheetrack needs, each thing by itself: one that fails hides none of the others."""

import os
import shutil
from collections.abc import Callable

from pydantic import BaseModel, ConfigDict

from backend.database import open_database
from backend.errors import SheetrackError
from backend.jobs.architectures import measure
from backend.jobs.store import JobStore
from backend.notifications.delivery import read_addresses, service_of
from backend.probe.sampler import Sampler
from backend.servers.reasons import other_gpus
from backend.servers.server import read_servers
from backend.service import connections as connection
from backend.settings import Home

_ENOUGH_DISK_GIB = 5
_TRIES = 10
"""How often GPUs are asked for: a driver that sleeps needs seconds for its first answer."""


class Finding(BaseModel):
    model_config = ConfigDict(frozen=True)

    what: str
    ok: bool
    found: str
    advice: str = ""


def examine(home: Home | None = None) -> list[Finding]:
    home = home or Home()
    checks: dict[str, Callable[[Home], str]] = {
        "Home": _home,
        "Disk": _disk,
        "Settings": _settings,
        "Servers": _servers,
        "Store": _store,
        "Readings": _readings,
        "Notifications": _notifications,
        "Training": _training,
        "Google sheet": connection.google_sheet,
        "Reservations": connection.reserved,
        "Public address": connection.public_address,
        "Ray": connection.ray,
    }
    findings = []
    for what, check in checks.items():
        try:
            findings.append(Finding(what=what, ok=True, found=check(home)))
        except SheetrackError as error:
            if error.message in (finding.found for finding in findings):
                continue  # another check met the same fault
            findings.append(Finding(what=what, ok=False, found=error.message, advice=error.hint))
        except OSError as error:
            findings.append(Finding(what=what, ok=False, found=str(error), advice="Check the folder."))
    return findings


def _home(home: Home) -> str:
    home.path.mkdir(parents=True, exist_ok=True)
    if not os.access(home.path, os.W_OK):
        raise SheetrackError(f"{home.path} cannot be written.", "Set SHEETRACK_HOME to another folder.")
    return str(home.path)


def _disk(home: Home) -> str:
    free = shutil.disk_usage(home.path).free / 2**30
    if free < _ENOUGH_DISK_GIB:
        raise SheetrackError(f"{free:.1f} GiB are free.", "Free some space: runs and data need it.")
    return f"{free:.0f} GiB free"


def _settings(home: Home) -> str:
    home.settings()
    return str(home.settings_file) if home.settings_file.exists() else "the defaults"


def _servers(home: Home) -> str:
    return ", ".join(read_servers(home))


def _store(home: Home) -> str:
    results = len(JobStore(open_database(home.store_file)).result_ids())
    return f"{home.store_file}, {results} results"


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
    found = [f"{len(snapshot.gpus)} GPU{'' if len(snapshot.gpus) == 1 else 's'}", *other_gpus(snapshot)]
    return "; ".join(
        [f"CPU and memory, {', '.join(found)}", *(snapshot.host.hidden if snapshot.host else ())]
    )


def _notifications(home: Home) -> str:
    settings = home.settings().notify
    if settings is None:
        return "nobody is told of anything"
    addresses = read_addresses(settings, home.path)
    return f"sent to {', '.join(service_of(address) for address in addresses)}"


def _training(_home: Home) -> str:
    networks = measure().networks
    for network in networks:
        if network.error:
            raise SheetrackError(
                f"{network.architecture} of depth {network.depth} cannot be built: {network.error}.",
                "Correct its file in models/architectures.",
            )
    names = dict.fromkeys(network.architecture for network in networks)
    return f"torch is here; networks {', '.join(names)}"
