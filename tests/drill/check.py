"""What must be true once a drill is over."""

import re
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import closing

from backend.jobs.job import Job, JobState
from backend.service.wiring import Sheetrack
from models.program_reader import read_any_result, read_exit
from models.run_folder import RunFolder
from models.run_reader import BrokenRunError
from tests.drill.lab import Lab
from tests.drill.launches import Launch

_SHEET_SECONDS = 120


def check(lab: Lab, launches: Sequence[Launch]) -> tuple[list[str], int]:
    """What is wrong, and how many results there are."""
    with closing(Sheetrack(lab.home)) as parts:
        jobs = {job.id: job for job in parts.jobs.finished_jobs(1000)}
        results = Counter(result.run for result in parts.jobs.results())
        problems = [
            f"job {job.id} is still {job.state}: {job.reason}" for job in parts.jobs.unfinished_jobs()
        ]
        ours = {launch.job for launch in launches}
        problems += [f"no person launched job {job}" for job in jobs.keys() - ours]
        for launch in launches:
            if not launch.job:
                problems.append(f"{launch.name} could not be launched")
            elif launch.job in jobs:
                problems += _check_job(lab, launch, jobs[launch.job], results[launch.job])
        problems += [f"run {run} has a result and no job" for run in results.keys() - ours]
        problems += _check_sheet(parts, jobs)
    problems += [f"Google was asked wrongly: {fault}" for fault in dict.fromkeys(lab.sheet.faults)]
    return problems, results.total()


def _check_job(lab: Lab, launch: Launch, job: Job, results: int) -> list[str]:
    who = f"job {job.id} ({launch.name}, {launch.kind})"
    problems = []
    if job.requested_by != launch.person:
        problems.append(f"{who} is of {job.requested_by}, not of {launch.person}")
    if results != (job.state is JobState.DONE):
        problems.append(f"{who} is {job.state} and has {results} results")
    if job.state is not launch.end and not launch.touched:
        problems.append(f"{who} is {job.state} though nothing happened to it: {job.reason}")
    if job.state is not JobState.DONE and not job.reason:
        problems.append(f"{who} is {job.state} without a reason")
    if job.state is JobState.DONE:
        problems += [f"{who} is done, and {fault}" for fault in _faults_of_run(lab, launch, job)]
    return problems


def _faults_of_run(lab: Lab, launch: Launch, job: Job) -> list[str]:
    folder = RunFolder(lab.home.runs / job.id)
    needed = [folder.log_file]
    if launch.trains:
        needed += [folder.recipe_file, folder.environment_file, folder.predictions_file, folder.result_file]
    else:
        needed += [folder.command_file, folder.exit_file]
    faults = [f"has no {file.name}" for file in needed if not file.is_file()]
    try:
        if read_any_result(folder) is None:
            faults.append("its result is not there")
        ended = None if launch.trains else read_exit(folder)
        if ended and not ended.is_success:
            faults.append(f"its program ended so: {ended.in_words}")
    except BrokenRunError as error:
        faults.append(str(error))
    if launch.epochs:
        lines = folder.history_file.read_text().splitlines() if folder.history_file.exists() else []
        # A program that starts again after the disk was full has no checkpoint: it writes all its lines again.
        is_whole = len(lines) == launch.epochs or (launch.touched and not launch.trains)
        if not is_whole:
            faults.append(f"its history has {len(lines)} lines instead of {launch.epochs}")
    return faults


def _check_sheet(parts: Sheetrack, jobs: dict[str, Job]) -> list[str]:
    """Waits a while until the spreadsheet shows each job as it ended, and each result once."""
    states = {job.id: job.state.value for job in jobs.values()}
    done = Counter(job for job, state in states.items() if state == JobState.DONE)
    sheet, until = parts.google(), time.monotonic() + _SHEET_SECONDS
    while True:
        header, *rows = sheet.read("Jobs")
        # The reason of a state follows it.
        shown = {str(row[0]): re.split(r"\W", str(row[header.index("State")]))[0] for row in rows}
        firsts = [str(row[0]) for row in sheet.read("Results")]
        results = Counter(firsts[firsts.index("Run") + 1 :])  # above the header stands what all runs share
        if (shown, results) == (states, done):
            return []
        if time.monotonic() > until:
            wrong = sorted(job for job, state in states.items() if shown.get(job) != state)
            extra = sorted((results - done) + (done - results))
            return [f"the spreadsheet is not as the store: jobs {wrong}, results {extra}"]
        time.sleep(1)
