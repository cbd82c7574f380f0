"""The jobs of a drill."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from backend.jobs.job import JobState
from tests.drill.lab import Lab

PEOPLE = ("kim", "lee", "park")
_LINE = r"""echo "{\"epoch\": $e, \"loss\": 0.$e}" >> "$SHEETRACK_RUN/history.jsonl" """
_RESULT = """echo '{"f1": 0.9}' > "$SHEETRACK_RUN/result.json" """
_PROGRAMS = {
    "measures": f"for e in 1 2 3; do {_LINE}; sleep {{}}; done; {_RESULT}",
    "sleeps": "sleep {}",
    "fails": "sleep {}; exit 3",
    "does not end when asked": "trap '' TERM; sleep {}; sleep 1",
    "leaves a child": "sleep {} & echo started",
    "writes much": 'head -c 3000000 /dev/zero > "$SHEETRACK_RUN/weights.bin" && sleep {}',
}
_TRAINING = "trains"
_EPOCHS = 2


@dataclass
class Launch:
    """A job that a person launches."""

    name: str
    person: str
    kind: str
    server: str
    gpus: int
    seconds: float
    job: str = ""
    """Its id once it is launched."""
    touched: list[str] = field(default_factory=list)
    """What was done to it that may end it."""

    @property
    def trains(self) -> bool:
        return self.kind == _TRAINING

    @property
    def epochs(self) -> int:
        """How many lines its history has when it is done."""
        return {_TRAINING: _EPOCHS, "measures": 3}.get(self.kind, 0)

    @property
    def end(self) -> JobState:
        """How it ends where nothing happens to it."""
        return JobState.FAILED if self.kind == "fails" else JobState.DONE

    @property
    def words(self) -> list[str]:
        """The command line that launches it."""
        where = ["--name", self.name, "--server", self.server, "--gpus", str(self.gpus), "--json"]
        if self.trains:
            return ["launch", "ch32", "--depth", "1", "--epochs", str(_EPOCHS), "--data", "tones", *where]
        program = _PROGRAMS[self.kind].replace("{}", f"{self.seconds:.1f}")
        shell = [] if self.kind == "sleeps" else ["--shell"]
        return ["launch", "--command", program, "--folder", "/", *shell, *where]


def plan(chance: random.Random, count: int, trainings: int, servers: Sequence[str]) -> list[Launch]:
    """So many jobs, of which some train, in a random order."""
    programs = list(_PROGRAMS)
    kinds = [_TRAINING] * trainings + [programs[n % len(programs)] for n in range(count - trainings)]
    chance.shuffle(kinds)
    return [
        Launch(
            name=f"drill {number}",
            person=chance.choice(PEOPLE),
            kind=kind,
            server=chance.choice(servers),
            gpus=chance.choices((0, 1, 2), (3, 6, 1))[0],
            seconds=chance.uniform(0.5, 5),
        )
        for number, kind in enumerate(kinds, 1)
    ]


def launch(lab: Lab, wanted: Launch) -> bool:
    """Types the command; returns whether the job is launched. Where the answer was an error it may be so too."""
    answer = lab.command(wanted.person, *wanted.words)
    found = ids_of(lab, wanted.name)
    if answer.returncode == 0 and len(found) != 1:
        lab.watch.problem(f"{wanted.name} was launched, and stands {len(found)} times in the store")
    if found:
        wanted.job = found[0]
    return bool(found)


def ids_of(lab: Lab, name: str) -> list[str]:
    """The jobs with that name."""
    return [job for job, known in lab.names().items() if known == name]
