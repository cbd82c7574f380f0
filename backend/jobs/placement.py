"""Whether a queued job may start now."""

import time
from collections.abc import Callable, Collection

from backend.jobs.job import Job
from backend.servers.state import State, Verdict

_START_PAUSE_SECONDS = 15
_CLOSED = (State.FULL, State.OVERLOADED, State.STALE, State.DOWN, State.MAINTENANCE)


class Placement:
    """Asks no server: all it uses is known before, so that one round over all jobs is quick."""

    def __init__(
        self,
        training_servers: Collection[str],
        verdict_of: Callable[[str], Verdict | None],
        reserved_against: Callable[[str, str], str | None] | None,
    ) -> None:
        """`reserved_against` names, as a sentence, who else has reserved a server for now."""
        self._training_servers = training_servers
        self._verdict_of = verdict_of
        self._reserved_against = reserved_against
        self._failed_starts: dict[str, tuple[float, str]] = {}
        """Until when, by the monotonic clock, a server starts nothing, and why."""

    def obstacle(self, job: Job, occupied: Collection[str]) -> str | None:
        """Why the job cannot start now; None: it can. `occupied` are the servers on which a job runs."""
        server = job.server
        if server not in self._training_servers:
            return no_longer_trains(server)
        if server in occupied:
            return "another training runs on this server"
        # Before the verdict: the person of the reservation overtakes those who wait for its end.
        if self._reserved_against and (reserved := self._reserved_against(server, job.requested_by)):
            return reserved
        verdict = self._verdict_of(server)
        if verdict is None:
            return f"{server} has not been read yet"
        if verdict.state in _CLOSED:
            state = "in maintenance" if verdict.state is State.MAINTENANCE else verdict.state
            return f"{server} is {state}: {verdict.reason}"
        until, reason = self._failed_starts.get(server, (0, ""))
        return reason if time.monotonic() < until else None

    def start_failed(self, server: str, reason: str) -> None:
        """Starts nothing on the server for a while."""
        self._failed_starts[server] = (time.monotonic() + _START_PAUSE_SECONDS, reason)


def no_longer_trains(server: str) -> str:
    """The reason of jobs whose server was taken out of servers.toml, or no longer takes jobs."""
    return f"{server} takes no trainings any more: put it back into servers.toml, or cancel."
