"""One training of a sweep, and what is known of it."""

from typing import NamedTuple

from backend.jobs.job import Job
from models.recipe import Recipe


class Measured(NamedTuple):
    """The facts of a finished run that a sweep shows."""

    run: str
    accuracy: float
    """Test accuracy on all clips."""
    accuracy_full_length: float | None
    """The same on clips of a full second; None where the test has none."""
    validation_accuracy: float | None = None


class Trial(NamedTuple):
    """One training of a sweep: its finished run, or the newest job that was submitted for it."""

    recipe: Recipe
    measured: Measured | None
    job: Job | None
