"""Where Sheetrack keeps its things, and the few choices a lab makes."""

import getpass
import os
import re
import stat
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic_core import PydanticCustomError

from backend.errors import InvalidError
from backend.text import address_fault, plain_text, toml_line
from models import places

Model = TypeVar("Model", bound=BaseModel)


def _web_address(address: str) -> str:
    if fault := address_fault(address):
        example = "write it like http://gpu1.lab.example:8265"
        raise PydanticCustomError(
            "address", "the address {fault}; {example}", {"fault": fault, "example": example}
        )
    return address.rstrip("/")


WebAddress = Annotated[str, AfterValidator(_web_address)]


class GoogleSettings(BaseModel):
    """Which spreadsheet the lab uses, and as whom Sheetrack opens it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    spreadsheet: Annotated[
        str, Field(pattern=r"^[A-Za-z0-9_-]+$", description="Its address in the browser, or the ID in there")
    ]
    key_file: Annotated[
        Path, Field(description="The service account's key; a relative path starts at the home")
    ] = Path("google-key.json")
    relay: Annotated[
        str | None,
        Field(
            pattern=r"^(https://\S+|http://127\.0\.0\.1:\d+/\S+)$",
            description="The address of the lab's relay script, which then takes the place of the key",
        ),
    ] = None
    relay_secret_file: Annotated[
        Path, Field(description="What the relay knows Sheetrack by; a relative path starts at the home")
    ] = Path("relay-secret")
    api_endpoint: Annotated[
        str | None,
        Field(pattern=r"^https?://", description="Another server that speaks the Sheets API, without a key"),
    ] = None

    @field_validator("spreadsheet", mode="before")
    @classmethod
    def _id(cls, value: object) -> object:
        found = re.search(r"/d/([A-Za-z0-9_-]+)", value) if isinstance(value, str) else None
        return found[1] if found else value


class ReservationSettings(BaseModel):
    """The lab's own tab that says who has which server. Columns are named as their headers are.

    A column that is left out is guessed by the usual names.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    tab: Annotated[str, Field(min_length=1, max_length=100, description="The tab's name")]
    server: Annotated[str, Field(description="Header of the servers' names")] = ""
    person: Annotated[str, Field(description="Header of who reserved it")] = ""
    start: Annotated[str, Field(description="Header of when that begins")] = ""
    end: Annotated[str, Field(description="Header of when that ends")] = ""
    date: Annotated[str, Field(description="Header of the day of a row")] = ""
    gpus: Annotated[str, Field(description="Header of the GPUs, where a row is for some of them")] = ""
    email: Annotated[str, Field(description="Header of the mail addresses of the people")] = ""
    show: Annotated[
        tuple[str, ...], Field(max_length=9, description="Columns of the Servers tab that appear beside it")
    ] = ("Verdict", "GPUs", "Free GPU memory", "Users", "Seen")


class PeopleSettings(BaseModel):
    """Who may use the backend from the add-on, through its public address."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    public_address: Annotated[WebAddress, Field(description="Where the add-on finds the backend")]
    audiences: Annotated[
        tuple[str, ...], Field(description="The add-on's client IDs; one that is refused is told")
    ] = ()
    see: Annotated[tuple[str, ...], Field(description="Who may look: addresses or Workspace domains")] = ()
    launch: Annotated[tuple[str, ...], Field(description="Who may launch and cancel as well")] = ()
    commands: Annotated[
        tuple[str, ...],
        Field(description="Who may also run programs of their own, with all rights of the backend's user"),
    ] = ()
    decide: Annotated[
        tuple[str, ...], Field(description="Who of them may put jobs first and override reservations")
    ] = ()
    requests_per_minute: Annotated[int, Field(ge=10, le=100_000, description="Of each person")] = 300

    @property
    def public_host(self) -> str:
        return self.public_address.split("://")[1].casefold()


class RaySettings(BaseModel):
    """The Ray cluster through which trainings run on other servers."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    address: Annotated[WebAddress, Field(description="Its dashboard, such as http://gpu1:8265")]
    token_file: Annotated[
        Path, Field(description="What Ray asks for; a relative path starts at the home")
    ] = Path("ray-token")


