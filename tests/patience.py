"""How long a test waits for what a slow, busy machine does in the end. What works does not wait that long."""

import time
from collections.abc import Callable

PATIENCE_SECONDS = 180
PATIENCE_MILLISECONDS = PATIENCE_SECONDS * 1000


def wait_until(seen: Callable[[], object], what: str = "what was waited for") -> None:
    """Looks ten times a second until `seen` answers something true.

    Raises:
        AssertionError: it did not within `PATIENCE_SECONDS`.
    """
    for _ in range(PATIENCE_SECONDS * 10):
        if seen():
            return
        time.sleep(0.1)
    raise AssertionError(f"{what} never came")
