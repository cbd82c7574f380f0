"""The add-on's real files against the real backend."""

from collections.abc import Iterator
from typing import Any

import pytest

from backend.jobs.job import JobState
from backend.jobs.sweep import Grid
from backend.servers.server import this_machine
from backend.servers.state import State
from backend.service.serving import serving
from backend.service.wiring import Sheetrack
from backend.settings import Home
from backend.times import now
from models.recipe import Recipe
from models.run_folder import RunFolder
from tests.apps_script.add_on import answer, finish, opened, run, start
from tests.jobs import swept
from tests.page.lab import TOKEN, Lab
from tests.page.runs import FIGURES, RUN, draw_figures
from tests.patience import wait_until
from tests.speech import write_words


@pytest.fixture
def lab(home: Home) -> Lab:
    return Lab(home)


@pytest.fixture
def world(lab: Lab) -> Iterator[dict[str, Any]]:
    with lab.serving() as address:
        yield {"address": f"{address}/", "token": TOKEN}


def test_the_sidebar_gets_servers_and_jobs_in_one_call(world: dict[str, Any], lab: Lab) -> None:
    sidebar = answer(["getSidebar"], **world)
    assert [server["name"] for server in sidebar["servers"]] == ["gpu2", "gpu1", "gpu5", "gpu3", "gpu4"]
    assert [job["id"] for job in sidebar["jobs"]] == ["r000001", "r000002", RUN, "r000003"]
    assert sidebar["sweeps"] == []
    assert lab.requests == ["GET /api/sidebar"]
    waiting = next(job for job in sidebar["jobs"] if job["state"] == "queued")
    assert (waiting["requested_by"], waiting["place_in_queue"]) == ("kim", 1)


def test_the_sidebar_is_told_how_far_sweeps_are_without_their_cells(world: dict[str, Any], lab: Lab) -> None:
    sweep = lab.add_sweep()
    (standing,) = answer(["getSidebar"], **world)["sweeps"]
    assert standing == {
        "id": sweep.id,
        "server": "gpu2",
        "architecture": "ch32",
        "done": 1,
        "trainings": 4,
        "paused_by": None,
        "cancelling": 0,
        "preparing": "",
        "is_over": False,
        "fault": "1 failed: the disk is full",
    }
    for job in lab.jobs.unfinished_jobs():
        lab.jobs.change_job(job, state=JobState.CANCELLED, ended_at=now())
    (standing,) = answer(["getSidebar"], **world)["sweeps"]
    assert standing["is_over"]


def test_choices_are_networks_data_and_the_fields_of_the_form(world: dict[str, Any]) -> None:
    choices = answer(["getChoices"], **world)
    assert {"ch32", "ch64", "ch128", "base", "vgg"} <= {
        network["architecture"] for network in choices["architectures"]
    }
    assert [data["name"] for data in choices["data"]] == ["speech16"]
    recipe, grid = choices["form"]["recipe"], choices["form"]["grid"]
    shared = ("architecture", "dropout", "batch_norm", "epochs")
    assert {name: recipe[name]["default"] for name in shared} == Recipe(data="x").model_dump(
        include=set(shared)
    )
    assert (recipe["epochs"]["minimum"], recipe["epochs"]["maximum"]) == (1, 1000)
    assert grid["seeds"]["default"] == Grid(depths=(1,)).seeds


def test_two_launches_at_once_with_one_key_are_one_job(world: dict[str, Any], lab: Lab) -> None:
    before = len(lab.jobs.unfinished_jobs())
    recipe = {"architecture": "ch32", "depth": 8, "data": "speech16"}
    request = {"key": "0123456789abcdef", "server": "gpu2", "recipe": recipe}
    processes = [start(["launchTraining", request], **world) for _ in range(3)]
    launched = [finish(process)["results"][0]["answer"]["id"] for process in processes]
    assert len(set(launched)) == 1
    assert len(lab.jobs.unfinished_jobs()) == before + 1
    other = answer(["launchTraining", request | {"key": "another-key"}], **world)
    assert other["id"] != launched[0]


