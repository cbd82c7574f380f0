"""Servers, GPUs and people as a lab writes them."""

import difflib
import re
import unicodedata
from collections.abc import Collection
from typing import NamedTuple

from backend.servers.server import SERVER_NAME
from backend.text import plain_text

_LONGEST = 100
_MOST_GPUS = 64
_MOST_PIECES = 50
_FREE = frozenset({
    "free", "frei", "libre", "libero", "livre", "vrij", "wolne", "wolny", "volno", "ledig", "vapaa", "boş",
    "свободен", "свободно", "空き", "空闲", "空", "비어있음", "none", "nobody", "no-one", "noone", "nil", "null",
    "available", "unused", "idle", "empty", "open", "na", "n/a", "nan", "keiner", "niemand", "personne",
    "nadie", "nessuno", "ninguém", "nikt", "никто", "tbd", "false", "falsch", "faux", "falso",
    "ложь", "unreserved", "vacant", "no", "nein",
})  # fmt: skip
_CLOSED = frozenset({
    "maintenance", "wartung", "mantenimiento", "manutenzione", "manutenção", "onderhoud", "konserwacja",
    "bakım", "обслуживание", "メンテナンス", "维护", "점검", "broken", "defekt", "kaputt", "down", "offline", "repair",
    "reparatur", "blocked", "gesperrt", "closed",
})  # fmt: skip
_CANCELLED = frozenset({
    "cancelled", "canceled", "cancel", "rejected", "declined", "denied", "withdrawn", "returned", "released", "given back",
    "storniert", "abgesagt", "abgelehnt", "zurückgegeben", "annulé", "annulée", "refusé", "cancelado", "cancelada",
    "rechazado", "annullato", "rifiutato", "geannuleerd", "anulowano", "zrušeno", "отменено", "取消", "已取消", "キャンセル",
    "취소",
})  # fmt: skip
_UNDECIDED = frozenset({
    "pending", "requested", "tentative", "proposed", "waiting", "waiting list", "waitlist", "not approved", "not confirmed",
    "tbc", "tbd", "maybe", "angefragt", "vorgemerkt", "unbestätigt", "en attente", "pendiente", "in attesa", "待定", "保留",
    "대기",
})  # fmt: skip
_APPROVED = frozenset({
    "approved", "confirmed", "accepted", "ok", "genehmigt", "bestätigt", "approuvé", "confirmé", "aprobado", "confirmado",
    "approvato", "confermato", "承認", "批准", "승인",
})  # fmt: skip
_NO = frozenset({"no", "n", "nein", "non", "false", "falsch", "faux", "否", "✗", "✘"})
_TOTALS = frozenset({
    "total", "totals", "subtotal", "sum", "sums", "summe", "gesamt", "insgesamt", "somme", "suma", "totale", "totaal",
    "razem", "celkem", "итого", "всего", "合计", "总计", "合計", "합계",
})  # fmt: skip
_PHRASES = frozenset({"not reserved", "not in use", "out of order", "under maintenance", "in maintenance", "no one",
                      "nicht reserviert", "out of service", "not available", "in repair"})  # fmt: skip
_ALL = frozenset({"all", "all servers", "every server", "alle", "alle server", "tous", "todos", "tutti", "*"})
_LIST = re.compile(r"\s*(?:[,;/&+\n]|\band\b|\bund\b|\bet\b|\by\b)\s*", re.IGNORECASE)
_RANGE = re.compile(r"(.*?)(\d+)\s*(?:-|–|—|\.\.+|\bto\b|\bbis\b)\s*(.*?)(\d+)", re.IGNORECASE)
_BRACKETS = re.compile(r"(.*?)\[(\d+)\s*[-–]\s*(\d+)\]")
_DIGITS = r"\d(?:[\d\s,;&+/–-]|and|und)*|all"
_WITH_GPUS = (
    re.compile(rf"(.+?)\s*:\s*(?:gpus?)?\s*({_DIGITS})", re.IGNORECASE),
    re.compile(rf"(.+?)\s*[/#\[(:,-]?\s*\bgpus?\s*[:#]?\s*({_DIGITS})[\])]?", re.IGNORECASE),
    re.compile(rf"(.+?)\s*[/#\[]\s*({_DIGITS})\]?", re.IGNORECASE),
    re.compile(r"(.+?)\s+(\d[\d,–-]*)"),
)


class Part(NamedTuple):
    """A server, or some of its GPUs."""

    server: str
    gpus: tuple[int, ...] | None


