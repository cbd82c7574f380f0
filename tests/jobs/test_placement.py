"""Where jobs go, and why the others wait."""

from collections.abc import Sequence

import pytest

from backend.jobs import placement as rules
from backend.jobs.job import ANY, AssignedGpu, Decision, JobState, Limits, Resources
from backend.jobs.placement import Placement
from backend.probe.snapshot import GpuReading
from backend.servers.reservations import OthersHold
from backend.servers.state import Fault, KnownGpu, ServerStatus, State, Verdict
from tests import examples
from tests.jobs.gpu_servers import divided, eight, gpu, server
from tests.jobs.rounds import Rounds


def test_a_job_gets_a_free_gpu_by_its_uuid_and_a_second_one_another() -> None:
    lab = Rounds(server("gpu1", [gpu(0, ["park"]), gpu(1), gpu(2)]))
    first, second, third = lab.add(), lab.add("lee"), lab.add("lee")
    starts = lab.round()
    assert [start.job.id for start in starts] == [first, second]
    assert starts[0].gpus == (AssignedGpu(uuid="GPU-1", index=1, name="H100"),)
    assert starts[1].gpus == (AssignedGpu(uuid="GPU-2", index=2, name="H100"),)
    assert lab.reason(third) == "all 3 GPUs in use (kim 1, lee 1, park 1)"


def test_a_reason_names_who_has_the_gpus() -> None:
    users = {index: ["kim"] if index < 3 else ["lee"] for index in range(8)}
    lab = Rounds(server("gpu1", eight(users)))
    job = lab.add("park")
    assert lab.reason(job) == "all 8 GPUs in use (kim 3, lee 5)"
    lab = Rounds(server("gpu1", [gpu(0, ["lee"])]))
    job = lab.add()
    assert lab.reason(job) == "the GPU is in use (lee)"
    lab = Rounds(server("gpu1", [gpu(0, [""]), gpu(1, fault="not answering"), gpu(2, uuid=None)]))
    job = lab.add()
    assert lab.reason(job) == "1 of 3 GPUs in use (unknown 1); GPU 1 not answering; GPU 2 has no UUID"


def test_a_gpu_that_a_colleague_reserved_is_left_alone_unless_a_person_decides_otherwise() -> None:
    lab = Rounds(server("gpu1", [gpu(0, ["lee"]), gpu(2)]))
    lab.held["gpu1", "kim"] = OthersHold(gpus={2: "park until 18:00"})
    job = lab.add()
    assert lab.reason(job) == "1 of 2 GPUs in use (lee 1); GPU 2 reserved by park until 18:00"
    theirs = lab.add("park")
    assert lab.started() == [(theirs, "gpu1", [2])]
    lab = Rounds(server("gpu1", [gpu(0)]))
    lab.held["gpu1", "kim"] = OthersHold("gpu1 is reserved by park until 18:00")
    job = lab.add()
    assert lab.reason(job) == "gpu1 is reserved by park until 18:00"
    lab.jobs = [lab.jobs[0].model_copy(update={"override": Decision(by="lee", at=examples.NOON)})]
    assert lab.started() == [(job, "gpu1", [0])]


@pytest.mark.parametrize("state", [State.OVERLOADED, State.STALE, State.DOWN])
def test_a_closed_server_takes_no_job(state: State) -> None:
    lab = Rounds(server("gpu1", [gpu(0)], state))
    for_gpu, for_cpu = lab.add(), lab.add(gpus=0)
    assert lab.reason(for_gpu) == f"gpu1 is {state}: why"
    assert lab.reason(for_cpu) == f"gpu1 is {state}: why"


def test_a_server_that_starts_again_and_again_takes_no_job() -> None:
    again = Fault(kind="connection", what="starts again and again")
    for is_warning, starts in ((True, 1), (False, 0)):
        fault = again.model_copy(update={"is_warning": is_warning})
        lab = Rounds(server("gpu1", [gpu(0)]).model_copy(update={"faults": (fault,)}))
        lab.add()
        assert len(lab.started()) == starts