def test_a_launch_while_another_is_under_way_waits_its_turn(world: dict[str, Any], lab: Lab) -> None:
    request = {"key": "0123456789abcdef", "server": "gpu2", "recipe": {"data": "speech16"}}
    (result,) = run(["launchTraining", request], **world, lock_is_free=False)["results"]
    assert result["fault"].startswith("Another launch of yours is in progress.")
    assert lab.requests == []


def test_a_grid_is_queued_once_and_grows(world: dict[str, Any], lab: Lab) -> None:
    grid = {"depths": [7, 8], "dropouts": [0.25], "batch_norms": [False, True], "seeds": 1}
    request = {"server": "gpu2", "recipe": {"architecture": "ch32", "data": "speech16"}, "grid": grid}
    wider = request | {"grid": grid | {"depths": [8, 9]}}
    calls: list[list[Any]] = [["launchSweep", request], ["launchSweep", request], ["launchSweep", wider]]
    results = run(*calls, **world)["results"]
    assert [result["answer"]["queued"] for result in results] == [4, 0, 2]
    (sweep,) = lab.jobs.sweeps()
    assert len(lab.jobs.jobs_of(sweep.id)) == 6
    too_large = request | {"grid": grid | {"seeds": 21}}
    (refused,) = run(["launchSweep", too_large], **world)["results"]
    assert "seeds" in refused["fault"]


def test_a_sweep_is_paused_and_goes_on(world: dict[str, Any], lab: Lab) -> None:
    sweep = lab.add_sweep()
    assert run(["pauseSweep", sweep.id, True], **world)["results"] == [{"answer": None}]
    assert lab.jobs.sweeps()[0].paused_by
    assert run(["pauseSweep", sweep.id, False], **world)["results"] == [{"answer": None}]
    assert lab.jobs.sweeps()[0].paused_by is None


def test_a_sweep_is_preparing_until_its_data_is_read_or_says_why_not(world: dict[str, Any], lab: Lab) -> None:
    sweep = lab.jobs.add_sweep(swept.sweep(data=None, preparing="reading the data, 1,000 of 5,000 clips"))
    (standing,) = answer(["getSidebar"], **world)["sweeps"]
    assert (standing["preparing"], standing["is_over"]) == (sweep.preparing, False)
    lab.jobs.change_sweep(sweep.id, preparing="", fault="It has no words.")
    (standing,) = answer(["getSidebar"], **world)["sweeps"]
    assert (standing["preparing"], standing["fault"], standing["is_over"]) == ("", "It has no words.", True)


def test_all_of_a_sweep_is_cancelled(world: dict[str, Any], lab: Lab) -> None:
    sweep = lab.add_sweep()
    calls: list[list[Any]] = [["cancelSweep", sweep.id], ["cancelSweep", sweep.id], ["getSidebar"]]
    standing = answer(*calls, **world)["sweeps"][0]
    assert (standing["cancelling"], standing["is_over"]) == (1, False)
    assert [job.state.value for job in lab.jobs.jobs_of(sweep.id)] == [
        "done",
        "cancelling",
        "failed",
        "cancelled",
    ]


def test_servers_are_kept_from_being_taken_and_given_back(world: dict[str, Any], lab: Lab) -> None:
    run(["setMaintenance", "gpu2", "new disk"], **world)
    verdict = lab.current()[0].verdict
    assert (verdict.state, verdict.reason) == (State.MAINTENANCE, "new disk")
    results = run(["setMaintenance", "gpu2", ""], ["setMaintenance", "gpu2", ""], **world)["results"]
    assert results == [{"answer": None}] * 2
    assert lab.current()[0].verdict.state is State.IDLE


def test_the_menu_has_the_servers_read(world: dict[str, Any], lab: Lab) -> None:
    seen = run(["refreshNow"], **world)
    assert lab.requests == ["POST /api/refresh"]
    assert seen["toasts"] == ["Take gpu2. 1 idle, 1 busy, 1 full, 1 overloaded, 1 down."]
    assert [reading.server for reading in lab.readings.between("gpu2", lab.servers[0].seen_at or now())]
    stranger = run(["refreshNow"], **world | {"token": "wrong"})
    assert stranger["alerts"][0].startswith("This address needs its token.")