class Names:
    """The lab's servers, found by the names that people give them."""

    def __init__(self, servers: Collection[str]) -> None:
        self._exact = {_folded(name): name for name in servers}
        self._keys: dict[str, list[str]] = {}
        for name in servers:
            for key in dict.fromkeys((_key(name), _key(_first_label(name)))):
                self._keys.setdefault(key, []).append(name)

    def known(self, text: str) -> str | None:
        """The server that `text` names, None if it names none.

        Raises:
            ValueError: it may be several.
        """
        text = _folded(text)
        if text in self._exact:
            return self._exact[text]
        for key in dict.fromkeys((_key(text), _key(_first_label(text)))):
            found = self._keys.get(key, []) if key else []
            if len(found) > 1:
                raise ValueError(f"{text!r} may be {' or '.join(found)}")
            if found:
                return found[0]
        return None

    def numbered(self, number: float) -> str | None:
        """The one server whose name is a number and equal to `number`, such as `1e3` to 1000."""
        found = [name for name in self._exact.values() if _number(name) == number]
        return found[0] if len(found) == 1 else None

    def parts(self, text: str) -> list[Part]:
        """The servers and GPUs that a cell names.

        A name that is near to no server's may be one that is not set up yet; it is returned as it is.

        Raises:
            ValueError: it names no server, in words, with the nearest name.
        """
        text = plain_text(", ".join(text.split("\n")), _LONGEST)
        if _folded(text) in _ALL and self._exact:
            return [Part(server, None) for server in self._exact.values()]
        if found := self._known_parts(text):
            return found
        if near := self._near(text):
            raise ValueError(f"no server is called {text!r}; the nearest is {near}")
        new = _new_part(text)
        if new is None:
            raise ValueError(f"no server is called {text!r}")
        return [new]

    def _known_parts(self, text: str) -> list[Part]:
        ways = (
            self._whole,
            self._range,
            self._words,
            self._list,
            self._with_gpus,
            self._mixed,
            self._first_word,
        )
        return next((found for way in ways if (found := way(text))), [])

    def _whole(self, text: str) -> list[Part]:
        server = self.known(text)
        return [Part(server, None)] if server else []

    def _words(self, text: str) -> list[Part]:
        words = text.split()
        return (
            [Part(word, None) for word in words]
            if all(word in self._exact.values() for word in words)
            else []
        )

    def _list(self, text: str) -> list[Part]:
        pieces = _pieces(text)
        found = [self.known(piece) for piece in pieces] if len(pieces) <= _MOST_PIECES else []
        return [Part(server, None) for server in found if server] if all(found) else []

    def _with_gpus(self, text: str) -> list[Part]:
        for form in _WITH_GPUS:
            if (match := form.fullmatch(text)) and (server := self.known(match[1].rstrip(" (:-"))):
                return [Part(server, gpus_of(match[2]))]
        match = re.fullmatch(r"(.+?)\s*\([^()]*\)", text)
        return self._whole(match[1]) if match else []

    def _mixed(self, text: str) -> list[Part]:
        """A list in which some have GPUs: `gpu1:0, gpu2`."""
        pieces = _pieces(text)
        if not 1 < len(pieces) <= _MOST_PIECES:
            return []
        found = [self._whole(piece) or self._range(piece) or self._with_gpus(piece) for piece in pieces]
        unknown = [piece for piece, parts in zip(pieces, found, strict=True) if not parts]
        if unknown and len(unknown) < len(pieces):
            near = self._near(unknown[0])
            raise ValueError(
                f"no server is called {unknown[0]!r}{f'; the nearest is {near}' if near else ''}"
            )
        return [part for parts in found for part in parts]

    def _first_word(self, text: str) -> list[Part]:
        """A server with a remark that holds no number: `gpu1 (the old one) upstairs`."""
        first, _, rest = text.partition(" ")
        server = self._exact.get(_folded(first.rstrip(",:-")))
        return [Part(server, None)] if rest and server and not re.search(r"\d", rest) else []

    def _range(self, text: str) -> list[Part]:
        """`gpu1-gpu4`, `gpu1-4`, `gpu[1-4]`: each server from the first to the last, if all are known."""
        match = _BRACKETS.fullmatch(text) or _RANGE.fullmatch(text)
        if match is None:
            return []
        stem, first, last = match[1], int(match[2]), int(match[len(match.groups())])
        if len(match.groups()) == 4 and match[3] and _key(match[3]) != _key(stem):
            return []
        if not first < last < first + _MOST_PIECES:
            return []
        found = [self.known(f"{stem}{number}") for number in range(first, last + 1)]
        return [Part(server, None) for server in found if server] if all(found) else []

    def _near(self, text: str) -> str | None:
        """The server whose name is most alike and has the same numbers."""
        key = _key(text)
        numbers = re.findall(r"\d+", key)
        alike = [own for own in self._keys if re.findall(r"\d+", own) == numbers]
        near = difflib.get_close_matches(key, alike, n=1, cutoff=0.7)
        return self._keys[near[0]][0] if near else None