def test_reasons_are_told_in_their_order() -> None:
    lab = Rounds(server("gpu1", [gpu(0)], State.MAINTENANCE))
    job = lab.add()
    assert lab.reason(job) == "gpu1 is in maintenance: why"
    lab.held["gpu1", "kim"] = OthersHold("gpu1 is reserved by Max")
    assert lab.reason(job) == "gpu1 is reserved by Max"
    lab.jobs = [lab.jobs[0].model_copy(update={"server": "gpu9"})]
    assert "put it back into servers.toml" in lab.reason(job)
    lab = Rounds(ServerStatus(name="gpu1", verdict=Verdict(state=State.STALE, reason="no reading yet")))
    assert lab.reason(lab.add()) == "gpu1 is stale: no reading yet"
    lab.placement = Placement(lab.servers, ["gpu1"], lambda _: None)
    assert lab.reason(lab.jobs[0].id) == "gpu1 has not been read yet"


def test_a_cpu_job_does_not_wait_for_gpus() -> None:
    lab = Rounds(server("gpu1", [gpu(0, ["lee"])], State.FULL))
    first, second = lab.add(gpus=0), lab.add(gpus=0)
    assert lab.started() == [(first, "gpu1", [])]
    assert lab.reason(second) == "a CPU job of kim runs on this server"
    lab = Rounds(server("gpu1", [gpu(0)], State.FULL, memory_used=0.99))
    assert lab.reason(lab.add(gpus=0)) == "gpu1 is full: why"
    lab = Rounds(server("gpu1", None, State.FULL))
    assert lab.reason(lab.add()) == "gpu1 is full: why"
    lab = Rounds(server("gpu1", [], State.OVERLOADED))
    assert lab.reason(lab.add(gpus=1)) == "gpu1 has no GPUs for jobs, 1 are needed"
    lab = Rounds(server("gpu1", []), cpu_jobs=2)
    names = [lab.add() for _ in range(3)]
    assert [start[0] for start in lab.started()] == names[:2]
    assert lab.reason(names[2]) == "2 CPU jobs run on this server (kim 2)"
    lab = Rounds(server("gpu1", []), cpu_jobs=0)
    assert lab.reason(lab.add()) == "gpu1 takes no CPU jobs"


def test_the_gpus_that_servers_toml_names_are_taken_in_its_order() -> None:
    lab = Rounds(server("gpu1", eight({})), gpus=[5, 2, 6])
    jobs = [lab.add() for _ in range(4)]
    assert [start[2] for start in lab.started()] == [[5], [2], [6]]
    assert lab.reason(jobs[3]) == "all 3 GPUs in use (kim 3)"
    assert lab.placement.never(["gpu1"], Resources(gpus=4)) == "gpu1 has 3 GPUs for jobs, 4 are needed"
    assert lab.placement.never(["gpu1"], Resources(gpus=3)) == ""
    assert (
        lab.placement.never(["gpu1"], Resources(gpu_memory_gib=100))
        == "no GPU of gpu1 has 100 GiB: the largest has 80 GiB"
    )


def test_gpus_that_are_gone_are_waited_for() -> None:
    lab = Rounds(server("gpu1", []), gpus=[0, 1])
    assert lab.reason(lab.add()) == "GPU 0, GPU 1 missing"
    lab = Rounds(server("gpu1", [gpu(0, ["lee"]), gpu(1)]), gpus=[0, 9])
    assert lab.reason(lab.add()) == "GPU 9 missing; 1 of 1 GPU in use (lee 1)"
    gone = (KnownGpu(uuid="GPU-3", index=3),)
    lab = Rounds(server("gpu1", []).model_copy(update={"missing_gpus": gone}))
    assert lab.reason(lab.add()) == "GPU 3 missing"
    lab = Rounds(server("gpu1", [gpu(0)]), gpus=[])
    job = lab.add()
    assert lab.started() == [(job, "gpu1", [])]  # no GPU is for jobs there