def test_a_job_is_cancelled(world: dict[str, Any], lab: Lab) -> None:
    assert answer(["cancelJob", "r000002"], **world)["state"] == "cancelled"
    assert lab.jobs.job("r000002").state is JobState.CANCELLED


def test_refusals_are_said_in_the_backend_s_words(world: dict[str, Any]) -> None:
    request = {"key": "0123456789abcdef", "server": "gpu2", "recipe": {"data": "speech16", "epochs": -1}}
    calls: list[list[Any]] = [
        ["cancelJob", "../../servers"],
        ["cancelJob", "r999999"],
        ["launchTraining", request],
    ]
    faults = [result["fault"] for result in run(*calls, **world)["results"]]
    assert faults[0].startswith("There is nothing at this address.")
    assert "r999999" in faults[1]
    assert "epochs" in faults[2]
    (stranger,) = run(["getSidebar"], **world | {"token": "wrong"})["results"]
    assert stranger["fault"].startswith("This address needs its token.")


def test_figures_appear_beside_the_cell_and_replace_their_elders(world: dict[str, Any]) -> None:
    cell = {"row": 3, "column": 2, "text": f"Run {RUN}", "tab": "Notes"}
    seen = run(["showRunHere"], ["showRunHere"], **world, cell=cell)
    assert seen["alerts"] == []
    assert [image["title"] for image in seen["images"]] == [f"Sheetrack {RUN} {name}" for name in FIGURES]
    assert seen["images"][0]["description"] == f"confusion matrix of run {RUN}"
    assert [(image["column"], image["row"]) for image in seen["images"]] == [(3, 3), (3, 24)]
    assert all(image["bytes"] > 100 for image in seen["images"])


@pytest.mark.parametrize("rows", [10, 24, 1000])
def test_pictures_never_overlap_and_stay_within_the_sheet(world: dict[str, Any], rows: int) -> None:
    cell = {"row": rows, "column": 26, "text": f"Run {RUN}", "tab": "Notes"}
    seen = run(["showRunHere"], ["showRunHere"], **world, cell=cell, rows=rows)
    assert seen["alerts"] == []
    places = [(image["column"], image["row"]) for image in seen["images"]]
    assert places == [(26, rows), (26, rows + 21)]


def test_without_a_selected_cell_the_run_is_asked_for(world: dict[str, Any]) -> None:
    seen = run(["showRunHere"], **world, has_active_cell=False, answers=[RUN])
    assert [image["row"] for image in seen["images"]] == [1, 22]


def test_the_old_picture_stays_until_the_new_one_is_in(world: dict[str, Any], lab: Lab) -> None:
    cell = {"row": 3, "column": 2, "text": RUN, "tab": "Notes"}
    with opened(**world, cell=cell) as sheet:
        sheet.choose("showRunHere")
        before = sheet.seen()["images"]
        sheet.change(images_fail=True)
        sheet.choose("showRunHere")
        assert sheet.seen()["images"] == before
        assert sheet.seen()["alerts"]


def test_one_figure_alone(world: dict[str, Any]) -> None:
    cell = {"row": 1, "column": 1, "text": "", "tab": f"Run {RUN}"}
    (image,) = run(["showFigureHere"], **world, cell=cell, answers=["2"])["images"]
    assert image["title"] == f"Sheetrack {RUN} {FIGURES[1]}"
    named = f"{FIGURES[0].replace('_', ' ').capitalize()}: Sheetrack > Show run here"
    (image,) = run(["showFigureHere"], **world, cell=cell | {"text": named})["images"]
    assert image["title"] == f"Sheetrack {RUN} {FIGURES[0]}"
    wrong = run(["showFigureHere"], **world, cell=cell, answers=["9"])
    assert (wrong["images"], wrong["alerts"][-1]) == ([], '"9" is none of the numbers 1 to 2.')
    assert run(["showFigureHere"], **world, cell=cell)["images"] == []


