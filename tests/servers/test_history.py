"""Means, GPU time and incidents, from traces that were written by hand."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest
import sqlalchemy as sa

from backend.database import open_database
from backend.probe.snapshot import Failure, GpuProcess, GpuReading, HostReading, Snapshot
from backend.servers.faults import gpu_faults
from backend.servers.gpu_history import GpuHistory
from backend.servers.history import MOST_POINTS, History
from backend.servers.incidents import Incident, Incidents
from backend.servers.means import Point, gpu_seconds, means, point
from backend.servers.readings import Readings
from backend.servers.reservation import Reservation
from backend.servers.state import ServerStatus, State, Verdict
from backend.tabs.report import report_table, report_text
from backend.tabs.usage import usage_table

NOON = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)  # a Wednesday
INTERVAL = 15.0


@pytest.fixture
def database(tmp_path: Path) -> Iterator[sa.Engine]:
    engine = open_database(tmp_path / "store.db")
    yield engine
    engine.dispose()


@pytest.fixture
def readings(database: sa.Engine) -> Readings:
    return Readings(database)


@pytest.fixture
def history(database: sa.Engine, readings: Readings) -> History:
    return History(database, readings, ["ada"], INTERVAL)


def after(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def gpu(index: int, *people: str | None, use: float | None = 50, memory: float | None = 0.5) -> GpuReading:
    return GpuReading(
        index=index,
        utilization_percent=use,
        memory_used_mib=None if memory is None else 1000 * memory,
        memory_total_mib=1000,
        processes=tuple(GpuProcess(pid=pid, user=person) for pid, person in enumerate(people)),
    )


def answer(seconds: float, *gpus: GpuReading, cpu: float | None = 10, server: str = "ada") -> Snapshot:
    host = HostReading(cpu_percent=cpu, memory_total_mib=1000, memory_available_mib=250)
    return Snapshot(server=server, at=after(seconds), host=host, gpus=gpus)


def silence(seconds: float) -> Snapshot:
    return Snapshot(server="ada", at=after(seconds), failure=Failure.UNREACHABLE)


def hours_of(*snapshots: Snapshot, until: float = 86_400) -> dict[str, float]:
    """Seconds by person, all hours together."""
    total: dict[str, float] = {}
    for (_, person), seconds in gpu_seconds(snapshots, after(until), INTERVAL).items():
        total[person] = total.get(person, 0) + seconds
    return total


def test_a_point_says_what_is_known() -> None:
    two = answer(0, gpu(0, use=100, memory=0.75), gpu(1, use=None, memory=None))
    assert point(two) == Point(
        at=NOON, cpu_percent=10, memory_used_percent=75, gpu_percent=100, gpu_memory_percent=75
    )
    assert point(answer(0, cpu=None)) == Point(at=NOON, memory_used_percent=75)
    assert point(silence(0)) == Point(at=NOON)


def test_means_are_over_whole_steps_and_over_what_is_known() -> None:
    points = [
        Point(at=after(-1), cpu_percent=90),
        Point(at=after(0), cpu_percent=10, gpu_percent=30),
        Point(at=after(150)),
        Point(at=after(299.9), cpu_percent=20),
        Point(at=after(600)),
    ]
    assert means(points, timedelta(minutes=5)) == [
        Point(at=after(-300), cpu_percent=90),
        Point(at=after(0), cpu_percent=15, gpu_percent=30),
        Point(at=after(600)),
    ]


@pytest.mark.parametrize(
    ("trace", "seconds"),
    [
        ([answer(0, gpu(0, "kim")), answer(15, gpu(0))], {"kim": 15}),
        ([answer(0, gpu(0)), answer(15, gpu(0, "kim"))], {}),
        ([answer(0, gpu(0, "kim", "kim")), answer(15)], {"kim": 15}),
        ([answer(0, gpu(0, "kim", "lee")), answer(15)], {"kim": 7.5, "lee": 7.5}),
        ([answer(0, gpu(0, "kim"), gpu(1, "kim", "lee")), answer(10)], {"kim": 15, "lee": 5}),
        ([answer(0, gpu(0, None, use=99)), answer(15)], {}),
        # The longest gap that counts is that of a reading that still holds.
        ([answer(0, gpu(0, "kim")), answer(45)], {"kim": 45}),
        ([answer(0, gpu(0, "kim")), answer(45.1)], {}),
        ([answer(0, gpu(0, "kim")), silence(15), answer(30, gpu(0, "lee")), silence(45)], {"kim": 30}),
        ([answer(0, gpu(0, "kim"))], {}),
    ],
)
def test_whose_a_gpu_is(trace: list[Snapshot], seconds: dict[str, float]) -> None:
    assert hours_of(*trace) == seconds


def test_time_belongs_to_the_hour_in_which_it_began_and_to_what_is_asked_for() -> None:
    trace = [answer(seconds, gpu(0, "kim")) for seconds in (-10, 5, 20, 35)]
    assert gpu_seconds(trace, after(20), INTERVAL) == {(after(-3600), "kim"): 15, (after(0), "kim"): 15}


def test_however_often_it_is_summarized_each_reading_counts_once(
    history: History, readings: Readings
) -> None:
    trace = [answer(15 * step, gpu(0, "kim", use=step % 2 * 100)) for step in range(4 * 60)]
    day = (NOON - timedelta(hours=12), NOON + timedelta(hours=12))
    for step, snapshot in enumerate(trace):
        readings.remember([snapshot])
        if step % 7 == 0:
            history.summarize(snapshot.at)
            history.summarize(snapshot.at)
    history.summarize(NOON + timedelta(hours=2))
    points = history.points("ada", *day)
    assert [found.at for found in points] == [after(300 * step) for step in range(12)]
    assert {(found.cpu_percent, found.gpu_percent, found.gpu_memory_percent) for found in points} == {
        (10, 50, 50)
    }
    [usage] = history.usage("ada", *day)
    assert usage.person == "kim"
    assert usage.gpu_hours == pytest.approx((60 * 60 - 15) / 3600, abs=0.005)


def test_a_long_absence_is_made_up_for_at_once(database: sa.Engine, readings: Readings) -> None:
    slow = History(database, readings, ["ada"], interval_seconds=300)
    read = [answer(300 * step, gpu(0, "kim")) for step in range(12 * 24)]
    readings.remember([*read, answer(86_400 * 3, gpu(0, "lee"))])
    slow.summarize(NOON + timedelta(days=4))
    points = slow.points("ada", NOON, NOON + timedelta(days=1))
    assert len(points) == 12 * 24
    [usage] = slow.usage("ada", NOON, NOON + timedelta(days=4))
    assert usage.person == "kim"
    assert usage.gpu_hours == pytest.approx(24 - 1 / 12, abs=0.005)


def test_a_server_that_is_silent_leaves_gaps(history: History, readings: Readings) -> None:
    readings.remember([answer(0), silence(300), answer(600)])
    history.summarize(NOON + timedelta(hours=1))
    found = history.points("ada", NOON, NOON + timedelta(hours=4))
    assert [mean.cpu_percent for mean in found] == [10, None, 10]


def test_a_short_time_is_drawn_from_readings_and_a_long_one_from_few_means(
    database: sa.Engine, history: History, readings: Readings
) -> None:
    readings.remember([answer(15 * step, cpu=step % 100) for step in range(4 * 60 * 3)])
    hour = history.points("ada", NOON, NOON + timedelta(hours=1))
    assert [found.cpu_percent for found in hour] == [step % 100 for step in range(240)]
    three = history.points("ada", NOON, NOON + timedelta(hours=3))
    assert MOST_POINTS / 2 < len(three) <= MOST_POINTS + 1
    assert history.points("ada", NOON, NOON + timedelta(hours=4)) == []
    history.summarize(NOON + timedelta(hours=5))
    readings.forget_before(NOON + timedelta(days=1))
    assert len(history.points("ada", NOON, NOON + timedelta(hours=1))) == 12
    year = history.points("ada", NOON - timedelta(days=200), NOON + timedelta(days=165))
    assert [found.at <= NOON for found in year] == [True]
    assert year[0].cpu_percent == pytest.approx(sum(step % 100 for step in range(720)) / 720, abs=0.01)
    assert history.points("bob", NOON, NOON + timedelta(hours=4)) == []


def test_what_is_older_than_a_year_is_forgotten(history: History, readings: Readings) -> None:
    readings.remember([answer(0, gpu(0, "kim")), answer(15), answer(7200, gpu(0, "lee")), answer(7215)])
    history.summarize(NOON + timedelta(hours=4))
    history.forget_before(NOON + timedelta(hours=1))
    everything = (NOON - timedelta(days=1), NOON + timedelta(days=1))
    assert [found.at for found in history.points("ada", *everything)] == [after(7200)]
    assert [found.person for found in history.usage("ada", *everything)] == ["lee"]


def test_weeks_begin_on_monday(database: sa.Engine, readings: Readings) -> None:
    both = History(database, readings, ["ada", "bob"], INTERVAL)
    sunday_midnight = 86_400 * 4 + 43_200
    for begin, server, people in (
        (0, "ada", ("kim",)),
        (0, "bob", ("kim", "lee")),
        (sunday_midnight - 1800, "ada", ("kim",)),
        (sunday_midnight, "ada", ("lee",)),
    ):
        busy = [answer(begin + 15 * step, gpu(0, *people), server=server) for step in range(120)]
        readings.remember([*busy, answer(begin + 1800, server=server)])
    both.summarize(NOON + timedelta(days=9))
    weeks = both.weekly_usage()
    assert weeks == {
        datetime(2026, 3, 9, tzinfo=UTC): {"lee": 0.5},
        datetime(2026, 3, 2, tzinfo=UTC): {"kim": 1.25, "lee": 0.25},
    }
    [section] = usage_table(weeks).sections
    assert [column.title for column in section.columns] == ["Week of", "Together", "kim", "lee"]
    assert section.rows == (("2026-03-09", 0.5, None, 0.5), ("2026-03-02", 1.5, 1.25, 0.25))
    assert [column.heat for column in section.columns] == [False, False, True, True]


def test_no_gpu_has_been_used_yet(history: History) -> None:
    [section] = usage_table(history.weekly_usage()).sections
    assert (section.rows, section.empty) == ((), "No use of a GPU yet.")


def shown(state: State, reason: str, *faults: str, since: datetime | None = None) -> list[ServerStatus]:
    gpus = tuple(GpuReading(index=index, fault=fault) for index, fault in enumerate(faults))
    return [
        ServerStatus(
            name="ada",
            verdict=Verdict(state=state, reason=reason, since=since),
            snapshot=Snapshot(server="ada", at=NOON, gpus=gpus) if faults else None,
            faults=tuple(fault for gpu in gpus for fault in gpu_faults(gpu)),
        )
    ]


def test_a_gpu_that_is_held_for_hours_survives_a_restart_and_a_lost_minute(
    database: sa.Engine, readings: Readings
) -> None:
    def hold(begin: float, end: float, use: float = 0, person: str = "kim") -> None:
        readings.remember([answer(t, gpu(0, person, use=use)) for t in range(int(begin), int(end), 15)])
        History(database, readings, ["ada"], INTERVAL).summarize(after(end))

    def since() -> dict[str, tuple[datetime, tuple[str, ...]]]:
        held = GpuHistory(database).held(after(7200)).get("ada", {})
        return {gpu: (found.since, found.people) for gpu, found in held.items()}

    hold(0, 3600)
    hold(3720, 7500)  # two minutes are lost
    assert since() == {"GPU 0": (NOON, ("kim",))}
    hold(7500, 7800, use=40)
    hold(7800, 8700)
    assert since() == {"GPU 0": (after(7800), ("kim",))}
    hold(8700, 9600, person="lee")
    assert since() == {"GPU 0": (after(8700), ("lee",))}
    hold(9600, 10500, use=90, person="lee")
    assert since() == {}
    [usage, _] = History(database, readings, ["ada"], INTERVAL).usage("ada", NOON, after(20_000))
    assert usage.person == "kim"
    assert usage.idle_gpu_hours == pytest.approx(usage.gpu_hours - 300 / 3600, abs=0.02)


def test_the_means_of_each_gpu(database: sa.Engine, readings: Readings, history: History) -> None:
    trace = [answer(t, gpu(0, "kim", use=80, memory=0.25), gpu(1, use=None)) for t in range(0, 1200, 15)]
    readings.remember(trace)
    history.summarize(after(1200))
    first, second = history.gpus.curves("ada", NOON, after(2000), MOST_POINTS)
    assert [point.at for point in first.points] == [NOON, after(300), after(600)]
    assert {(point.use_percent, point.memory_used_percent) for point in first.points} == {(80, 25)}
    assert {point.use_percent for point in second.points} == {None}


def test_the_share_without_a_free_gpu_equals_that_of_the_readings(
    database: sa.Engine, readings: Readings
) -> None:
    """Two servers for a week; all GPUs are taken and given back at random moments."""
    random, step, until = Random(3), 150, 7 * 86_400
    monday = NOON - timedelta(days=2, hours=12)
    taken: dict[str, list[bool]] = {}
    for name in ("ada", "bob"):
        is_taken, states = False, []
        for _ in range(0, until + 600, step):
            is_taken ^= random.random() < 0.01
            states.append(is_taken)
        taken[name] = states
        for begin in range(0, len(states), 1440):
            readings.remember(
                [
                    answer(
                        (monday - NOON).total_seconds() + step * place,
                        gpu(0, *["kim"] * state, use=50 * state, memory=0.5),
                        server=name,
                    )
                    for place, state in enumerate(states[begin : begin + 1440], begin)
                ]
            )
    history = History(database, readings, ["ada", "bob"], step)
    history.summarize(monday + timedelta(seconds=until + 600))
    week = history.week(monday)
    both = [one and other for one, other in zip(taken["ada"], taken["bob"], strict=True)][: until // step]
    assert week.none_free == pytest.approx(sum(both) / len(both), abs=0.01)
    used = sum(sum(states[: until // step]) for states in taken.values()) * step / 3600
    assert week.used == pytest.approx(used, rel=0.01)
    assert week.known == pytest.approx(2 * 168, rel=0.01)
    assert report_text(week, [60, 120]).startswith(
        f"Week of 2026-03-02: {week.used:.0f} of 336 GPU-hours used ("
    )
    assert report_table([week], {}).sections[0].rows[0][4] == week.none_free


def integrated(
    moments: Sequence[datetime], booked: Sequence[Reservation], until: datetime, longest: timedelta
) -> dict[str, float]:
    """GPU-hours of each person on the GPUs 0 and 1, from one moment of a reading to the next."""
    hours: dict[str, float] = {}
    for at, following in pairwise(moments):
        if at >= until or following - at > longest:
            continue
        for index in (0, 1):
            current = [one for one in booked if one.covers(at)]
            people = {one.person for one in current if one.gpus is None or index in one.gpus}
            for person in people:
                hours[person] = hours.get(person, 0) + (following - at) / timedelta(hours=1) / len(people)
    return hours


def test_what_is_reserved_equals_what_the_readings_give(database: sa.Engine, readings: Readings) -> None:
    """A week of a server with two GPUs, silent at random; overlapping reservations at random moments."""
    random, step, week = Random(4), 60, 7 * 86_400
    monday = NOON - timedelta(days=2, hours=12)
    booked = []
    for person in ("Kim Lee", "Max", "Park"):
        for gpus in (None, (0,), (1, 7)):
            begin = monday + timedelta(minutes=random.randrange(7 * 1440))
            end = begin + timedelta(minutes=random.randrange(9000))
            booked.append(Reservation("ada", person, begin, end, gpus))
    read, is_silent = [], False
    for place in range(0, week + 600, step):
        is_silent ^= random.random() < 0.02
        if not is_silent:
            users = ["kim"] * (place % 7200 < 3600)
            read.append(answer((monday - NOON).total_seconds() + place, gpu(0, *users), gpu(1)))
    for first in range(0, len(read), 1000):
        readings.remember(read[first : first + 1000])
    history = History(database, readings, ["ada"], step, {"ada": booked}.__getitem__)
    for day in range(8):
        history.summarize(monday + timedelta(days=day, seconds=600))
    wanted = integrated(
        [snapshot.at for snapshot in read],
        booked,
        monday + timedelta(seconds=week),
        timedelta(seconds=3 * step),
    )
    assert min(wanted.values()) > 1
    shown = history.week(monday)
    assert {use.name: use.reserved for use in shown.people} == pytest.approx(
        {"kim": wanted["Kim Lee"], "Max": wanted["Max"], "Park": wanted["Park"]}, rel=0.01
    )
    assert shown.reserved == pytest.approx(sum(wanted.values()), rel=0.01)
    assert shown.reserved < shown.known
    assert f" {shown.reserved:.0f} were reserved." in report_text(shown, [])
    _, servers, people = report_table([shown], {}).sections
    assert [column.title for column in servers.columns][:4] == ["Server", "Used", "Held idle", "Reserved"]
    assert people.rows[0][0] == "kim"
    assert people.rows[0][3] == round(wanted["Kim Lee"], 1)
    history.forget_before(NOON + timedelta(days=30))
    assert history.week(monday).reserved == 0


def test_an_incident_is_stored_when_it_begins_and_when_it_ends(database: sa.Engine) -> None:
    writes: list[str] = []

    @sa.event.listens_for(database, "before_cursor_execute")
    def _count(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if statement.startswith(("INSERT", "UPDATE")):
            writes.append(statement)

    incidents, everything = Incidents(database), (NOON - timedelta(days=1), NOON + timedelta(days=1))
    trace = [
        (0, shown(State.IDLE, "GPU free")),
        (15, shown(State.BUSY, "1 of 2 GPUs free")),
        (30, shown(State.OVERLOADED, "load 3.0 per core for 2 min", since=after(-90))),
        (45, shown(State.OVERLOADED, "load 3.1 per core for 3 min", since=after(-90))),
        (60, shown(State.DOWN, "not reachable", since=after(50))),
        (75, shown(State.IDLE, "GPU free")),
    ]
    counts = []
    for seconds, servers in trace:
        incidents.note(servers, after(seconds))
        counts.append(len(writes))
    assert counts == [0, 0, 1, 1, 3, 4]
    assert incidents.between("ada", *everything) == [
        Incident(state="down", reason="not reachable", since=after(50), until=after(75)),
        Incident(state="overloaded", reason="load 3.1 per core for 3 min", since=after(-90), until=after(60)),
    ]
    assert incidents.between("ada", after(61), after(70)) == incidents.between("ada", *everything)[:1]
    assert incidents.between("bob", *everything) == []


def test_a_gpu_fault_is_an_incident_beside_the_verdict(database: sa.Engine) -> None:
    incidents = Incidents(database)
    incidents.note(shown(State.BUSY, "GPU 1 not answering", "", "not answering"), NOON)
    incidents.note(shown(State.OVERLOADED, "load", "", "not answering"), after(15))
    incidents.note(shown(State.OVERLOADED, "load", "", ""), after(30))
    assert [
        (found.state, found.reason, found.until) for found in incidents.between("ada", NOON, after(99))
    ] == [
        ("overloaded", "load", None),
        ("gpu fault", "GPU 1 not answering", after(30)),
    ]


def test_an_incident_outlives_the_backend(database: sa.Engine) -> None:
    Incidents(database).note(shown(State.DOWN, "not reachable"), NOON)
    again = Incidents(database)
    again.note(shown(State.DOWN, "not reachable, 9 tries"), after(60))
    again.note(shown(State.IDLE, "GPU free"), after(75))
    assert again.between("ada", NOON, after(99)) == [
        Incident(state="down", reason="not reachable, 9 tries", since=NOON, until=after(75))
    ]
    again.forget_before(after(76))
    assert again.between("ada", NOON, after(99)) == []