def test_a_job_with_several_gpus_gets_them_on_one_server() -> None:
    lab = Rounds(server("gpu1", [gpu(0), gpu(1)]), server("gpu2", eight({0: ["lee"]})))
    job = lab.add(servers=(ANY,), gpus=4)
    assert lab.started() == [(job, "gpu2", [1, 2, 3, 4])]
    another = lab.add(where="gpu2", gpus=4)
    assert lab.reason(another) == "3 of 8 GPUs free, 4 needed; 5 of 8 GPUs in use (kim 4, lee 1)"


def test_jobs_share_a_gpu_as_far_as_servers_toml_and_their_promises_allow() -> None:
    lab = Rounds(server("gpu1", [gpu(0), gpu(1)]), jobs_per_gpu=2)
    jobs = [lab.add(gpu_memory_gib=30) for _ in range(3)]
    assert [start[2] for start in lab.started()] == [[0], [1], [0]]  # an empty GPU before a shared one
    large = lab.add(gpu_memory_gib=60)
    assert lab.reason(large) == "1 of 2 GPUs in use (kim 2); GPU 1 has 50 GiB left, 60 are needed"
    lab.statuses["gpu1"] = server("gpu1", [gpu(0, jobs=[jobs[0], jobs[2]]), gpu(1, ["lee"], [jobs[1]])])
    assert lab.reason(large) == "both GPUs in use (kim 3, lee 1)"  # a foreign process came


def test_readings_that_still_show_a_job_that_ended_keep_no_gpu_from_the_next_one() -> None:
    lab = Rounds(server("gpu1", [gpu(0)]))
    first = lab.add()
    lab.round()
    lab.statuses["gpu1"] = server("gpu1", [gpu(0, jobs=[first])])
    lab.jobs.clear()
    second = lab.add("lee")
    assert lab.started() == [(second, "gpu1", [0])]
    lab = Rounds(server("gpu1", [gpu(0, jobs=["rffffff"])]))  # of another backend
    assert lab.reason(lab.add()) == "the GPU is in use (backend)"


def test_a_gpu_that_was_in_use_in_the_reading_before_is_not_taken_yet() -> None:
    lab = Rounds(server("gpu1", [gpu(0, unused_seconds=3)]))
    job = lab.add()
    assert lab.reason(job) == "GPU 0 was in use a moment ago"


def test_an_instance_of_a_divided_gpu_is_given_by_its_own_uuid() -> None:
    lab = Rounds(server("gpu1", [divided(0, [["lee"], []])]))
    job, other, both = lab.add(), lab.add(), lab.add(gpus=2)
    starts = lab.round()
    assert [(start.job.id, start.gpus[0].uuid) for start in starts] == [(job, "MIG-0-1")]
    assert lab.reasons[other] == "both GPUs in use (kim 1, lee 1)"
    assert both in lab.reasons


def test_any_takes_the_best_server() -> None:
    lab = Rounds(
        server("gpu1", [gpu(0), gpu(1, ["lee"])]),
        server("gpu2", [gpu(0), gpu(1)]),
        server("gpu3", [gpu(0), gpu(1), gpu(2)], State.OVERLOADED),
        server("gpu4", [gpu(0), gpu(1), gpu(2)]),
    )
    lab.held["gpu4", "kim"] = OthersHold("gpu4 is reserved by park")
    jobs = [lab.add(servers=(ANY,)) for _ in range(5)]
    assert [start[1] for start in lab.started()] == ["gpu2", "gpu1", "gpu2"]
    assert lab.reason(jobs[4]) == (
        "gpu1: both GPUs in use (kim 1, lee 1); gpu2: both GPUs in use (kim 2); gpu3 is overloaded: why; "
        "and 1 more"
    )
    chosen = lab.add(servers=("gpu1", "gpu9"))
    assert "gpu9 takes no trainings any more" in lab.reason(chosen)


