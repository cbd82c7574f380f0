import multiprocessing
import sqlite3
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from backend.database import SCHEMA, database_error, open_database
from backend.errors import ConflictError, NotFoundError, UnavailableError
from backend.jobs.job import UNREADABLE, AssignedGpu, Decision, Job, JobState, Limits
from backend.jobs.store import JobStore
from backend.probe.snapshot import Snapshot
from backend.servers.readings import Readings
from backend.times import now
from models.command import Command
from models.recipe import Recipe
from models.result import Progress
from tests import examples
from tests.old_database import database_of


@pytest.fixture
def database(tmp_path: Path) -> Iterator[sa.Engine]:
    engine = open_database(tmp_path / "store.db")
    yield engine
    engine.dispose()


@pytest.fixture
def store(database: sa.Engine) -> JobStore:
    return JobStore(database)


def job(name: str, **changes: object) -> Job:
    recipe = Recipe(data="speech", name='=IMPORTXML("x")')
    return Job(id=name, server="gpu1", recipe=recipe, requested_by="kim", submitted_at=now()).model_copy(
        update=changes
    )


def test_a_job_comes_back_as_it_was_stored(store: JobStore) -> None:
    asked = job("r1")
    store.add_job(asked)
    assert store.job("r1") == asked
    decision = Decision(by="kim", at=asked.submitted_at)
    choice = job("r2", server="", servers=("gpu1", "gpu2"), gpus=2, gpu_memory_gib=9.5, put_first=decision)
    store.add_job(choice)
    assert store.job("r2") == choice
    assigned = (AssignedGpu(uuid="GPU-a", index=3, name="H100"),)
    placed = store.change_job(
        choice, server="gpu2", assigned=assigned, limits=Limits(hours=2), override=decision
    )
    assert store.job("r2") == placed
    assert (placed.gpu_text, placed.assigned) == ("GPU 3", assigned)


def test_the_last_start_of_each_person_on_each_server_is_known(store: JobStore) -> None:
    moment = now().replace(microsecond=0)
    gpu = (AssignedGpu(uuid="GPU-0", index=0),)
    for number, (person, server, minutes) in enumerate(
        [
            ("kim", "gpu1", 3),
            ("kim", "gpu1", 1),
            ("kim", "gpu2", 5),
            ("lee", "gpu1", 2),
            ("Lee (self-declared)", "gpu1", 1),
            ("Lee (self-declared)", "gpu2", 4),
            ("park", "gpu1", None),
            ("park", "gpu2", 6),
        ]
    ):
        started = None if minutes is None else moment + timedelta(minutes=minutes)
        waiting = job(f"r{number}", requested_by=person, server=server)
        store.add_job(waiting)
        store.change_job(
            waiting, started_at=started, assigned=gpu if person == "park" else (None, ())[number % 2]
        )
    ago = {key: seconds - moment.timestamp() for key, seconds in store.last_starts().items()}
    assert ago == {
        ("gpu1", "kim", False): 180,
        ("gpu2", "kim", False): 300,
        ("gpu1", "lee", False): 120,
        ("gpu2", "lee", False): 240,
        ("gpu2", "park", True): 360,
    }


def test_a_program_comes_back_as_it_was_stored(store: JobStore) -> None:
    asked = job("r1", recipe=None, command=Command(command="python train.py", folder="/study"))
    store.add_job(asked)
    assert store.job("r1") == asked


def test_what_a_job_was_given_and_cannot_be_read_costs_only_itself(
    store: JobStore, database: sa.Engine
) -> None:
    store.add_job(job("r1"))
    with database.begin() as connection:
        connection.execute(sa.text("UPDATE jobs SET assigned = '[', servers = '{', put_first = 'x'"))
    found = store.job("r1")
    assert (found.assigned, found.servers, found.put_first, found.server) == (None, (), None, "gpu1")


def test_the_same_key_stores_one_job(store: JobStore) -> None:
    assert store.add_job(job("r1"), "key").id == "r1"
    assert store.add_job(job("r2"), "key").id == "r1"
    assert store.add_job(job("r3"), "other").id == "r3"
    assert [known.id for known in store.unfinished_jobs()] == ["r1", "r3"]


