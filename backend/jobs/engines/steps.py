"""What `python -m models` is asked to do for a job."""

from collections.abc import Mapping

from backend.errors import InvalidError
from backend.jobs.job import Job


def steps(job: Job, environments: Mapping[str, str]) -> list[str]:
    """The command of `python -m models`, with its options.

    Raises:
        InvalidError: the server has no such environment any more.
    """
    return ["run", *prefix(job, environments)] if job.command else ["train"]


def prefix(job: Job, environments: Mapping[str, str]) -> list[str]:
    """The option that names the folder of the job's environment; none where it has no environment.

    Raises:
        InvalidError: the server has no such environment any more.
    """
    name = job.command.environment if job.command else ""
    if not name:
        return []
    if name not in environments:
        raise InvalidError(
            f"{job.server} has no environment {name!r} any more.",
            "Name it in servers.toml, then launch again.",
        )
    return [f"--prefix={environments[name]}"]