def test_the_person_with_the_fewest_running_is_next() -> None:
    lab = Rounds(server("gpu1", eight({})), gpus=[0, 1, 2])
    kims = [lab.add("kim") for _ in range(36)]
    lees = [lab.add("lee") for _ in range(2)]
    assert [start[0] for start in lab.started()] == [kims[0], lees[0], kims[1]]
    lab.jobs = [job for job in lab.jobs if job.id != kims[0]]
    assert [start[0] for start in lab.started()] == [lees[1]]  # each has one: kim's started later
    lab.jobs = [job for job in lab.jobs if job.id != kims[1]]
    assert [start[0] for start in lab.started()] == [kims[2]]


def test_where_one_job_runs_at_a_time_people_take_turns() -> None:
    lab = Rounds(server("gpu1", [gpu(0)]))
    kims = [lab.add("kim") for _ in range(36)]
    order = [lab.started()[0][0]]
    lees, parks = [lab.add("lee") for _ in range(2)], [lab.add("park")]
    for _ in range(5):
        lab.jobs = [job for job in lab.jobs if job.id != order[-1]]
        order.append(lab.started()[0][0])
    assert order == [kims[0], lees[0], parks[0], kims[1], lees[1], kims[2]]


def test_a_person_on_the_page_and_at_the_command_line_is_one() -> None:
    lab = Rounds(server("gpu1", [gpu(0)]))
    alternately = ("lee", "Lee (self-declared)")
    lees = [lab.add(alternately[number % 2]) for number in range(4)]
    kims = [lab.add("kim") for _ in range(2)]
    order = [lab.started()[0][0]]
    for _ in range(4):
        lab.jobs = [job for job in lab.jobs if job.id != order[-1]]
        order.append(lab.started()[0][0])
    assert order == [lees[0], kims[0], lees[1], kims[1], lees[2]]
    assert lab.reason(lees[3]) == "the GPU is in use (lee)"
    lab = Rounds(server("gpu1", [*eight({0: ["lee"]})]), gpus=[0, 1, 2])
    lab.held["gpu1", "lee"] = OthersHold(gpus={2: "park"})
    lees = [lab.add(person) for person in ("Lee (self-declared)", "lee", "Kim (self-declared)")]
    assert lab.started() == [(lees[0], "gpu1", [1]), (lees[2], "gpu1", [2])]
    assert lab.reason(lees[1]) == "all 3 GPUs in use (Kim 1, lee 2)"
    lab = Rounds(server("gpu1", [gpu(0)]), jobs_per_gpu=2)
    for person in (*alternately, "kim (self-declared)"):
        lab.add(person)
    assert len(lab.started()) == 2
    assert lab.reason(lab.add("lee")) == "the GPU is in use (lee, kim)"
    lab = Rounds(server("gpu1", []))
    lab.add("Lee (self-declared)")
    lab.round()
    assert lab.reason(lab.add("kim")) == "a CPU job of Lee runs on this server"


def test_a_job_put_first_overtakes_and_keeps_the_gpus_that_become_free() -> None:
    lab = Rounds(server("gpu1", [gpu(0), gpu(1)]))
    small = [lab.add("lee") for _ in range(4)]
    lab.round()
    large = lab.add("kim", gpus=2, put_first=Decision(by="park", at=examples.NOON))
    lab.jobs = [job for job in lab.jobs if job.id != small[0]]
    assert lab.started() == []
    assert lab.reasons[small[2]] == f"waits behind {large}, which park put first"
    lab.jobs = [job for job in lab.jobs if job.id != small[1]]
    assert lab.started() == [(large, "gpu1", [0, 1])]
    lab = Rounds(server("gpu1", [gpu(0), gpu(1, ["lee"])]))
    lab.add("kim", gpus=2, put_first=Decision(by="park", at=examples.NOON))
    other = lab.add("lee")
    assert lab.started() == [(other, "gpu1", [0])]  # it would wait for what may never come


def test_a_paused_sweep_starts_nothing() -> None:
    lab = Rounds(server("gpu1", [gpu(0)]))
    job = lab.add(sweep="s1")
    lab.paused = {"s1": "lee"}
    assert lab.reason(job) == "paused by lee"