Event = Literal[
    "down", "overloaded", "back", "unsteady", "rebooted", "gpu_fault", "disk_fault", "job_ended", "reservation_idle",
    "weekly_report",
]  # fmt: skip
_CLOCK = r"([01]\d|2[0-3]):[0-5]\d"


class NotifySettings(BaseModel):
    """Who is notified of what, through Apprise."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    urls_file: Annotated[
        Path, Field(description="Apprise's addresses, one a line; a relative path starts at the home")
    ] = Path("notify-urls")
    events: Annotated[tuple[Event, ...], Field(description="The changes that are notified")] = get_args(Event)
    quiet_hours: Annotated[
        str,
        Field(pattern=rf"^({_CLOCK}-{_CLOCK})?$", description="When nothing is sent, such as 22:00-07:00"),
    ] = ""
    hold_seconds: Annotated[
        int, Field(ge=0, le=86_400, description="How long a change must last before it is notified")
    ] = 120
    idle_minutes: Annotated[
        int, Field(ge=1, le=10_000, description="How long a reserved server must have been idle")
    ] = 60
    held_idle_hours: Annotated[
        int,
        Field(
            ge=0, le=1000, description="People who hold idle GPUs for longer get a message a day; 0: never"
        ),
    ] = 0


class Settings(BaseModel):
    """The content of `settings.toml`; every field may be left out."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: Annotated[str, Field(max_length=100, description="Heads the page")] = "Our lab's servers"
    refresh_seconds: Annotated[int, Field(ge=2, le=3600, description="How often servers are read")] = 15
    history_days: Annotated[int, Field(ge=1, le=400, description="How long readings are kept")] = 2
    run_tabs: Annotated[int, Field(ge=0, le=200, description="How many of the newest runs have a tab")] = 20
    google: Annotated[GoogleSettings | None, Field(description="The lab's Google spreadsheet")] = None
    reservations: Annotated[
        ReservationSettings | None, Field(description="The lab's own tab of reservations")
    ] = None
    people: Annotated[PeopleSettings | None, Field(description="Who may use the add-on")] = None
    notify: Annotated[NotifySettings | None, Field(description="Who is notified of what")] = None
    ray: Annotated[RaySettings | None, Field(description="The Ray cluster that trains on other servers")] = (
        None
    )


class Home:
    """Every path below `SHEETRACK_HOME`; by default the platform's folder for user data."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = places.expanded(path).absolute() if path else places.home()
        self.store_file = self.path / "store.db"
        self.runs = self.path / "runs"
        self.bin = self.runs / ".bin"
        self.comparisons = self.path / "comparisons"
        self.data = places.data_sets(self.path)
        self.peoples_tabs = self.path / "tabs"
        self.settings_file = self.path / "settings.toml"
        self.servers_file = self.path / "servers.toml"
        self.token_file = self.path / "token"
        self.lock_file = self.path / "backend.lock"
        self.log_file = self.path / "backend.log"
        self.failure_file = self.path / "failure.log"

    def make(self) -> None:
        """Makes the folder, for its owner alone, where it does not exist."""
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)

    def is_open_to_others(self) -> bool:
        """Whether other users of this machine may look into it: the store, the logs and the runs lie there."""
        return bool(self.path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO))

    def close_to_others(self) -> bool:
        """Takes the rights of other users away; returns whether they have none now."""
        facts = self.path.stat()
        # A folder such as /tmp is for all, and its owner is not asked.
        if self.is_open_to_others() and facts.st_uid == os.getuid() and not facts.st_mode & stat.S_ISVTX:
            self.path.chmod(0o700)
        return not self.is_open_to_others()

    def settings(self) -> Settings:
        """Raises: InvalidError: the file cannot be understood."""
        return read_toml(self.settings_file, Settings)

    def settings_text(self) -> bytes:
        """What settings.toml holds, to notice that it changed; empty where it cannot be read."""
        try:
            return self.settings_file.read_bytes()
        except OSError:
            return b""


def read_toml(file: Path, model: type[Model]) -> Model:
    """The file's content as `model`, the model's defaults where there is no file.

    Raises:
        InvalidError: the file is not TOML, or says something that `model` does not know; with the line.
    """
    text = ""
    try:
        text = file.read_text(encoding="utf-8")
        return model.model_validate(tomllib.loads(text))
    except FileNotFoundError:
        return model()
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidError(f"{file} is not a TOML file: {error}.", "Correct it, then try again.") from None
    except ValidationError as error:
        line = toml_line(text, error.errors()[0]["loc"])
        where = f"{file}, line {line}" if line else str(file)
        told = "; ".join(_fault(fault, model) for fault in _faults(error))
        raise InvalidError(f"{where}: {told}.", "Correct it, then try again.") from None


def this_user() -> str:
    """The login of the user that this process runs as; the user's number where no login belongs to it."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # a container's user without an entry in passwd
        return str(os.getuid())
    return plain_text(name, 64)


