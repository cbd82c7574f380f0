"""Add-ons that ask to be let in: the backend refuses one that it does not know, and a person accepts it."""

import threading
from collections import OrderedDict
from collections.abc import Callable

from pydantic import BaseModel, ConfigDict

from backend.errors import NotFoundError

_MOST_WAITING = 5


class AddOn(BaseModel):
    """An add-on that was refused because its client ID is not known."""

    model_config = ConfigDict(frozen=True)

    client_id: str
    person: str
    """The address of the Google account that used it last."""


class Pairing:
    """Safe to use from several threads."""

    def __init__(self, accept: Callable[[AddOn], None]) -> None:
        """`accept` lets an add-on in from now on."""
        self._accept = accept
        self._lock = threading.Lock()
        self._waiting: OrderedDict[str, AddOn] = OrderedDict()

    def note(self, client_id: str, person: str) -> None:
        """Remembers an add-on that was refused; only the newest few, as everybody can ask."""
        with self._lock:
            self._waiting[client_id] = AddOn(client_id=client_id, person=person)
            self._waiting.move_to_end(client_id)
            while len(self._waiting) > _MOST_WAITING:
                self._waiting.popitem(last=False)

    def waiting(self) -> list[AddOn]:
        """Those that ask, in the order in which they asked last."""
        with self._lock:
            return list(self._waiting.values())

    def accept(self, client_id: str) -> None:
        """Lets an add-on in.

        Raises:
            NotFoundError: no such add-on asks.
            InvalidError: the settings cannot be changed.
        """
        self._accept(self._known(client_id))
        self.forget(client_id)

    def forget(self, client_id: str) -> None:
        """Drops an add-on from those that ask; it may ask again."""
        with self._lock:
            self._waiting.pop(client_id, None)

    def _known(self, client_id: str) -> AddOn:
        with self._lock:
            if client_id in self._waiting:
                return self._waiting[client_id]
        raise NotFoundError(f"No add-on {client_id} asks to be let in.", "Open its sidebar once more.")
