"""`python -m tests.drill`: runs a drill and prints its verdict as the last line."""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import deque
from pathlib import Path

from tests.drill.check import check
from tests.drill.faults import Faults
from tests.drill.lab import HERE, THERE, Lab, lab, states_in
from tests.drill.launches import Launch, launch, plan

_APART = "SHEETRACK_DRILL_APART"
"""Set once the drill runs in its own name space, where it may mount a small disk."""
_TRIES = 60
"""How often a launch is tried."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.drill", description=__doc__)
    parser.add_argument("--seed", type=int, default=None, help="repeats the jobs and faults of another drill")
    parser.add_argument("--jobs", type=int, default=40)
    parser.add_argument("--trainings", type=int, default=8, help="how many of the jobs train")
    parser.add_argument("--faults", type=int, default=50, help="how many at most")
    parser.add_argument("--gpus", type=int, default=4)
    parser.add_argument("--ray", action="store_true", help="with two more servers, on a real Ray")
    parser.add_argument("--minutes", type=float, default=15, help="after which it ends as failed")
    parser.add_argument("--keep", type=Path, help="an empty folder for all files, which are kept")
    options = parser.parse_args()
    if options.seed is None:
        options.seed = random.SystemRandom().randrange(10_000)
        sys.argv += ["--seed", str(options.seed)]
    _move_apart()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended"))  # what was started ends with it
    with tempfile.TemporaryDirectory(prefix="drill", ignore_cleanup_errors=True) as name:
        folder = options.keep or Path(name)
        folder.mkdir(exist_ok=True)
        sys.exit(0 if drill(options, folder) else 1)


def drill(options: argparse.Namespace, folder: Path) -> bool:
    """Prints what happens; returns whether nothing is wrong."""
    seed, began = options.seed, time.monotonic()
    until = began + 60 * options.minutes
    has_own_disk = os.environ.get(_APART) == "mounts"
    print(f"drill {seed}: repeat it with `make drill SEED={seed}`", flush=True)
    servers = [HERE, *THERE, "any", f"{HERE},{THERE[0]}"] if options.ray else [HERE]
    launches = plan(random.Random(f"{seed} jobs"), options.jobs, options.trainings, servers)
    with lab(
        folder, f"{seed}-{os.getpid()}", options.gpus, has_own_disk=has_own_disk, has_ray=options.ray
    ) as place:
        faults = Faults(place, random.Random(f"{seed} faults"), launches, has_own_disk=has_own_disk)
        _disturb(place, faults, launches, options, until)
        faults.heal()
        place.start_backend()
        while place.unfinished() and time.monotonic() < until:
            place.look_after_backend()
            place.note_readings()
            time.sleep(0.3)
        problems, results = check(place, launches)
        problems = [*place.watch.problems, *problems]
        what = ", ".join(f"{count} x {what}" for what, count in sorted(faults.counts.items()))
        for problem in problems:
            print(f"  WRONG: {problem}")
        told = "nothing lost, nothing doubled" if not problems else f"{len(problems)} things are WRONG"
        print(
            f"drill {seed}: {len(place.watch.states)} jobs ({states_in(place.watch.states)}), {results} results; "
            f"{what}; {place.watch.looks} looks at every process and GPU in {time.monotonic() - began:.0f} s: "
            f"{told}",
            flush=True,
        )
    return not problems


def _disturb(
    place: Lab, faults: Faults, launches: list[Launch], options: argparse.Namespace, until: float
) -> None:
    """Launches all jobs between faults, and goes on while many of them run."""
    chance = random.Random(f"{options.seed} order")
    waiting, tries, done = deque(launches), _TRIES, 0
    while waiting or (len(place.unfinished()) > options.jobs // 8 and done < options.faults):
        if time.monotonic() > until:
            return
        if waiting and (chance.random() < 0.5 or done >= options.faults):
            tries -= 1
            if launch(place, waiting[0]) or not tries:
                waiting.popleft()
                tries = _TRIES
        elif done < options.faults:
            faults.next()
            done += 1
        place.look_after_backend()
        place.note_readings()
        time.sleep(chance.uniform(0.1, 1))


def _move_apart() -> None:
    """Starts this program again in its own name space where the system allows it."""
    if _APART in os.environ:
        return
    words = ["unshare", "-rm"]
    can = not subprocess.run([*words, "true"], capture_output=True, check=False).returncode
    os.environ[_APART] = "mounts" if can else "mounts nothing"
    command = [sys.executable, "-m", "tests.drill", *sys.argv[1:]]
    os.execvp((words + command)[0] if can else command[0], [*words, *command] if can else command)


if __name__ == "__main__":
    main()
