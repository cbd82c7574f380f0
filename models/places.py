"""Where everything lies: the home, and the folder that a recipe's `data` means. Needs no torch."""

import os
from pathlib import Path


def home() -> Path:
    """SHEETRACK_HOME, or the platform's folder for user data."""
    chosen = os.environ.get("SHEETRACK_HOME")
    if not chosen:
        import platformdirs  # noqa: PLC0415 - most homes are named

        chosen = platformdirs.user_data_dir("sheetrack", appauthor=False)
    return expanded(chosen).absolute()


def expanded(path: str | Path) -> Path:
    """The path with `~` as a home directory; the same path where there is no such user."""
    return Path(os.path.expanduser(path))  # noqa: PTH111 - Path.expanduser raises where there is no such user


def data_sets(home: Path) -> Path:
    """The folder of the data sets that a recipe can name."""
    return home / "data"


def architectures(home: Path) -> Path:
    """The folder of the lab's own networks, a file each."""
    return home / "architectures"


def data_folder(data: str, home: Path, start: Path | None = None) -> Path | None:
    """The folder that a recipe's `data` means, None where there is no such folder.

    A name means the data set of that name in the home. Where the home has none, and for everything that
    is no name, such as `./tones`, it is a path. A relative path begins at `start`, the folder in which
    a person types a command; without `start` it means nothing.
    """
    named = data_sets(home) / data
    if is_name(data) and _is_folder(named):
        return named
    path = expanded(data)
    if not path.is_absolute():
        if start is None:
            return None
        path = start / path
    return path.absolute() if _is_folder(path) else None


def is_name(data: str) -> bool:
    """Whether `data` can name a data set in the home."""
    return data not in ("", "..") and Path(data).name == data


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):  # too long for a name, or below a folder that may not be entered
        return False
