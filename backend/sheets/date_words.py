"""Dates in words and the customs of locales, from the data of dateparser."""

import re
import unicodedata
from collections.abc import Sequence
from datetime import date, datetime
from enum import StrEnum
from functools import cache, lru_cache
from typing import Any

LANGUAGES = (
    "en", "de", "fr", "es", "it", "pt", "nl", "pl", "cs", "sv", "da", "nb", "fi", "hu", "ro", "tr", "ru", "uk",
    "el", "ja", "ko", "zh", "vi", "id",
)  # fmt: skip
"""In this order a word is looked up, after the spreadsheet's own language."""
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_MONTHS = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
    "december",
)  # fmt: skip
_CJK_YEAR = re.compile(r"\d{4} ?[年년]")
_LONGEST = 60


class Order(StrEnum):
    """In which order numbers name a day, as dateparser writes it."""

    DAY_FIRST = "DMY"
    MONTH_FIRST = "MDY"
    YEAR_FIRST = "YMD"


def order_of(locale: str) -> Order | None:
    """The order of a locale such as `en_GB`, None where it is not known."""
    info = _info(locale.replace("_", "-")) or _info(language_of(locale))
    order = info.get("date_order", "")
    return Order(order) if order in set(Order) else None


def language_of(locale: str) -> str:
    return re.split(r"[_-]", locale)[0].casefold()


@lru_cache(maxsize=4096)
def day_in_words(text: str, language: str = "") -> date | None:
    """The day that `text` names with its month in words: `4. März 2026`. None: not exactly one full date.

    Never relative to today, and never completed: dateparser itself would read a month as a day of it.
    """
    numbers = re.findall(r"\d+", text)
    is_cjk = bool(_CJK_YEAR.search(text))
    if len(text) > _LONGEST or "?" in text or len(numbers) != (3 if is_cjk else 2):
        return None
    # dateparser takes 20 ms to find out that a text is no date in any language.
    if not is_cjk and _months(language).isdisjoint(re.findall(r"[^\W\d_]+", _plain(text))):
        return None
    for order in (Order.DAY_FIRST, Order.YEAR_FIRST):
        found: datetime | None = _parser(language, order).get_date_data(text).date_obj
        if found and (found.hour, found.minute) == (0, 0):
            return found.date()
    return None


@lru_cache(maxsize=4096)
def weekday_of(text: str, language: str = "") -> frozenset[int]:
    """The weekdays, from Monday as 0, that a word such as `Mo.` or `martes` may mean; several or none."""
    word = text.strip(" .,()").casefold()
    return frozenset(days[word] for one in _languages(language) if word in (days := _weekdays(one)))


def weekdays_of(words: Sequence[str], language: str = "") -> list[int | None]:
    """What each of `words` means in the language that knows most of them; None: no weekday."""
    texts = [word.strip(" .,()").casefold() for word in words]
    known = [[_weekdays(one).get(text) for text in texts] for one in _languages(language)]
    return max(known, key=lambda days: sum(day is not None for day in days))


def _languages(language: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys([*([language] if _info(language) else []), *LANGUAGES]))


@cache
def _weekdays(language: str) -> dict[str, int]:
    info = _info(language)
    return {
        str(name).strip(" .()").casefold(): day
        for day, key in enumerate(_WEEKDAYS)
        for name in info.get(key, [])
    }


@cache
def _months(language: str) -> frozenset[str]:
    infos = [_info(one) for one in _languages(language)]
    return frozenset(_plain(str(name)) for info in infos for key in _MONTHS for name in info.get(key, []))


def _plain(text: str) -> str:
    """In lower case and without accents, as dateparser compares words."""
    letters = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in letters if not unicodedata.combining(letter)).strip(" .")


@cache
def _parser(language: str, order: Order) -> Any:
    from dateparser.date import DateDataParser  # noqa: PLC0415 - 0.2 s

    settings = {"DATE_ORDER": order.value, "STRICT_PARSING": True, "PARSERS": ["absolute-time"]}
    return DateDataParser(languages=list(_languages(language)), use_given_order=True, settings=settings)


@cache
def _info(locale: str) -> dict[str, Any]:
    """What dateparser knows of a locale, empty if it does not know it."""
    from dateparser.languages.loader import LocaleDataLoader  # noqa: PLC0415 - 0.2 s

    if not re.fullmatch(r"[A-Za-z]{2,3}(-[A-Za-z0-9]+)*", locale):
        return {}
    try:
        return dict(LocaleDataLoader().get_locale(locale).info)
    except (ValueError, ImportError, KeyError):
        return {}