def test_a_run_can_be_named_by_its_tab_or_by_the_person(world: dict[str, Any]) -> None:
    cell = {"row": 1, "column": 1, "text": "", "tab": f"Run {RUN}"}
    assert len(run(["showRunHere"], **world, cell=cell)["images"]) == len(FIGURES)
    asked = run(["showRunHere"], **world, answers=[f" {RUN} "])
    assert len(asked["images"]) == len(FIGURES)
    assert run(["showRunHere"], **world)["images"] == []
    wrong = run(["showRunHere"], ["showRunHere"], **world, answers=["my run", "r999999"])
    assert wrong["images"] == []
    assert wrong["alerts"][1] == '"my run" names no run. The tab Results lists them, such as r3f2a9b.'
    assert wrong["alerts"][3].startswith("There is no run 'r999999'.")


def test_in_the_tab_of_a_comparison_its_picture_appears(world: dict[str, Any], lab: Lab) -> None:
    picture = lab.home.comparisons / "published:base" / f"{RUN}.png"
    picture.parent.mkdir(parents=True)
    drawn = lab.home.runs / RUN / "figures" / f"{FIGURES[0]}.png"
    picture.write_bytes(drawn.read_bytes())
    cell = {"row": 2, "column": 1, "text": "Accuracy", "tab": f"Compare published:base {RUN} (Sheetrack)"}
    (image,) = run(["showRunHere"], ["showRunHere"], **world, cell=cell)["images"]
    assert image["title"] == f"Sheetrack published:base {RUN}"
    assert image["description"] == f"comparison of published:base with {RUN}"
    assert image["bytes"] == picture.stat().st_size
    seen = run(["showRunHere"], **world, cell=cell | {"text": RUN})
    assert len(seen["images"]) == len(FIGURES)
    seen = run(["showRunHere"], **world, cell=cell | {"tab": "Compare a b"})
    assert seen["alerts"][0].startswith("There is no picture that compares 'a' with 'b'.")


def test_a_launch_ends_in_the_figures_beside_the_cell(home: Home) -> None:
    write_words(home.data / "tones")
    sheetrack = Sheetrack(home)
    recipe = {"architecture": "ch32", "depth": 4, "epochs": 1, "data": "tones"}
    request = {"key": "0123456789abcdef", "server": this_machine(), "recipe": recipe}
    with serving(sheetrack, 0) as opened:
        address, token = opened.split("?token=")
        world = {"address": address, "token": token}
        job = answer(["launchTraining", request], **world)["id"]
        wait_until(lambda: sheetrack.jobs.job(job).state.is_over)
        draw_figures(home.runs / job)
        jobs = {shown["id"]: shown["state"] for shown in answer(["getSidebar"], **world)["jobs"]}
        assert jobs == {job: "done"}
        cell = {"row": 1, "column": 1, "text": job, "tab": "Notes"}
        images = run(["showRunHere"], **world, cell=cell)["images"]
    drawn = RunFolder(home.runs / job).figures
    sizes = {f"Sheetrack {job} {file.stem}": file.stat().st_size for file in drawn.glob("*.png")}
    assert sizes
    assert {image["title"]: image["bytes"] for image in images} == sizes


def test_a_sweep_on_this_machine_is_queued_once_its_data_is_read(home: Home) -> None:
    write_words(home.data / "tones")
    sheetrack = Sheetrack(home)
    grid = {"depths": [8], "dropouts": [0.25], "batch_norms": [False, True], "seeds": 1}
    recipe = {"architecture": "ch32", "epochs": 1, "data": "tones"}
    request = {"server": this_machine(), "recipe": recipe, "grid": grid}
    sheetrack.maintenances.begin(this_machine(), "new disks", "lee")
    with serving(sheetrack, 0) as opened:
        address, token = opened.split("?token=")
        world = {"address": address, "token": token}
        assert answer(["launchSweep", request], **world) == {
            "queued": 0,
            "preparing": "waits until its data is read",
        }
        wait_until(lambda: len(sheetrack.jobs.unfinished_jobs()) == 2, "the queue")
        wait_until(lambda: len(sheetrack.jobs.sweeps()) == 1, "the end of the request")
        (standing,) = answer(["getSidebar"], **world)["sweeps"]
        assert (standing["preparing"], standing["is_over"], standing["trainings"]) == ("", False, 2)