def test_jobs_without_a_key_are_all_stored(store: JobStore) -> None:
    store.add_job(job("r1"))
    store.add_job(job("r2"))
    assert len(store.unfinished_jobs()) == 2


def test_a_change_needs_the_state_that_was_seen(store: JobStore) -> None:
    seen = store.add_job(job("r1"))
    store.change_job(seen, state=JobState.CANCELLED, ended_at=now())
    with pytest.raises(ConflictError):
        store.change_job(seen, state=JobState.STARTING)
    assert store.job("r1").state is JobState.CANCELLED


def test_progress_is_kept(store: JobStore) -> None:
    store.change_job(store.add_job(job("r1")), progress=Progress(epoch=2, epochs=9, loss=0.5))
    assert store.job("r1").progress == Progress(epoch=2, epochs=9, loss=0.5)


def test_finished_jobs_are_the_newest_first(store: JobStore) -> None:
    for place in range(3):
        seen = store.add_job(job(f"r{place}"))
        store.change_job(seen, state=JobState.DONE, ended_at=now() + timedelta(seconds=place))
    assert [known.id for known in store.finished_jobs(2)] == ["r2", "r1"]


def test_an_unknown_job_is_said_to_be_unknown(store: JobStore) -> None:
    with pytest.raises(NotFoundError, match="no job r9"):
        store.job("r9")


@pytest.mark.parametrize(
    ("column", "value"),
    [("recipe", "{"), ("recipe", "{}"), ("progress", "[]"), ("state", "asleep"), ("submitted_at", "noon"),
     ("ended_at", 10**18)],
)  # fmt: skip
def test_a_row_that_cannot_be_read_costs_only_itself(
    database: sa.Engine, store: JobStore, caplog: pytest.LogCaptureFixture, column: str, value: object
) -> None:
    for name in ("r1", "r2", "r3"):
        store.add_job(job(name))
    with database.begin() as connection:
        connection.execute(sa.text(f"UPDATE jobs SET {column} = :value WHERE id = 'r2'"), {"value": value})
    healthy = {known.id for known in store.unfinished_jobs() if known.recipe != UNREADABLE}
    assert {"r1", "r3"} <= healthy
    shown = {known.id: known for known in [*store.unfinished_jobs(), *store.finished_jobs(5)]}
    match column:
        case "recipe":
            assert (shown["r2"].state, shown["r2"].recipe) == (JobState.QUEUED, UNREADABLE)
        case "progress":
            assert shown["r2"] == store.job("r2")
        case "state":
            assert shown["r2"].state is JobState.FAILED
            assert shown["r2"].reason == "its stored state, 'asleep', is unknown"
            assert store.count_jobs() == {JobState.QUEUED: 2, JobState.FAILED: 1}
        case _:
            assert "r2" not in shown
            assert len([record for record in caplog.records if "cannot be read" in record.message]) == 1


def test_sweeps_and_results_that_cannot_be_read_are_left_out(database: sa.Engine, store: JobStore) -> None:
    for run in ("r1", "r2"):
        store.add_result(examples.result(run))
    with database.begin() as connection:
        connection.execute(sa.text("UPDATE results SET content = '{' WHERE run = 'r1'"))
        connection.execute(sa.text("INSERT INTO sweeps VALUES ('s1', 0, '{')"))
    assert [result.run for result in store.results()] == ["r2"]
    assert store.result_ids() == {"r1", "r2"}
    assert store.sweeps() == []


def test_reasons_are_noted_of_what_still_waits(store: JobStore) -> None:
    store.add_job(job("r1"))
    store.change_job(store.add_job(job("r2")), state=JobState.CANCELLED, reason="cancelled by lee")
    store.note_reasons({"r1": "gpu1 is full", "r2": "gpu1 is full"})
    assert [store.job(name).reason for name in ("r1", "r2")] == ["gpu1 is full", "cancelled by lee"]


