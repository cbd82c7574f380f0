from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from backend.database import open_database
from backend.tabs.outbox import Outbox


@pytest.fixture
def database(tmp_path: Path) -> Iterator[sa.Engine]:
    engine = open_database(tmp_path / "store.db")
    yield engine
    engine.dispose()


def test_the_newest_state_of_a_tab_is_sent_once_and_only_once(database: sa.Engine) -> None:
    outbox = Outbox(database)
    outbox.put({"Jobs": "old", "Run r1": None})
    seen = outbox.waiting()
    outbox.put({"Jobs": "new"})
    outbox.sent(seen)
    assert [(item.tab, item.content) for item in outbox.waiting()] == [("Jobs", "new")]
    outbox.sent(outbox.waiting())
    assert outbox.waiting() == []
