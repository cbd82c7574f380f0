"""`sheetrack up` as a process."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import httpx

from backend.jobs.job import JobState
from backend.settings import Home
from tests.patience import PATIENCE_SECONDS, wait_until
from tests.servers.agents import CALM


@contextmanager
def backend(
    home: Home, variables: Mapping[str, str] | None = None, *, is_calm: bool = False
) -> Iterator[tuple[httpx.Client, subprocess.Popen[str]]]:
    """Serves while the block lasts, with more environment `variables`; yields a client that has its token, and the process.

    `is_calm`: it reads the pressure of a calm machine.
    """
    program = ("-c", f"{CALM}from backend.cli import main\nmain()\n") if is_calm else ("-m", "backend.cli")
    command = [sys.executable, *program, "up", "--port", "0"]
    environment = {**os.environ, "SHEETRACK_HOME": str(home.path), **(variables or {})}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        try:
            found = re.search(r"(http://\S+)/\?token=(\S+)", process.stdout.readline())
            assert found
            headers = {"Authorization": f"Bearer {found[2]}"}
            with httpx.Client(base_url=found[1], headers=headers, timeout=60) as api:
                yield api, process
        finally:
            process.terminate()
            process.wait(PATIENCE_SECONDS)


def wait_for_state(api: httpx.Client, job: str, *states: JobState) -> None:
    content: dict[str, object] = {}

    def is_there() -> bool:
        content.update(api.get(f"/api/jobs/{job}").json())
        return content["state"] in states

    try:
        wait_until(is_there)
    except AssertionError:
        raise AssertionError(f"the job is still {content['state']}: {content['reason']}") from None
