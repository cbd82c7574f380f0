"""One backend a home."""

import threading

import pytest

from backend.errors import ConflictError
from backend.service.lock import is_served, only_backend
from backend.settings import Home


def test_a_home_has_one_backend(home: Home) -> None:
    assert not is_served(home)
    with only_backend(home):
        assert is_served(home)
        with pytest.raises(ConflictError, match="already serves"), only_backend(home):
            pass
        assert is_served(home)
    assert not is_served(home)


def test_asking_keeps_no_backend_from_starting(home: Home) -> None:
    done = threading.Event()

    def ask() -> None:
        while not done.is_set():
            is_served(home)

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        for _ in range(200):
            with only_backend(home):
                pass
    finally:
        done.set()
        asking.join()
