"""Folders in the layout of Speech Commands v0.02: a folder a word, and two lists that name the held-out clips."""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple, get_args

from models import places
from models.data.audio import SUFFIXES
from models.data.errors import DataError
from models.recipe import WORDS

Split = Literal["training", "validation", "testing"]
SPLITS: tuple[Split, ...] = get_args(Split)
LISTS: dict[str, Split] = {"validation_list.txt": "validation", "testing_list.txt": "testing"}
INNER = Path("SpeechCommands", "speech_commands_v0.02")
"""Where torchaudio keeps the data set below the folder it is given."""


class ClipFile(NamedTuple):
    """A sound file: its path below the folder of words, its word, and the split it belongs to."""

    path: str
    word: str
    split: Split

    @property
    def speaker(self) -> str:
        """The speaker's name in `<speaker>_nohash_<n>.wav`; the whole name where it has another form."""
        return speaker(self.path)


@dataclass(frozen=True)
class WordFolder:
    """What a folder holds, before any sound is read."""

    name: str
    root: Path
    words: tuple[str, ...]
    files: list[ClipFile]
    synthetic: bool
    held_out: str
    notices: list[str]
    is_for_testing: bool = False
    """Whether all its clips are test clips; no word needs any."""


def find(data: str) -> Path:
    """The folder that a recipe's `data` means, as `places.data_folder` says; paths begin at the working directory.

    Raises:
        DataError: there is no such folder.
    """
    folder = places.data_folder(data, places.home(), Path.cwd())
    if folder is None:
        raise DataError(
            f"there is no data folder {data!r} and no data set of that name in {places.data_sets(places.home())}; "
            "give a folder's full path, or make one with: sheetrack data prepare"
        )
    return folder


def read_folder(folder: Path) -> WordFolder:
    """Lists the clips of `folder`, which may also hold them in `SpeechCommands/speech_commands_v0.02`.

    The words are the sixteen of the study where all are there, else every folder of words.

    Raises:
        DataError: it has no words, or a word has nothing to train on, or nothing is left for a split.
    """
    root = folder / INNER if (folder / INNER).is_dir() else folder
    notices: list[str] = []
    found = _recordings(root, notices)
    if len(found) < 2:
        raise DataError(
            f"{root} has {len(found) or 'no'} folder{'s'[: len(found) != 1]} of recordings ({', '.join(SUFFIXES)}), and "
            "a training needs two words or more; choose a folder that holds one folder of recordings a word"
        )
    words = WORDS if set(WORDS) <= found.keys() else tuple(found)
    paths = [f"{word}/{file}" for word in words for file in found[word]]
    splits, how = _splits(root, paths, words, notices)
    files = [ClipFile(path, path.partition("/")[0], splits[path]) for path in paths]
    check_complete(root, words, files)
    synthetic = _synthetic(root)
    if synthetic:
        notices.append("This is synthetic speech: accuracies say little about people's voices.")
    return WordFolder(
        name=folder.name,
        root=root,
        words=words,
        files=files,
        synthetic=bool(synthetic),
        held_out=synthetic or f"{how} {_speakers_apart(files)}",
        notices=notices,
    )


def read_for_testing(folder: Path, words: tuple[str, ...]) -> WordFolder:
    """Lists the clips of `folder` as test clips, for a network that knows `words`.

    Raises:
        DataError: it has a clip of none of these words.
    """
    root = folder / INNER if (folder / INNER).is_dir() else folder
    notices: list[str] = []
    found = _recordings(root, notices)
    if unknown := sorted(found.keys() - set(words)):
        notices.append(f"Words that the network does not know are left out: {', '.join(unknown)}.")
    known = tuple(word for word in words if word in found)
    if not known:
        raise DataError(
            f"{root} has no folder of recordings for a word that the network knows: {', '.join(words)}"
        )
    synthetic = _synthetic(root)
    return WordFolder(
        name=folder.name,
        root=root,
        words=known,
        files=[ClipFile(f"{word}/{file}", word, "testing") for word in known for file in found[word]],
        synthetic=bool(synthetic),
        held_out="All clips of the folder were tested.",
        notices=notices,
        is_for_testing=True,
    )


def _recordings(root: Path, notices: list[str]) -> dict[str, list[str]]:
    """The names of the sound files in each folder of a word; `notices` gets what is left out."""
    found: dict[str, list[str]] = {}
    others: list[str] = []
    unread: list[str] = []
    for entry in sorted(root.iterdir()):
        if entry.name[0] in "._" or not entry.is_dir():
            continue
        try:
            files = {
                file.name: file.is_file()
                for file in sorted(entry.iterdir())
                if file.name[0] not in "._" and not file.is_dir()
            }
        except OSError as error:
            notices.append(f"The folder {visible(entry.name)} cannot be read: {error.strerror}.")
            continue
        # A link may lead nowhere, and to read a pipe waits for ever.
        unread += [f"{visible(entry.name)}/{visible(name)}" for name, is_file in files.items() if not is_file]
        names = [name for name, is_file in files.items() if is_file]
        sounds = [name for name in names if name.lower().endswith(SUFFIXES) and visible(name) == name]
        if sounds and visible(entry.name) == entry.name:
            found[entry.name] = sounds
        others += [
            f"{visible(entry.name)}/{visible(name)}"
            for name in names
            if name not in found.get(entry.name, ())
        ]
    if unread:
        few = ", ".join(unread[:3]) + (", ..." if len(unread) > 3 else "")
        count = (
            "1 clip is left out: it is" if len(unread) == 1 else f"{len(unread)} clips are left out: each is"
        )
        notices.append(f"{count} a link to a file that is not there, or no file ({few}).")
    if others:
        few = ", ".join(others[:3]) + (", ..." if len(others) > 3 else "")
        count = "1 file is" if len(others) == 1 else f"{len(others)} files are"
        notices.append(f"{count} no recording, by the end or the characters of the name ({few}).")
    return found


