import sqlalchemy as sa

from backend.tabs.outbox import Outbox


def test_the_newest_state_of_a_tab_is_sent_once_and_only_once(database: sa.Engine) -> None:
    outbox = Outbox(database)
    outbox.put({"Jobs": "old", "Run r1": None})
    seen = outbox.waiting()
    outbox.put({"Jobs": "new"})
    outbox.sent(seen)
    assert [(item.tab, item.content) for item in outbox.waiting()] == [("Jobs", "new")]
    outbox.sent(outbox.waiting())
    assert outbox.waiting() == []
