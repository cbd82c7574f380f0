"""The data on this machine that trainings can be given."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from backend.errors import InvalidError
from backend.jobs.result import trainings
from backend.jobs.store import JobStore
from backend.settings import Home
from models import places

_LATEST_RESULTS = 100


class DataSet(BaseModel):
    """Data that a training can be given."""

    model_config = ConfigDict(frozen=True)

    name: str
    """What a recipe calls it: its name below the home's data folder, elsewhere its path."""
    path: str
    synthetic: bool | None
    """None: not known before a run has read it."""


def data_folder(home: Home, data: str, start: Path | None = None) -> Path:
    """The folder on this machine that a recipe's `data` means; a relative path begins at `start`.

    Raises:
        InvalidError: there is no such folder.
    """
    folder = places.data_folder(data, home.path, start)
    if folder is None:
        raise InvalidError(
            f"There is no data folder {data!r} on this machine.",
            "Give a folder's full path, or make one with `sheetrack data prepare`.",
        )
    return folder


def check_elsewhere(server: str, data: str) -> None:
    """Accepts a name or a full path; whether it exists on another server, only a job there finds out.

    Raises:
        InvalidError: `data` cannot mean the same folder from everywhere.
    """
    if not places.is_name(data) and not Path(data).is_absolute():
        raise InvalidError(
            f"{data!r} does not say where the data lies on {server}.",
            "Give the folder's full path there, or the name of a data set below its home.",
        )


def data_sets(home: Home, store: JobStore) -> list[DataSet]:
    """Those prepared below the home, then those that finished runs were trained on."""
    sets = {}
    for folder in sorted(home.data.glob("*/")):
        synthetic = True if (folder / "synthetic.json").exists() else None
        sets[str(folder)] = DataSet(name=folder.name, path=str(folder), synthetic=synthetic)
    for _, training in trainings(store.results(limit=_LATEST_RESULTS)):
        facts, path = training.data, training.recipe.data
        if path in sets:
            sets[path] = sets[path].model_copy(update={"synthetic": facts.synthetic})
        elif Path(path).is_dir():
            sets[path] = DataSet(name=path, path=path, synthetic=facts.synthetic)
    return list(sets.values())
