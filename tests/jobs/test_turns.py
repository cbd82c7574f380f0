from datetime import timedelta

from backend.jobs.job import ANY, AssignedGpu, Decision, Job, JobState
from backend.jobs.turns import places
from tests import examples

SERVERS = ["gpu1", "gpu2"]


def job(name: str, person: str, **changes: object) -> Job:
    return examples.job(name, requested_by=person, **changes)


def in_order(*jobs: Job, paused: tuple[str, ...] = ()) -> list[str]:
    started = {(one.server, one.person, False): 1 for one in jobs if one.state.holds_server}
    found = places(jobs, paused, SERVERS, started)
    return sorted(found, key=lambda name: found[name])


def test_a_sweep_does_not_hold_up_a_single_job() -> None:
    sweep = [job(f"k{number}", "kim", sweep="s1") for number in range(36)]
    found = places([*sweep, job("l0", "lee")], (), SERVERS, {})
    assert (found["k0"], found["l0"], found["k1"], found["k35"]) == (1, 2, 3, 37)


def test_running_jobs_count_for_their_person_on_their_server() -> None:
    running = job("k0", "kim", state=JobState.RUNNING)
    assert in_order(running, job("k1", "kim"), job("l0", "lee")) == ["l0", "k1"]
    elsewhere = job("k0", "kim", server="gpu2", state=JobState.RUNNING)
    assert in_order(elsewhere, job("k1", "kim"), job("l0", "lee")) == ["k1", "l0"]


def test_the_name_on_the_page_and_the_login_are_one_person() -> None:
    waiting = [job("l0", "lee"), job("l1", "Lee (self-declared)"), job("l2", "lee"), job("k0", "kim")]
    assert places(waiting, (), SERVERS, {}) == {"l0": 1, "k0": 2, "l1": 3, "l2": 4}
    running = job("l9", "lee (self-declared)", state=JobState.RUNNING)
    assert in_order(running, *waiting) == ["k0", "l0", "l1", "l2"]
    assert places(waiting, (), SERVERS, {("gpu1", "lee", False): 3})["k0"] == 1


def test_jobs_with_gpus_and_those_without_have_a_queue_each() -> None:
    on_gpu = job("l9", "lee", state=JobState.RUNNING, assigned=(AssignedGpu(uuid="GPU-0", index=0),))
    for_gpus = [job("k0", "kim"), job("l0", "lee", gpus=1), job("k1", "kim", gpus=2)]
    for_none = [job("l1", "lee", gpus=0), job("k2", "kim", gpus=0), job("l2", "lee", gpus=0)]
    found = places([on_gpu, *for_gpus, *for_none], (), SERVERS, {("gpu1", "lee", True): 1})
    assert found == {"k0": 1, "l0": 2, "k1": 3, "l1": 1, "k2": 2, "l2": 3}
    started = {("gpu1", "lee", True): 2, ("gpu1", "lee", False): 2, ("gpu1", "kim", False): 1}
    found = places([*for_gpus, *for_none], (), SERVERS, started)
    assert found == {"k0": 1, "l0": 2, "k1": 3, "k2": 1, "l1": 2, "l2": 3}


def test_paused_jobs_have_no_place() -> None:
    waiting = [job("k0", "kim", sweep="s1"), job("l0", "lee")]
    assert places(waiting, ("s1",), SERVERS, {}) == {"l0": 1}


def test_jobs_put_first_come_first_in_the_order_of_the_decisions() -> None:
    later = Decision(by="park", at=examples.NOON + timedelta(minutes=1))
    first = Decision(by="park", at=examples.NOON)
    waiting = [job("k0", "kim"), job("k1", "kim", put_first=later), job("k2", "kim", put_first=first)]
    assert in_order(*waiting, job("l0", "lee")) == ["k2", "k1", "l0", "k0"]


def test_a_job_for_several_servers_has_the_best_of_its_places() -> None:
    waiting = [job("k0", "kim"), job("k1", "kim"), job("l0", "lee", server="", servers=(ANY,))]
    assert places(waiting, (), SERVERS, {}) == {"k0": 1, "l0": 1, "k1": 3}
    named = job("l1", "lee", server="", servers=("gpu1",))
    assert places([*waiting[:2], named], (), SERVERS, {})["l1"] == 2


def test_of_people_with_equally_many_running_the_one_who_waits_longer_is_next() -> None:
    waiting = [job("k0", "kim"), job("k1", "kim"), job("l0", "lee"), job("p0", "park")]
    started = {("gpu1", "kim", False): 30, ("gpu1", "lee", False): 20, ("gpu2", "park", False): 40}
    found = places(waiting, (), SERVERS, started)
    assert sorted(found, key=lambda name: found[name]) == ["p0", "l0", "k0", "k1"]


def test_places_are_those_of_the_starts_where_one_job_runs_at_a_time() -> None:
    """Of people with as many jobs, the one who is first now is first the next time too."""
    waiting = [
        job("l0", "lee"),
        job("p0", "park"),
        job("p1", "park"),
        job("l1", "lee"),
        job("k0", "kim", put_first=Decision(by="park", at=examples.NOON)),
        job("p2", "park"),
        job("k1", "kim"),
        job("l2", "lee"),
    ]
    assert in_order(job("k9", "kim", state=JobState.RUNNING), *waiting) == [
        "k0", "l0", "p0", "k1", "l1", "p1", "l2", "p2",
    ]  # fmt: skip