def test_the_limits_of_the_server_are_given_to_its_jobs() -> None:
    lab = Rounds(server("gpu1", [gpu(0)]), threads=4, memory_gib=32, hours=2)
    lab.add()
    assert lab.round()[0].limits == Limits(threads=4, memory_gib=32, hours=2)
    lab = Rounds(server("gpu1", [gpu(0)]))
    lab.add()
    assert lab.round()[0].limits is None


def share(lab: Rounds) -> list[int | None]:
    """The processors of each job that starts in a round; None: all."""
    return [start.limits.threads if start.limits else None for start in lab.round()]


def test_trainings_of_sweeps_share_the_processors() -> None:
    lab = Rounds(server("gpu1", [], cpu_count=4))
    cells = [lab.add(sweep="s1") for _ in range(6)]
    assert share(lab) == [1, 1, 1, 1]
    assert lab.reason(cells[4]) == "4 CPU jobs run on this server (kim 4)"
    lab.jobs = lab.jobs[1:]
    assert share(lab) == [1]
    lab = Rounds(server("gpu1", [], cpu_count=4))
    lab.add(sweep="s1")
    assert share(lab) == [None]
    lab.add(sweep="s1")
    assert share(lab) == []
    lab.jobs = [job for job in lab.jobs if job.state is JobState.QUEUED]
    lab.add("lee", sweep="s2")
    assert share(lab) == [2, 2]
    lab.add(sweep="s1")
    assert share(lab) == []
    # A colleague has nine tenths of the memory: 6 GiB are left, then 10.
    for memory_gib, shares in ((64, [None]), (100, [2, 2])):
        lab = Rounds(server("gpu1", [], cpu_count=4, memory_gib=memory_gib, memory_used=0.9))
        for _ in range(3):
            lab.add(sweep="s1")
        assert share(lab) == shares
        assert share(lab) == []


@pytest.mark.parametrize("limits", [{"cpu_jobs": 1}, {"threads": 2}])
def test_people_who_limit_the_jobs_of_a_server_decide_how_many_there_are(limits: dict[str, int]) -> None:
    lab = Rounds(server("gpu1", [], cpu_count=4), **limits)
    for _ in range(2):
        lab.add(sweep="s1")
    assert share(lab) == [limits.get("threads")]


def test_trainings_of_a_sweep_let_a_job_of_another_person_have_all_processors() -> None:
    lab = Rounds(server("gpu1", [], cpu_count=2))
    cells = [lab.add(sweep="s1") for _ in range(4)]
    assert len(lab.started()) == 2
    other = lab.add("lee")
    lab.jobs = [job for job in lab.jobs if job.id != cells[0]]
    assert lab.started() == []
    assert lab.reasons == {
        other: "a CPU job of kim runs on this server",
        cells[2]: f"waits behind {other}",
        cells[3]: f"waits behind {other}",
    }
    lab.jobs = [job for job in lab.jobs if job.id != cells[1]]
    assert lab.started() == [(other, "gpu1", [])]
    assert lab.reason(cells[2]) == "a CPU job of lee runs on this server"


@pytest.mark.parametrize("is_long", [True, False])
def test_a_sweep_on_the_processors_holds_up_no_job_of_a_person_with_jobs_on_gpus(*, is_long: bool) -> None:
    lab = Rounds(server("gpu1", [gpu(0)], cpu_count=1))
    cells = [lab.add("kim", sweep="s1", gpus=0) for _ in range(40)]
    lab.round()
    lab.add("lee")
    lab.round()
    waits = lab.add("lee", gpus=0)
    if not is_long:  # the next one starts now
        lab.jobs = [job for job in lab.jobs if not job.has_gpus]
        lab.add("lee")
        lab.round()
        lab.jobs = [job for job in lab.jobs if not job.has_gpus]
    lab.jobs = [job for job in lab.jobs if job.id != cells[0]]
    assert lab.started() == [(waits, "gpu1", [])]