def test_what_was_cancelled_and_never_seen_to_end_is_cancelling(tmp_path: Path) -> None:
    file = tmp_path / "store.db"
    row: dict[str, object] = {
        "id": "r1",
        "server": "gpu1",
        "requested_by": "kim",
        "recipe": job("r1").work.model_dump_json(),
    }
    row |= {"progress": "{}", "submitted_at": 0, "ended_at": 1}
    row |= {"state": "cancelled", "reason": "cancelled by lee, and ended as soon as it can be: Ray is away."}
    database_of(file, "0008", "jobs", row)
    database = open_database(file)
    stored = JobStore(database).job("r1")
    assert (stored.state, stored.reason) == (JobState.CANCELLING, "cancelled by lee")
    assert stored.ended_at is None
    database.dispose()


def test_the_schema_is_the_newest_migration() -> None:
    migrations = Path(__file__).parents[2] / "backend" / "migrations" / "versions"
    assert max(file.name[:4] for file in migrations.glob("[0-9]*.py")) == SCHEMA


def test_a_store_of_a_newer_sheetrack_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "store.db"
    open_database(file).dispose()
    connection = sqlite3.connect(file)
    with connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    with pytest.raises(UnavailableError, match="newer Sheetrack"):
        open_database(file)


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    file = tmp_path / "store.db"
    file.write_text("something else entirely, long enough to look like a header" * 10)
    with pytest.raises(UnavailableError, match=r"store\.db"):
        open_database(file)
    assert file.read_text().startswith("something else")


def test_a_full_disk_is_said_in_one_sentence_and_harms_nothing(database: sa.Engine, store: JobStore) -> None:
    readings = Readings(database)
    store.add_job(job("r1"))

    @sa.event.listens_for(database, "connect")
    def _limit(connection: sqlite3.Connection, _record: object) -> None:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages}")

    database.dispose()
    snapshots = [Snapshot(server="gpu1", at=now(), failure_text="x" * 5000) for _ in range(500)]
    with pytest.raises(sa.exc.DatabaseError) as caught:
        readings.remember(snapshots)
    assert "The disk is full" in str(database_error(caught.value))
    assert store.job("r1").id == "r1"
    assert readings.between("gpu1", now() - timedelta(hours=1)) == []


def _write_many(file: Path, prefix: str) -> None:
    engine = open_database(file)
    store = JobStore(engine)
    for number in range(25):
        store.add_job(job(f"{prefix}{number}"))
    engine.dispose()


def test_several_processes_write_at_once(tmp_path: Path) -> None:
    file = tmp_path / "store.db"
    spawn = multiprocessing.get_context("spawn")
    writers = [spawn.Process(target=_write_many, args=(file, prefix)) for prefix in "abc"]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    engine = open_database(file)
    assert len(JobStore(engine).unfinished_jobs()) == 75
    engine.dispose()


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "7", "null", '{"run": "r1"}', "[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13]"]
)
def test_a_result_that_lacks_something_is_known_once_it_was_read(store: JobStore, content: str) -> None:
    for run in ("r1", "r2"):
        store.add_result(examples.result(run))
    with store._database.begin() as connection:
        connection.execute(
            sa.text("UPDATE results SET content = :content WHERE run = 'r1'"), {"content": content}
        )
    assert [result.run for result in store.results()] == ["r2"]
    assert store.unreadable_results == {"r1"}


def test_a_result_with_a_wrong_value_is_known_once_it_was_read(store: JobStore) -> None:
    store.add_result(examples.result("r1"))
    with store._database.begin() as connection:
        connection.execute(sa.text("UPDATE results SET content = json_set(content, '$.epochs', -1)"))
    assert store.results() == []
    assert store.unreadable_results == {"r1"}


def test_results_come_in_pages(store: JobStore) -> None:
    for place in range(4):
        finished_at = examples.NOON + timedelta(hours=place)
        store.add_result(examples.result(f"r{place}", finished_at=finished_at))
    assert [result.run for result in store.results(limit=2, offset=1)] == ["r2", "r1"]
    assert store.results(limit=2, offset=9) == []