def private_text(file: Path, what: str) -> str:
    """The content of a file of secrets, which a message calls `what`.

    Raises:
        InvalidError: it cannot be read, or others may read it.
    """
    try:
        with file.open(encoding="ascii") as opened:
            mode = os.fstat(opened.fileno()).st_mode
            text = opened.read(100_000).strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise InvalidError(f"The {what} {file} cannot be read: {why}.", "Check it.") from None
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise InvalidError(f"Others may read the {what} {file}.", f"Run `chmod 600 {file}`.")
    return text


def write_private(file: Path, content: bytes) -> None:
    """Writes a file that its owner alone can read; it is there whole, or as it was before."""
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_name(f".{file.name}.new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as opened:
        opened.write(content)
    draft.replace(file)


def sentence(error: ValidationError) -> str:
    """All that pydantic found wrong, in one line: `depth: Input should be greater than ...; ...`.

    Of items of a list that are wrong in the same way, the first is named and the others are counted.
    """
    alike: dict[tuple[object, ...], list[Mapping[str, Any]]] = {}
    for fault in _faults(error):
        place = (part for part in fault["loc"] if isinstance(part, str))
        alike.setdefault((fault["msg"], *place), []).append(fault)
    return "; ".join(
        _fault(first) + (f" (and {len(more)} more like it)" if more else "")
        for first, *more in alike.values()
    )


def _faults(error: ValidationError) -> Sequence[Mapping[str, Any]]:
    faults: Sequence[Mapping[str, Any]] = error.errors(
        include_url=False, include_context=False, include_input=False
    )
    # A list whose items are wrong counts as empty too, which tells nothing.
    return [fault for fault in faults if fault["type"] != "too_short"] or faults


def _fault(fault: Mapping[str, Any], model: type[BaseModel] | None = None) -> str:
    """One fault in words; with the `model`, an unknown name has the nearest that is known."""
    what = fault["msg"].removeprefix("Value error, ")
    where = ".".join(map(str, fault["loc"]))
    if fault["type"] == "extra_forbidden" and model:
        from difflib import get_close_matches  # noqa: PLC0415 - only mistakes pay for it

        near = get_close_matches(str(fault["loc"][-1]), _names(model, fault["loc"][:-1]), 1)
        what = "there is no such setting" + (f", did you mean {near[0]}" if near else "")
    return what if fault["type"] == "value_error" and not where else f"{where or 'value'}: {what}"


def _names(model: type[BaseModel], path: Sequence[int | str]) -> list[str]:
    """The settings below `path`."""
    for part in path:
        if isinstance(part, int):
            continue
        annotation = model.model_fields[part].annotation if part in model.model_fields else None
        below = [
            kind
            for kind in (annotation, *get_args(annotation))
            if isinstance(kind, type) and issubclass(kind, BaseModel)
        ]
        if not below:
            return []
        model = below[0]
    return list(model.model_fields)
