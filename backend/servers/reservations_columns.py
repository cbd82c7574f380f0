"""Which column of a lab's tab says what, by the usual headers in the common languages."""

import re
import unicodedata
from collections.abc import Mapping, Sequence

from backend.sheets.people import SERVER_NAMES

_GPU = (
    "gpu", "gpus", "gpu id", "gpu ids", "gpu index", "gpu no", "gpu nr", "gpu number", "gpu numbers", "which gpu",
    "which gpus", "device", "devices", "cards",
)  # fmt: skip
_PERSON = (
    "user", "users", "person", "who", "reserved by", "reserved for", "booked by", "booked for", "owner", "used by",
    "taken by", "assigned to", "requested by", "user name", "username", "researcher", "member", "student",
    "nutzer", "benutzer", "wer", "reserviert von", "gebucht von", "belegt von", "utilisateur", "qui", "réservé par",
    "usuario", "quién", "reservado por", "utente", "chi", "prenotato da", "usuário", "quem", "gebruiker",
    "użytkownik", "uživatel", "användare", "bruger", "bruker", "käyttäjä", "kullanıcı", "пользователь", "кто",
    "користувач", "ユーザー", "利用者", "使用者", "使用人", "用户", "사용자", "예약자", "이름", "姓名", "名前",
    "in use by", "occupied by", "people", "name", "names", "nom", "nombre", "nome", "imię", "имя", "contact", "email", "e-mail", "mail", "email address", "reserved",
    "booked",
)  # fmt: skip
_START = (
    "from", "start", "starts", "since", "begin", "begins", "start date", "date from", "from date",
    "reserved from", "start date time", "von", "ab", "beginn", "anfang", "seit", "startdatum",
    "de", "du", "début", "date de début", "desde", "inicio", "fecha de inicio", "da", "dal", "inizio", "data inizio",
    "início", "van", "vanaf", "begindatum", "od", "początek", "začátek", "från", "fra", "alkaa", "başlangıç",
    "с", "от", "начало", "开始", "开始时间", "开始日期", "開始", "開始日", "시작", "시작일",
)  # fmt: skip
_END = (
    "until", "end", "ends", "to", "till", "through", "end date", "date to", "to date", "due",
    "reserved until", "reserved to", "end date time", "expires", "bis", "ende", "enddatum", "au", "jusqu'au",
    "jusqu’au", "fin", "date de fin", "hasta", "fecha de fin", "a", "al", "fine", "data fine", "até", "fim", "tot",
    "einde", "einddatum", "do", "koniec", "konec", "till och med", "til", "slut", "slutt", "päättyy", "bitiş",
    "по", "до", "конец", "结束", "结束时间", "结束日期", "終了", "終了日", "종료", "종료일",
)  # fmt: skip
_DAY = (
    "date", "dates", "day", "when", "period", "datum", "tag", "wann", "zeitraum", "jour", "quand", "fecha",
    "día", "cuándo", "período", "giorno", "quando", "periodo", "data", "dia", "dag", "dzień", "datum rezervace",
    "päivä", "tarih", "gün", "дата", "день", "日期", "日付", "日", "날짜", "week",
)  # fmt: skip
_TIME = (
    "time", "times", "slot", "time slot", "uhrzeit", "zeit", "heure", "heures", "hora", "horas", "ora",
    "orario", "tijd", "tid", "godzina", "время", "saat", "时间", "時間", "시간", "half-day", "half day", "half",
    "am pm", "part of day", "halbtag", "tageshälfte", "demi-journée",
)  # fmt: skip
_LENGTH = (
    "duration", "days", "hours", "how long", "for how long", "length", "dauer", "tage", "stunden", "durée", "jours",
    "duración", "días", "horas", "durata", "giorni", "ore", "duração", "dias", "duur", "dagen", "기간", "期間", "天数",
)  # fmt: skip
_ADDRESS = (
    "email", "e-mail", "mail", "email address", "e-mail address", "mail address", "contact", "e-mail-adresse",
    "mailadresse", "kontakt", "courriel", "correo", "correo electrónico", "posta elettronica", "почта", "邮箱", "メール",
    "이메일",
)  # fmt: skip
HEADERS: Mapping[str, Sequence[str]] = {
    "server": SERVER_NAMES,
    "person": _PERSON,
    "start": _START,
    "end": _END,
    "start time": (
        "start time",
        "from time",
        "time from",
        "begin time",
        "startzeit",
        "heure de début",
        "hora inicio",
    ),
    "end time": ("end time", "to time", "time to", "until time", "endzeit", "heure de fin", "hora fin"),
    "day": _DAY,
    "time": _TIME,
    "length": _LENGTH,
    "gpus": _GPU,
    "address": _ADDRESS,
}
"""The usual headers of each column. The first that the tab has is taken."""
_PARTS = {
    "server": ("server", "machine", "host"),
    "person": ("reserved by", "booked by", "used by", "user", "person", "who"),
    "start": ("from", "start", "begin"),
    "end": ("until", "till", "end", "to"),
    "day": ("date", "day"),
    "time": ("time",),
    "gpus": ("gpu", "gpus"),
}
"""What longer headers contain, such as `Server (click to sort)`."""
_MOST_WORDS = 4


def plain_header(text: str) -> str:
    """A header in lower case, without signs and what stands in parentheses."""
    text = unicodedata.normalize("NFKC", text).casefold()
    return " ".join(re.sub(r"\([^)]*\)|[^\w'’-]|_", " ", text).split())


def roles_of(headers: Sequence[str], named: Mapping[str, str]) -> dict[str, int]:
    """The column of each role, as far as `headers` have it; `named` are the headers that the settings name."""
    titles = [plain_header(header) for header in headers]
    exact = [header.strip().casefold() for header in headers]
    found: dict[str, int] = {}
    for role, header in named.items():
        if (text := header.strip().casefold()) in exact:
            found[role] = exact.index(text)
    wanted = [role for role in HEADERS if role not in named]
    _add_usual(titles, wanted, found)
    for role, parts in _PARTS.items():
        if role in wanted and role not in found:
            place = _containing(titles, parts, found)
            if place is not None:
                found[role] = place
    for role in ("start", "end"):  # a column of times alone may hold dates with times
        if role in wanted and role not in found and f"{role} time" in found:
            found[role] = found.pop(f"{role} time")
    return found


def _add_usual(titles: Sequence[str], roles: Sequence[str], found: dict[str, int]) -> None:
    # A column called Name is that of the servers only where no other is.
    is_named = any(_containing([title], _PARTS["server"], {}) == 0 for title in titles)
    for role in roles:
        for title in HEADERS[role]:
            places = [at for at, own in enumerate(titles) if own == title and at not in found.values()]
            if places and not (role == "server" and title == "name" and is_named):
                found[role] = places[0]
                break


def _containing(titles: Sequence[str], parts: Sequence[str], taken: Mapping[str, int]) -> int | None:
    for part in parts:
        for at, title in enumerate(titles):
            words = title.split()
            if at not in taken.values() and 1 < len(words) <= _MOST_WORDS and f" {part} " in f" {title} ":
                return at
    return None