def visible(name: str) -> str:
    """The name without bytes that are no UTF-8, which no result could hold."""
    return name.encode(errors="replace").decode()


def check_complete(root: Path, words: Iterable[str], files: Iterable[ClipFile]) -> None:
    """Raises: DataError: a word has no clip to train on, or a split has no clip at all."""
    counts = Counter((file.split, file.word) for file in files)
    for word in words:
        if not counts["training", word]:
            raise DataError(
                f"the word '{word}' has no training clip in {root}; add some or remove its folder"
            )
    has_lists = any((root / name).exists() for name in LISTS)
    other = "remove both lists to split by speaker" if has_lists else "add recordings of other speakers"
    for split in ("validation", "testing"):
        if not any(counts[split, word] for word in words):
            raise DataError(f"{root} has no {split} clip; name some in {split}_list.txt, or {other}")


def hashed_split(path: str) -> Split:
    """The official split of a clip by its speaker: 10 % validation, 10 % testing.

    The rule is published in the data set's own README: the SHA-1 of the file's name without `_nohash_` and
    what follows it, as a number, modulo 2**27, as a percentage of 2**27 - 1.
    """
    percentage = _share(speaker(path))
    return "validation" if percentage < 10 else "testing" if percentage < 20 else "training"


def speaker(path: str) -> str:
    return re.sub("_nohash_.*", "", path.rpartition("/")[2])


def _splits(
    root: Path, paths: list[str], words: tuple[str, ...], notices: list[str]
) -> tuple[dict[str, Split], str]:
    missing = [name for name in LISTS if not (root / name).is_file()]
    if missing:
        if len(missing) < len(LISTS):
            notices.append(f"{missing[0]} is missing, so the other list was not used either.")
        if not any("_nohash_" in path for path in paths):
            return _split_by_file(paths), (
                "Validation and test clips are about 10 % of each word, chosen by a hash of the file's name."
            )
        return {path: hashed_split(path) for path in paths}, (
            "Validation and test clips are about 10 % each, chosen by the official hash of the speaker's name."
        )
    # torch is imported with it, and folders are also listed where nothing is trained.
    from models.data.torchaudio_on_cpu import SPEECHCOMMANDS  # noqa: PLC0415

    splits = dict.fromkeys(paths, SPLITS[0])
    absent = []
    for split in LISTS.values():
        # The archive's name as the class takes it: it cuts off two suffixes, whatever they are.
        listed = SPEECHCOMMANDS(root.parent, f"{root.name}.tar.gz", ".", subset=split)
        # get_metadata refuses file names without a speaker's hash, which are welcome here.
        for file in listed._walker:  # noqa: SLF001
            path = Path(file).relative_to(root.parent.joinpath(root.name)).as_posix()
            if path in splits:
                splits[path] = split
            elif path.partition("/")[0] in words:
                absent.append(path)
    if absent:
        notices.append(f"{len(absent)} clips of the lists are not there, the first {absent[0]}.")
    return splits, "Validation and test clips are those that the folder's own lists name."


def _split_by_file(paths: list[str]) -> dict[str, Split]:
    """About a tenth of each word for validation and for testing, by the hash of each file's path.

    A word of three files or more has one of them at least in each split; more files move few others.
    """
    splits: dict[str, Split] = dict.fromkeys(paths, SPLITS[0])
    for word in dict.fromkeys(path.partition("/")[0] for path in paths):
        shares = sorted((_share(path), path) for path in paths if path.startswith(f"{word}/"))
        if len(shares) < len(SPLITS):
            continue
        validation = max(1, sum(share < 10 for share, _ in shares))
        testing = max(1, sum(10 <= share < 20 for share, _ in shares))
        validation = min(validation, len(shares) - 2)
        testing = min(testing, len(shares) - 1 - validation)
        for place, (_, path) in enumerate(shares[: validation + testing]):
            splits[path] = "validation" if place < validation else "testing"
    return splits


def _share(name: str) -> float:
    """A percentage that looks random and is the same for the same name."""
    digest = hashlib.sha1(name.encode(), usedforsecurity=False).hexdigest()
    return int(digest, 16) % 2**27 * 100 / (2**27 - 1)


def _speakers_apart(files: list[ClipFile]) -> str:
    if not any("_nohash_" in file.path for file in files):
        return "The names of the files name no speakers: test clips may be in voices of the training clips."
    trained = {file.speaker for file in files if file.split == "training"}
    shared = len({file.speaker for file in files if file.split == "testing"} & trained)
    if shared:
        return f"{shared} speakers of test clips are also in the training clips."
    return "No speaker of a test clip is in the training clips."


def _synthetic(root: Path) -> str:
    """What `synthetic.json` says was held out; empty where there is none, that is for recorded speech."""
    try:
        return str(json.loads((root / "synthetic.json").read_bytes())["held_out"])
    except FileNotFoundError:
        return ""
    except (ValueError, KeyError, TypeError):
        raise DataError(f"{root / 'synthetic.json'} cannot be read; prepare the data again") from None
