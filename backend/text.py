"""Text from outside: made safe to show, looked up, and checked."""

import re
from collections.abc import Sequence
from ipaddress import IPv6Address
from urllib.parse import urlsplit

_HOST = re.compile(r"([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.?")
_LONGEST_HOST = 253
_LOGIN = re.compile(r"[A-Za-z0-9_][\w.-]*@", re.ASCII)
_HEADER = re.compile(r"\s*(\[\[?)\s*([\w.-]+)\s*\]")


def plain_text(text: str, most: int) -> str:
    """`text` on one line, at most `most` characters long.

    Every character that does not print is replaced: escape sequences would change a terminal, and marks of
    writing direction would reorder the text around them. Text that is too long ends with `…`.
    """
    if len(text) <= most and text.isprintable() and "  " not in text and text == text.strip():
        return text
    # Ten times the length leaves room for blanks that are merged, and bounds the work.
    words = " ".join(text[: 10 * most].split())
    shown = words
    if not words.isprintable():
        shown = "".join(
            character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in words
        )
    return shown if len(shown) <= most else f"{shown[: most - 1].rstrip()}…"


def listed(names: Sequence[str], most: int = 8) -> str:
    """`kim, lee`, or `kim, lee and 29 more` where there are more than `most`."""
    if len(names) <= most:
        return ", ".join(names)
    return f"{', '.join(names[:most])} and {len(names) - most} more"


def ordinal(number: int) -> str:
    """`1st`, `2nd`, `11th`."""
    is_teen = number // 10 % 10 == 1
    return f"{number}{'th' if is_teen else {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th')}"


def visible(text: str) -> str:
    r"""`text` for a terminal: what does not print is written as in `\x1b`.

    Escape sequences would change the terminal, and marks of writing direction would reorder its lines.
    """
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in text
    )


def toml_line(text: str, location: Sequence[str | int]) -> int:
    """The number of the line of a TOML file where `location` stands, such as `("server", 1, "agent")`.

    What has no line has that of its table's header; 0: that has none either.
    """
    names = [part for part in location if isinstance(part, str)]
    place = next((part for part in location if isinstance(part, int)), 0)
    key = names.pop() if names and names[-1] == location[-1] else ""
    table, found, seen = ".".join(names), 0, -1
    is_inside = not table
    for number, line in enumerate(text.splitlines(), start=1):
        if header := _HEADER.match(line):
            seen += header[2] == table
            is_inside = header[2] == table and (header[1] == "[" or seen == place)
            found = number if is_inside else found
        elif is_inside and key and line.partition("=")[0].strip(" \t\"'") == key:
            return number
    return found


def address_fault(address: str, schemes: Sequence[str] = ("http", "https")) -> str:
    """What is wrong with the address of a server, empty if nothing is. Never quotes it: it may hold a password."""
    if not address.isascii() or not address.isprintable() or " " in address:
        return "holds blanks, line breaks or letters that no address has"
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        return "has no valid host and port"
    if parts.scheme not in schemes:
        *others, last = (f"{scheme}://" for scheme in schemes)
        return f"does not begin with {', '.join(others)} or {last}"
    if parts.scheme == "ssh" and _LOGIN.match(parts.netloc):
        parts = parts._replace(netloc=parts.netloc.partition("@")[2])
    if "@" in parts.netloc:
        return "holds a user name or password, which belong in a file of their own"
    if port == 0 or parts.netloc.endswith(":"):
        return "has no valid port"
    if not _is_host(parts.hostname or "", is_bracketed=parts.netloc.startswith("[")):
        return "has no valid host"
    if parts.path not in ("", "/") or parts.query or parts.fragment or address.endswith(("?", "#")):
        return "goes on after the port"
    return ""


def _is_host(host: str, *, is_bracketed: bool) -> bool:
    if is_bracketed:
        try:
            return bool(IPv6Address(host))
        except ValueError:
            return False
    return len(host) <= _LONGEST_HOST and bool(_HOST.fullmatch(host))