def gpus_of(text: str) -> tuple[int, ...] | None:
    """The GPUs that `0-3`, `GPU 0, 2` or `0 & 1` name; None: all of them.

    Raises:
        ValueError: it names no GPUs.
    """
    bare = re.sub(r"\b(?:gpus?|cuda|cards?|devices?)(?![^\W\d])\s*[:#]?|#|\([^)]*\)", " ", text.casefold())
    bare = " ".join(bare.split())
    if bare in ("", "all", "alle", "tous", "todas", "todos", "*"):
        return None
    bare = re.sub(r"\s*(?:–|—|\bto\b|\bbis\b|\.\.+)\s*|\s+-\s+", "-", bare)
    found: set[int] = set()
    for piece in re.split(r"\s*(?:[,;&+/]|\band\b|\bund\b)\s*|\s+", bare.strip(" ,;")):
        match = re.fullmatch(r"(\d{1,2})(?:-(\d{1,2}))?", piece, re.ASCII)
        if (
            match is None
            or int(match[1]) >= _MOST_GPUS
            or not int(match[1]) <= int(match[2] or match[1]) < 64
        ):
            raise ValueError(f"no GPUs in {plain_text(text, 40)!r}")
        found |= set(range(int(match[1]), int(match[2] or match[1]) + 1))
    return tuple(sorted(found))


def person_of(text: str) -> str | None:
    """The person that a cell names, None where it says that the server is free or out of use.

    Raises:
        ValueError: it holds no name, such as a tick.
    """
    text = plain_text(text, _LONGEST)
    if text.startswith("#"):  # an error of a formula
        raise ValueError(f"no name in {text!r}")
    bare = " ".join(re.sub(r"[^\w/\s-]", " ", text.casefold()).split()).strip("-_/ ")
    if bare in _FREE or bare in _CLOSED or bare in _PHRASES or not re.search(r"\w", bare):
        if re.search(r"[?✓✔☑✗xX]", text) and not bare:
            raise ValueError(f"no name in {text!r}")
        return None
    words = bare.split()
    if words[0] in _CLOSED or (len(words) > 1 and set(words) & {"maintenance", "wartung"}):
        return None
    is_name = (len(bare) > 1 or not bare.isascii()) and bare not in {
        "true",
        "wahr",
        "vrai",
        "yes",
        "ja",
        "ok",
        "reserved",
    }
    is_remark = bool(re.fullmatch(r"\(.*\)|\[.*\]", text))
    if not is_name or is_remark or set(words) & {"free", "frei", "available"}:
        raise ValueError(f"no name in {text!r}")
    return text


def is_total(text: str) -> bool:
    """Whether a cell in place of a server's name begins a row of sums."""
    return _folded(text).strip(":") in _TOTALS


def is_cancelled(text: str) -> bool:
    """Whether a cell beside a reservation says that it does not hold."""
    return _folded(text) in _CANCELLED


def is_undecided(text: str, header: str) -> bool:
    """Whether a cell beside a reservation says that it may not hold, such as `no` under `Approved`."""
    return _folded(text) in _UNDECIDED or (_folded(text) in _NO and _folded(header).rstrip("?") in _APPROVED)


def _pieces(text: str) -> list[str]:
    """The servers of a list; `0,1` of `gpu1:0,1` stays with its server."""
    pieces: list[str] = []
    for piece in _LIST.split(text):
        if pieces and ":" in pieces[-1] and re.fullmatch(r"\d+(?:\s*[-–]\s*\d+)?", piece):
            pieces[-1] += f",{piece}"
        elif piece:
            pieces.append(piece)
    return pieces


def _new_part(text: str) -> Part | None:
    """A server that the lab has not set up, perhaps with its GPUs."""
    if re.fullmatch(SERVER_NAME, text):
        return Part(text, None) if re.search(r"[A-Za-z]", text) else None
    match = re.fullmatch(rf"({SERVER_NAME})\s*:\s*({_DIGITS})", text)
    return Part(match[1], gpus_of(match[2])) if match else None


def _number(name: str) -> float | None:
    try:
        return float(name)
    except ValueError:
        return None


def _folded(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def _first_label(text: str) -> str:
    """`gpu2` of `gpu2.lab.example`."""
    return text.partition(".")[0] if re.fullmatch(r"[\w-]+(\.[A-Za-z][\w-]*)+", text) else text


def _key(text: str) -> str:
    """The letters and numbers of a name: `gpu4` of `GPU 04`, but `1-2` of `1-2`."""
    parts = re.findall(r"[^\W\d_]+|\d+", _folded(text))
    key = ""
    for part in parts:
        shown = part.lstrip("0") or "0" if part.isdigit() else part
        key += f"-{shown}" if key[-1:].isdigit() and shown.isdigit() else shown
    return key