def test_a_job_that_waits_for_the_processors_is_passed_at_most_once_by_each_other_person() -> None:
    lab = Rounds(server("gpu1", [], cpu_count=4))
    lab.add("lee")
    lab.round()
    for person in ("kim", "park") * 20:
        lab.add(person, sweep=f"s{person}")
    lab.jobs = lab.jobs[1:]
    running = [start.job.id for start in lab.round()]
    waits = lab.add("lee")
    for _ in range(2):
        lab.add("max", sweep="smax")  # who had no job there before
    before: list[str] = []
    while waits not in running:
        ended, *running = running
        lab.jobs = [job for job in lab.jobs if job.id != ended]
        starts = lab.round()
        running += [start.job.id for start in starts]
        before += [start.job.person for start in starts]
    assert before == ["max", "lee"]


def test_no_processor_is_kept_for_trainings_that_wait_behind_a_job_that_runs_alone() -> None:
    lab = Rounds(server("gpu1", [], cpu_count=4))
    for _ in range(2):
        lab.add("kim", sweep="s1")
    lab.add("lee")
    lab.add("park", sweep="s2")
    assert share(lab) == [None]  # lee's is next, and waits until this one has ended
    lab = Rounds(server("gpu1", [], cpu_count=4))
    lab.add("kim", sweep="s1")
    lab.add("park", sweep="s2")
    lab.add("lee")
    lab.add("kim", sweep="s1")
    assert share(lab) == [2, 2]
    lab = Rounds(server("gpu1", [], cpu_count=4))
    for _ in range(4):
        lab.add("kim", sweep="s1")
    lab.add("lee")
    lab.held["gpu1", "lee"] = OthersHold(server="reserved by park")
    assert share(lab) == [1, 1, 1, 1]


def test_a_cpu_job_that_was_put_first_lets_jobs_with_gpus_start() -> None:
    lab = Rounds(server("gpu1", [gpu(0)]))
    lab.add(gpus=0)
    assert len(lab.started()) == 1
    lab.add(gpus=0, put_first=Decision(by="park", at=examples.NOON))
    other = lab.add("lee")
    assert lab.started() == [(other, "gpu1", [0])]


def test_a_training_of_an_older_release_may_use_every_gpu() -> None:
    lab = Rounds(server("gpu1", [gpu(0), gpu(1)]))
    lab.add("lee", state=JobState.RUNNING)
    assert lab.reason(lab.add()) == "both GPUs in use (lee 2)"


def test_a_server_where_a_start_failed_rests_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    lab = Rounds(server("gpu1", [gpu(0)]))
    job = lab.add()
    lab.placement.start_failed("gpu1", "The disk is full.")
    assert lab.reason(job) == "The disk is full."
    monkeypatch.setattr(rules, "_START_PAUSE_SECONDS", 0)
    lab.placement.start_failed("gpu1", "The disk is full.")
    assert lab.started() == [(job, "gpu1", [0])]


def taken(now: Sequence[GpuReading], assigned: AssignedGpu | None = None) -> str:
    lab = Rounds(server("gpu1", [gpu(0)]))
    lab.add()
    lab.round()
    job = lab.jobs[0]
    job = job.model_copy(update={"assigned": (assigned,)}) if assigned else job
    return lab.placement.taken(job, server("gpu1", now))


def test_what_took_the_gpu_of_a_job_that_is_about_to_start_is_named() -> None:
    assert taken([gpu(0)]) == ""
    assert taken([gpu(0, jobs=["r000000"])]) == ""
    assert taken([gpu(0, ["park"])]) == "GPU 0 was taken by park when the job was to start"
    assert taken([gpu(0, fault="not answering")]) == "GPU 0 not answering when the job was to start"
    assert taken([gpu(1)]) == "GPU 0 was not there when the job was to start"
    assert taken([divided(0, [["lee"], []])], AssignedGpu(uuid="MIG-0-0", index=0)).startswith(
        "GPU 0 was taken by lee"
    )
